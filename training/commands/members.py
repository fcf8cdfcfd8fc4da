"""`training members`: fill a store that the service asks, show what is kept of a member, and forget members."""

import argparse
import json
import os
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from model.exit_codes import ExitCode
from model.facts.facts import SECONDS_PER_DAY
from model.facts.member_key import MemberKey
from model.files.atomic_write import write_atomically
from model.prediction.model import Model
from training.commands.models import add_keeping, signer
from training.commands.terminal import add_member_key, member_key
from training.data.files.forgotten_list import NOBODY, read_forgotten
from training.data.files.remote_folder import data_place
from training.data.reading.recorded_outcomes import chronological, read_outcomes
from training.data.reading.tables import temporary_tables
from training.errors import UsageError, WorkFailed, listed
from training.versions.exports.export_members import records_of_data, records_of_model
from training.versions.exports.store_writers import StoreWriter, open_store_writer, push_ratings, push_records
from training.versions.forgetting.forget import Keeping, forget, undo
from training.versions.forgetting.places import Places, distinct
from training.versions.forgetting.shown_member import shown_member
from training.versions.serving import open_serving


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of each action of `training members`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_push(actions.add_parser("push", help="write the members of tables or of the version that serves to a store"))
    _add_show(actions.add_parser("show", help="print all that is kept of members, as JSON"))
    _add_forget(actions.add_parser("forget", help="take members out of everything that is kept"))


def _add_push(push: argparse.ArgumentParser) -> None:
    source = push.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=data_place, help="a data directory: all members of its tables, as they stand there"
    )
    source.add_argument("--models", help="a folder, or address, of models: the members of the version that serves")
    source.add_argument("--outcomes", type=Path, help="a folder of outcomes: the ratings in it, as live ratings")
    push.add_argument(
        "--forgotten", type=data_place, metavar="DATA",
        help="with --outcomes: leave out the members on the list of forgotten ones in this data directory",
    )  # fmt: skip
    _add_store(push)
    add_member_key(push)
    push.add_argument("--keep-existing", action="store_true", help="leave records alone that the store already has")
    push.add_argument(
        "--ratings-keep-days", type=float, default=os.environ.get("COLDSTART_RATINGS_KEEP_DAYS", "90"),
        help="what the service has as --ratings-keep-days (else $COLDSTART_RATINGS_KEEP_DAYS) [default: 90]",
    )  # fmt: skip
    push.set_defaults(action=_run_push)


def _add_show(show: argparse.ArgumentParser) -> None:
    chosen = show.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--id", help="the member's id; every user of a machine can read command lines")
    chosen.add_argument("--ids", metavar="FILE", help="a file with an id on each line; - for the standard input")
    _add_places(show)
    show.set_defaults(action=_run_show)


def _add_forget(forgetting: argparse.ArgumentParser) -> None:
    forgetting.add_argument(
        "--ids", required=True, metavar="FILE", help="a file with an id on each line; - for the standard input"
    )
    _add_places(forgetting)
    forgetting.add_argument(
        "--undo", action="store_true", help="take them off the list, so that new tables may hold them again"
    )
    forgetting.add_argument(
        "--sign", type=Path, metavar="FILE", help="the ed25519 private key in PEM that signs what takes the place of "
        "signed versions",
    )  # fmt: skip
    forgetting.add_argument("--receipt", type=Path, metavar="FILE", help="write the receipt to a file, not the output")
    add_keeping(forgetting)
    forgetting.set_defaults(action=_run_forget)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="a data directory, and its list of forgotten members")
    parser.add_argument("--outcomes", type=Path, help="a folder in which the service records outcomes")
    parser.add_argument("--models", help="a folder, or address, of published models")
    _add_store(parser)
    add_member_key(parser)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", default=os.environ.get("COLDSTART_MEMBERS"),
        help="the store: sqlite:PATH, redis://, rediss:// or unix:// (else $COLDSTART_MEMBERS, which hides a password)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the chosen action. Raises UsageError, DataError, or WorkFailed if the store or a model fails."""
    arguments.action(arguments)
    return ExitCode.DONE


def _run_push(arguments: argparse.Namespace) -> None:
    """Fill the store."""
    key, address = member_key(arguments), arguments.to or ""
    if arguments.outcomes and not (key.secret or address.startswith("sqlite:")):
        raise UsageError("Redis keeps live ratings only under a member key: give --member-key, as to the service")
    with closing(open_store_writer(address, key, arguments.ratings_keep_days * SECONDS_PER_DAY)) as store:
        print(_push_ratings(arguments, store, key) if arguments.outcomes else _push_members(arguments, store, key))


def _push_ratings(arguments: argparse.Namespace, store: StoreWriter, key: MemberKey) -> str:
    """Write the ratings of the outcomes, and return what was done."""
    forgotten = read_forgotten(arguments.forgotten, key) if arguments.forgotten else NOBODY
    outcomes = [each for each in read_outcomes(arguments.outcomes) if not forgotten.has(each.member_id)]
    sent, written = push_ratings(store, chronological(outcomes))
    rest = f"; {sent - written:,} count no longer" if sent > written else ""
    return f"{written:,} live ratings written{rest}"


def _push_members(arguments: argparse.Namespace, store: StoreWriter, key: MemberKey) -> str:
    """Write a record for each member, and return what was done."""
    with ExitStack() as opened:
        if arguments.data:
            records = records_of_data(opened.enter_context(temporary_tables(arguments.data, key)), key)
        else:
            records = records_of_model(_hashed_with(key, open_serving(arguments.models)))
        sent, written = push_records(store, records, keep_existing=arguments.keep_existing)
    kept = f"; {sent - written:,} were there already" if arguments.keep_existing else ""
    return f"{written:,} members written{kept}"


def _run_show(arguments: argparse.Namespace) -> None:
    """Print a JSON object with what is kept of each member."""
    places = _places(arguments)
    member_ids = [arguments.id] if arguments.ids is None else _ids(arguments.ids)
    members = [shown_member(places, member_id) for member_id in member_ids]
    print(json.dumps({"members": members}, indent=1, ensure_ascii=False, default=str))


def _run_forget(arguments: argparse.Namespace) -> None:
    """Forget members, and print a receipt and what is left; or let them come back."""
    places, member_ids = _places(arguments), _ids(arguments.ids)
    if arguments.undo:
        print(f"{undo(places, member_ids):,} members are taken off the list")
        return
    sign = signer(arguments.sign) if arguments.sign else None
    receipt = forget(places, member_ids, sign, Keeping(arguments.keep, arguments.keep_days))
    content = json.dumps(receipt, indent=1) + "\n"
    if arguments.receipt:
        write_atomically(arguments.receipt, content.encode())
    else:
        print(content, end="")
    _print_left(receipt)
    if damaged := receipt.get("damaged_versions"):
        raise WorkFailed(f"damaged versions may still hold the members: {listed(damaged)}; restore or prune them")


def _print_left(receipt: dict[str, Any]) -> None:
    """Print to stderr what is left of the members, and until when."""
    if count := receipt.get("files_of_other_kinds"):
        print(f"{count:,} files of the data directory are no Parquet or CSV, and were not looked into", file=sys.stderr)
    for row in receipt.get("trained_with_them", []):
        held = [*row["labels"], *(["among the newest"] if row["is_among_newest"] else [])]
        until = f", and while it has these: {', '.join(held)}" if held else ""
        print(f"version {row['version']} was trained with them; kept until {row['old_from']}{until}", file=sys.stderr)


def _places(arguments: argparse.Namespace) -> Places:
    places = Places(arguments.data, arguments.outcomes, arguments.to, arguments.models, member_key(arguments))
    places.refuse()
    return places


def _ids(place: str) -> list[str]:
    """Return the distinct ids in a file with one on each line, or in the standard input. Raises UsageError."""
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"--ids can't be read: {type(error).__name__}") from error
    return distinct([line.removesuffix("\r") for line in text.split("\n") if line.strip()])


def _hashed_with(key: MemberKey, model: Model) -> Model:
    """Return the model. Raises UsageError unless its ids are hashed with the key, with which services look them up."""
    if model.manifest.member_key != key.fingerprint:
        hashed = "with another key than --member-key" if model.manifest.member_key else "without a key"
        raise UsageError(f"the ids of version {model.version} are hashed {hashed}: push the members of --data instead")
    return model
