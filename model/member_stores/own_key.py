"""The secret that a SQLite store of members makes for itself where none is given."""

import os
import secrets
from pathlib import Path

from model.errors import MemberStoreError
from model.facts.member_key import MemberKey

SUFFIX = ".key"
"""What the name of the file has beyond that of the store."""


def own_key(store: Path) -> MemberKey:
    """Return the secret in the file beside the store, which is made if it is missing, readable by its owner only.

    Raises MemberStoreError if it can't be made, and WrongKey if it can't be read.
    """
    path = store.with_name(store.name + SUFFIX)
    try:
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
    except OSError as error:
        raise MemberStoreError(f"the member key {path} can't be made: {error.strerror}") from None
    return MemberKey.read(path)


def _make(path: Path) -> None:
    """Write a new secret, whole before it has its name; if another process is faster, its secret stays."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, secrets.token_bytes(32))
        os.fsync(file)
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        os.close(file)
        beside.unlink()
