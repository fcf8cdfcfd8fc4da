"""Exports members for an external store, as records of attributes and plays, from tables or a published model."""

import math
from collections.abc import Iterator
from itertools import islice

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT
from features.movies import MOVIE
from features.schema import Schema
from features.values.attribute_value import Value
from model.facts.facts import SECONDS_PER_DAY, MemberFacts
from model.facts.member_record import MemberRecord, RecordedPlay, key_of_hash, record_key
from model.prediction.model import Model
from training.data.reading.tables import Tables

OTHER = "other value"
"""Category that is exported for members whose own category was merged with others in training."""


def records_of_data(tables: Tables) -> Iterator[tuple[str, MemberRecord]]:
    """Yield the key and record (attributes and plays) of every member in the tables, in the order of ids."""
    movie_ids = tables.movies[MOVIE_ID]
    for partition in tables.play_table.partitions:
        ids = tables.member_ids[partition.members].to_frame()
        attributes = ids.join(tables.members, on=MEMBER_ID, how="left", maintain_order="left")
        rows = partition.read()
        columns = (pl.lit(movie_ids.gather(rows[MOVIE])), pl.col(COMPLETION, PLAYED_AT).fill_null(math.nan))
        plays = rows.select(columns).iter_rows()
        counts = tables.play_table.plays[partition.members].tolist()
        for row, count in zip(attributes.iter_rows(named=True), counts, strict=True):
            member_id = row.pop(MEMBER_ID)
            known = {name: value for name, value in row.items() if value is not None}
            yield record_key(member_id), MemberRecord(known, [RecordedPlay(*play) for play in islice(plays, count)])


def records_of_model(model: Model) -> Iterator[tuple[str, MemberRecord]]:
    """Yield the key and record (attributes and plays) of every member published with a model.

    The model makes the same predictions from the records as from the facts published with it.
    """
    for first, second, facts in model.members.everyone():
        yield key_of_hash(first, second), record_of(facts, model)


def record_of(facts: MemberFacts, model: Model) -> MemberRecord:
    """Return the record of a member's attributes and plays as they are published with a model."""
    plays = [
        RecordedPlay(model.catalogue.movie_ids[row], completion, _time(age_days, model.schema))
        for row, completion, age_days in zip(
            facts.movies.tolist(), facts.completion.tolist(), facts.age_days.tolist(), strict=True
        )
    ]
    return MemberRecord(_attributes(facts, model.schema), plays)


def _time(age_days: float, schema: Schema) -> float:
    return math.nan if schema.end_of_data is None else schema.end_of_data - age_days * SECONDS_PER_DAY


def _attributes(facts: MemberFacts, schema: Schema) -> dict[str, Value]:
    attributes: dict[str, Value] = {}
    for attribute, value in zip(schema.member_attributes, facts.attributes.tolist(), strict=True):
        if not math.isfinite(value):
            continue
        if attribute.kind == "numeric":
            attributes[attribute.name] = value
        else:
            names = attribute.categories
            attributes[attribute.name] = names[int(value)] if 0 <= int(value) < len(names) else OTHER
    return attributes
