"""`training members push`: write the members of a data directory or of the current version to a Redis store."""

import argparse
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from model.exit_codes import ExitCode
from model.facts.member_key import MemberKey
from model.facts.member_record import MemberRecord, to_json
from model.prediction.model import Model
from training.commands.terminal import add_member_key, member_key
from training.data.files.remote_folder import data_place
from training.data.reading.tables import temporary_tables
from training.errors import UsageError, WorkFailed
from training.versions.exports.export_members import records_of_data, records_of_model
from training.versions.serving import open_serving

if TYPE_CHECKING:
    from redis import Redis

BATCH = 500
"""Number of records per request."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training members`."""
    parser.add_argument("action", choices=["push"], help="what to do")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=data_place, help="a data directory: all members of its tables, as they stand there"
    )
    source.add_argument("--models", help="a folder, or address, of models: the members of the version that serves")
    parser.add_argument(
        "--to", default=os.environ.get("COLDSTART_MEMBERS"),
        help="address of the store, redis://, rediss:// or unix:// (else $COLDSTART_MEMBERS, which hides a password)",
    )  # fmt: skip
    add_member_key(parser)
    parser.add_argument("--keep-existing", action="store_true", help="leave records alone that the store already has")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write a record for each member. Raises UsageError, DataError, or WorkFailed if the store or the model fails."""
    client, key = _client(arguments.to or ""), member_key(arguments)
    with ExitStack() as opened:
        if arguments.data:
            records = records_of_data(opened.enter_context(temporary_tables(arguments.data)), key)
        else:
            records = records_of_model(_hashed_with(key, open_serving(arguments.models)))
        sent, written = _push(client, records, keep_existing=arguments.keep_existing)
    kept = f"; {sent - written:,} were there already" if arguments.keep_existing else ""
    print(f"{written:,} members written{kept}")
    return ExitCode.DONE


def _hashed_with(key: MemberKey, model: Model) -> Model:
    """Return the model. Raises UsageError unless its ids are hashed with the key, with which services look them up."""
    if model.manifest.member_key != key.fingerprint:
        hashed = "with another key than --member-key" if model.manifest.member_key else "without a key"
        raise UsageError(f"the ids of version {model.version} are hashed {hashed}: push the members of --data instead")
    return model


def _client(address: str) -> "Redis":
    try:
        from redis import Redis  # imported here because other commands don't need the extra

        return Redis.from_url(address, socket_timeout=30)
    except ImportError as error:
        raise UsageError("members push needs the extra redis: pip install '.[redis]'") from error
    except ValueError as error:
        raise UsageError("--to must be the address of a store: redis://, rediss:// or unix://") from error


def _push(client: "Redis", records: Iterator[tuple[str, MemberRecord]], *, keep_existing: bool) -> tuple[int, int]:
    """Write the records in batches. Return how many were sent and how many of these the store wrote."""
    from redis import RedisError

    sent = written = 0
    try:
        while batch := list(itertools.islice(records, BATCH)):
            with client.pipeline(transaction=False) as pipeline:
                for key, record in batch:
                    pipeline.set(key, to_json(record), nx=keep_existing)
                written += sum(map(bool, pipeline.execute()))
            sent += len(batch)
    except RedisError as error:
        raise WorkFailed(f"the store failed after {written:,} members: {type(error).__name__}") from error
    return sent, written
