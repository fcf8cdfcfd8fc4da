"""Exports members for an external store, as records of their facts, from tables or a published model."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MOVIE
from features.schema import Schema
from features.values.attribute_value import Value
from model.facts.facts import SECONDS_PER_DAY, MemberFacts
from model.facts.member_key import PLAIN, MemberKey
from model.facts.member_record import MemberRecord, RecordedPlay, RecordedRating, key_of_hash, record_key
from model.prediction.model import Model
from training.data.reading.tables import Tables

OTHER = "other value"
"""Category that is exported for members whose own category was merged with others in training."""


def records_of_data(tables: Tables, key: MemberKey = PLAIN) -> Iterator[tuple[str, MemberRecord]]:
    """Yield the key and record (attributes, plays and ratings) of every member in the tables, in the order of ids.

    `key` hashes the ids.
    """
    movie_ids = tables.movies[MOVIE_ID]
    for partition in tables.play_table.partitions:
        ids = tables.member_ids[partition.members].to_frame()
        attributes = ids.join(tables.members, on=MEMBER_ID, how="left", maintain_order="left")
        rows = partition.read()
        names = (COMPLETION, PLAYED_AT, RATING, RATED_AT)
        events = rows.select(pl.lit(movie_ids.gather(rows[MOVIE])), pl.col(names).fill_null(math.nan)).iter_rows()
        counts = tables.play_table.plays[partition.members].tolist()
        for row, count in zip(attributes.iter_rows(named=True), counts, strict=True):
            member_id = row.pop(MEMBER_ID)
            known = {name: value for name, value in row.items() if value is not None}
            own = list(islice(events, count))
            plays = [RecordedPlay(movie_id, *play) for movie_id, *play, _, _ in own]
            yield record_key(member_id, key), MemberRecord(known, plays, _ratings(own))


def records_of_model(model: Model) -> Iterator[tuple[str, MemberRecord]]:
    """Yield the key and record (attributes, plays and ratings) of every member published with a model.

    The model makes the same predictions from the records as from the facts published with it.
    """
    for first, second, facts in model.members.everyone():
        yield key_of_hash(first, second), record_of(facts, model)


def record_of(facts: MemberFacts, model: Model) -> MemberRecord:
    """Return the record of a member's attributes, plays and ratings as they are published with a model."""
    plays = [
        RecordedPlay(model.catalogue.movie_ids[row], completion, _time(age_days, model.schema))
        for row, completion, age_days in zip(
            facts.movies.tolist(), facts.completion.tolist(), facts.age_days.tolist(), strict=True
        )
    ]
    movie_ids = [model.catalogue.movie_ids[row] for row in facts.ratings.movies.tolist()]
    ratings = map(RecordedRating, movie_ids, facts.ratings.values.tolist(), facts.ratings.rated_at.tolist())
    return MemberRecord(_attributes(facts, model.schema), plays, list(ratings))


def _ratings(events: Iterable[Sequence[Any]]) -> list[RecordedRating]:
    """Return the ratings among events, each a movie id, completion, time of the play, rating and time of the rating."""
    return [
        RecordedRating(movie_id, rating, rated_at)
        for movie_id, _, _, rating, rated_at in events
        if not math.isnan(rating)
    ]


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
