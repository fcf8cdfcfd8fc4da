"""`training members push`: fill a Redis store with the members of a data directory or of the version that serves."""

import argparse
import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT
from features.schema import Schema
from model.exit_codes import ExitCode
from model.facts.facts import SECONDS_PER_DAY, MemberFacts, Value
from model.facts.member_record import MemberRecord, RecordedPlay, key_of_hash, record_key, to_json
from model.prediction.model import Model
from training.data.reading.tables import Tables, read_tables
from training.errors import UsageError, WorkFailed
from training.versions.serving import open_serving

BATCH = 500
"""Records sent at once."""
OTHER = "other value"
"""The category of members whose own category was merged with others when the model was trained."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `training members`."""
    parser.add_argument("action", choices=["push"], help="what to do")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="a data directory: all members of its tables, as they stand there")
    source.add_argument("--models", help="a folder, or address, of models: the members of the version that serves")
    parser.add_argument(
        "--to", default=os.environ.get("COLDSTART_MEMBERS"),
        help="address of the store, redis://, rediss:// or unix:// (else $COLDSTART_MEMBERS, which hides a password)",
    )  # fmt: skip
    parser.add_argument("--keep-existing", action="store_true", help="leave records alone that the store already has")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write a record for each member; raises UsageError, DataError, or WorkFailed for a failing store or model."""
    try:
        import redis
    except ImportError as error:
        raise UsageError("members push needs the extra redis: pip install '.[redis]'") from error
    try:
        client = redis.Redis.from_url(arguments.to or "", socket_timeout=30)
    except ValueError as error:
        raise UsageError("--to must be the address of a store: redis://, rediss:// or unix://") from error
    if arguments.data:
        records = records_of_data(read_tables(arguments.data))
    else:
        records = records_of_model(open_serving(arguments.models))
    sent = written = 0
    try:
        while batch := list(itertools.islice(records, BATCH)):
            with client.pipeline(transaction=False) as pipeline:
                for key, record in batch:
                    pipeline.set(key, to_json(record), nx=arguments.keep_existing)
                written += sum(map(bool, pipeline.execute()))
            sent += len(batch)
    except redis.RedisError as error:
        raise WorkFailed(f"the store failed after {written:,} members: {type(error).__name__}") from error
    kept = f"; {sent - written:,} were there already" if arguments.keep_existing else ""
    print(f"{written:,} members written{kept}")
    return ExitCode.DONE


def records_of_data(tables: Tables) -> Iterator[tuple[str, MemberRecord]]:
    """Key and record of every member of the tables, in order of their ids."""
    attributes = {row.pop(MEMBER_ID): row for row in tables.members.iter_rows(named=True)}
    plays = {key: rows for (key,), rows in tables.plays.group_by(MEMBER_ID)}
    for member_id in sorted(attributes.keys() | plays.keys()):
        known = {name: value for name, value in attributes.get(member_id, {}).items() if value is not None}
        yield record_key(member_id), MemberRecord(known, _recorded(plays.get(member_id)))


def _recorded(plays: pl.DataFrame | None) -> list[RecordedPlay]:
    if plays is None:
        return []
    columns = (MOVIE_ID, pl.col(COMPLETION, PLAYED_AT).cast(pl.Float64).fill_null(math.nan))
    return [RecordedPlay(*row) for row in plays.sort(MOVIE_ID).select(columns).iter_rows()]


def records_of_model(model: Model) -> Iterator[tuple[str, MemberRecord]]:
    """Key and record of every member published with a model; the model predicts the same from the records."""
    for first, second, facts in model.members.everyone():
        plays = [
            RecordedPlay(model.catalogue.movie_ids[row], completion, _time(age_days, model.schema))
            for row, completion, age_days in zip(
                facts.movies.tolist(), facts.completion.tolist(), facts.age_days.tolist(), strict=True
            )
        ]
        yield key_of_hash(first, second), MemberRecord(_attributes(facts, model.schema), plays)


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
