"""The list of forgotten members that stands beside tables, as keyed hashes of their ids, so that nobody can read it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from model.facts.member_key import PLAIN, MemberKey
from model.files.shared_folder import SharedFolder
from model.store.open import is_address
from training.data.files.remote_folder import copy_folder
from training.errors import DataError, Problem

FORGOTTEN = "forgotten.txt"
"""Name of the list in a data directory."""
HEAD = "# Members to leave out, as hashes with the member key "
LINE = re.compile(r"([0-9a-f]{32}) (\S+)")
NEEDS_KEY = "lists forgotten members by hashes with a key: give that key, --member-key FILE"
OTHER_KEY = "lists forgotten members by hashes with another key than that of --member-key"
DAMAGED = "is damaged: restore it, or members who were forgotten may come back"


@dataclass(frozen=True)
class Forgotten:
    """Members to leave out."""

    key: MemberKey = PLAIN
    """Key of the hashes."""
    since: Mapping[str, str] = field(default_factory=dict)
    """When each member was forgotten (ISO 8601, UTC), by the hash of the id: 32 hexadecimal digits."""

    def __len__(self) -> int:
        return len(self.since)

    def has(self, member_id: str) -> bool:
        """Return whether the member with this id is to be left out."""
        return bool(self.since) and self.key.hex_of(member_id) in self.since

    def of(self, member_ids: Iterable[str]) -> Iterator[str]:
        """Yield those of the ids whose members are to be left out."""
        return (member_id for member_id in member_ids if self.has(member_id))


NOBODY = Forgotten()


def read_forgotten(data: Path | str, key: MemberKey) -> Forgotten:
    """Return the members to leave out of a data directory, or of one at an address.

    Raises DataError if there are some and `key` isn't the key of their hashes, or if the list is damaged.
    """
    if not is_address(data):
        return _read_list(Path(data), key)
    with TemporaryDirectory(prefix="coldstart-") as copy:
        copy_folder(str(data), (FORGOTTEN,), Path(copy))
        return _read_list(Path(copy), key)


def _read_list(folder: Path, key: MemberKey) -> Forgotten:
    try:
        head, *lines = (folder / FORGOTTEN).read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return Forgotten(key)
    except (OSError, ValueError) as error:
        raise _refusal(f"can't be read: {type(error).__name__}; {DAMAGED}") from error
    matches = [LINE.fullmatch(line) for line in lines]
    since = {match[1]: match[2] for match in matches if match and _is_time(match[2])}
    if not head.startswith(HEAD) or len(since) != len(lines):
        raise _refusal(DAMAGED)
    if since and head != HEAD + key.fingerprint:
        raise _refusal(OTHER_KEY if key.secret else NEEDS_KEY)
    return Forgotten(key, since)


def add_forgotten(folder: SharedFolder, key: MemberKey, member_ids: Iterable[str], now: str) -> Forgotten:
    """Put members on the list of a data directory at the time `now` (ISO 8601), and return the whole list.

    Those on it already stay with the earlier time. The caller must hold the folder's lock. Raises DataError if the list
    is of another key or damaged.
    """
    listed = _read_list(folder.root, key)
    since = {key.hex_of(member_id): now for member_id in member_ids} | dict(listed.since)
    return _written(folder, Forgotten(key, since))


def remove_forgotten(folder: SharedFolder, key: MemberKey, member_ids: Iterable[str]) -> int:
    """Take members off the list of a data directory, and return how many were on it.

    The caller must hold the folder's lock. Raises DataError if the list is of another key or damaged.
    """
    listed = _read_list(folder.root, key)
    gone = {key.hex_of(member_id) for member_id in listed.of(member_ids)}
    if gone:
        _written(folder, Forgotten(key, {each: at for each, at in listed.since.items() if each not in gone}))
    return len(gone)


def _written(folder: SharedFolder, forgotten: Forgotten) -> Forgotten:
    lines = [HEAD + forgotten.key.fingerprint, *(f"{each} {at}" for each, at in sorted(forgotten.since.items())), ""]
    content = "\n".join(lines).encode("ascii")
    path = folder.root / FORGOTTEN
    if not path.exists() or path.read_bytes() != content:
        folder.replace(FORGOTTEN, content)
    return forgotten


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _refusal(text: str) -> DataError:
    return DataError([Problem(FORGOTTEN, text)])
