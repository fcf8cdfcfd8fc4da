"""`training members push`: write members, or ratings that the service recorded, to a store that the service asks."""

import argparse
import os
from contextlib import ExitStack, closing
from pathlib import Path

from model.exit_codes import ExitCode
from model.facts.member_key import MemberKey
from model.prediction.model import Model
from training.commands.terminal import add_member_key, member_key
from training.data.files.remote_folder import data_place
from training.data.reading.recorded_outcomes import chronological, read_outcomes
from training.data.reading.tables import temporary_tables
from training.errors import UsageError
from training.versions.exports.export_members import records_of_data, records_of_model
from training.versions.exports.store_writers import StoreWriter, open_store_writer, push_ratings, push_records
from training.versions.serving import open_serving

DAY_SECONDS = 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training members`."""
    parser.add_argument("action", choices=["push"], help="what to do")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=data_place, help="a data directory: all members of its tables, as they stand there"
    )
    source.add_argument("--models", help="a folder, or address, of models: the members of the version that serves")
    source.add_argument("--outcomes", type=Path, help="a folder of outcomes: the ratings in it, as live ratings")
    parser.add_argument(
        "--to", default=os.environ.get("COLDSTART_MEMBERS"),
        help="the store: sqlite:PATH, redis://, rediss:// or unix:// (else $COLDSTART_MEMBERS, which hides a password)",
    )  # fmt: skip
    add_member_key(parser)
    parser.add_argument("--keep-existing", action="store_true", help="leave records alone that the store already has")
    parser.add_argument(
        "--ratings-keep-days", type=float, default=os.environ.get("COLDSTART_RATINGS_KEEP_DAYS", "90"),
        help="what the service has as --ratings-keep-days (else $COLDSTART_RATINGS_KEEP_DAYS) [default: 90]",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> ExitCode:
    """Fill the store. Raises UsageError, DataError, or WorkFailed if the store or the model fails."""
    key, address = member_key(arguments), arguments.to or ""
    if arguments.outcomes and not (key.secret or address.startswith("sqlite:")):
        raise UsageError("Redis keeps live ratings only under a member key: give --member-key, as to the service")
    with closing(open_store_writer(address, key, arguments.ratings_keep_days * DAY_SECONDS)) as store:
        print(_push_ratings(arguments, store) if arguments.outcomes else _push_members(arguments, store, key))
    return ExitCode.DONE


def _push_ratings(arguments: argparse.Namespace, store: StoreWriter) -> str:
    """Write the ratings of the outcomes, and return what was done."""
    sent, written = push_ratings(store, chronological(read_outcomes(arguments.outcomes)))
    rest = f"; {sent - written:,} count no longer" if sent > written else ""
    return f"{written:,} live ratings written{rest}"


def _hashed_with(key: MemberKey, model: Model) -> Model:
    """Return the model. Raises UsageError unless its ids are hashed with the key, with which services look them up."""
    if model.manifest.member_key != key.fingerprint:
        hashed = "with another key than --member-key" if model.manifest.member_key else "without a key"
        raise UsageError(f"the ids of version {model.version} are hashed {hashed}: push the members of --data instead")
    return model


def _push_members(arguments: argparse.Namespace, store: StoreWriter, key: MemberKey) -> str:
    """Write a record for each member, and return what was done."""
    with ExitStack() as opened:
        if arguments.data:
            records = records_of_data(opened.enter_context(temporary_tables(arguments.data)), key)
        else:
            records = records_of_model(_hashed_with(key, open_serving(arguments.models)))
        sent, written = push_records(store, records, keep_existing=arguments.keep_existing)
    kept = f"; {sent - written:,} were there already" if arguments.keep_existing else ""
    return f"{written:,} members written{kept}"
