"""Splits off the raters that are kept out of training, chosen by a keyed hash of their id."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MEMBER_ID
from model.errors import StoreError
from model.store.store import GATE_KEY, Store
from training.data.reading.tables import Tables
from training.errors import DataError, Problem

KEY = "coldstart"
"""Default key. It isn't secret: it only determines who is kept out."""
FEWEST_LEFT = 20
"""Minimum number of raters left to train on; with fewer, nobody is kept out."""
POSITION = "position"


@dataclass(frozen=True)
class Split:
    """Tables, split into training data and data of the kept-out raters."""

    training: Tables
    """Tables without the rows of the kept-out raters."""
    kept_out: Tables
    """Tables with the rows of the kept-out raters, and all movies."""
    members: pl.DataFrame
    """Kept-out raters: `member_id` and hash `position`, from 0 to below the share, sorted by position."""


def split(tables: Tables, key: str, share: float) -> Split:
    """Keep out the raters whose hash position is below `share`, or nobody if fewer than FEWEST_LEFT would be left."""
    raters = tables.member_ids.gather(tables.play_table.raters)
    positions = pl.Series([hash_position(member_id, key) for member_id in raters], dtype=pl.Float64)
    members = pl.DataFrame({MEMBER_ID: raters, POSITION: positions}).filter(pl.col(POSITION) < share)
    if len(raters) - len(members) < FEWEST_LEFT:
        members = members.clear()
    members = members.sort(POSITION, MEMBER_ID)
    return Split(tables.of_members(~_mask(tables, members)), rows_of(tables, members), members)


def hash_position(member_id: str, key: str) -> float:
    """Return the position of a member in [0, 1), a keyed BLAKE2b hash of the id."""
    digest = hashlib.blake2b(member_id.encode(), digest_size=8, key=blake2b_key(key), person=b"gate").digest()
    return int.from_bytes(digest, "little") / 2**64


def key_digest(key: str) -> str:
    """Return the digest of a key; versions with the same digest in their reports keep out raters by the same key."""
    return hashlib.blake2b(b"mark", digest_size=8, key=blake2b_key(key)).hexdigest()


def blake2b_key(key: str) -> bytes:
    """Convert a key of any length to 32 bytes, for use in keyed hashes."""
    return hashlib.sha256(key.encode()).digest()


def rows_of(tables: Tables, members: pl.DataFrame) -> Tables:
    """Return the rows of the given members, and all movies."""
    return tables.of_members(_mask(tables, members))


def key_of_store(store: Store, key: str) -> str:
    """Return the key saved in a store, or else `key`, or else the default key.

    Raises DataError if `key` differs from the saved key, or if the saved key can't be read.
    """
    try:
        content = store.gate_key()
        if content is None:
            return key or KEY
        stored = str(json.loads(content)["key"])
    except (StoreError, ValueError, KeyError, TypeError) as error:
        text = f"can't be read ({type(error).__name__}): mend it, or remove it, and versions start to be compared anew"
        raise DataError([Problem(GATE_KEY, text)]) from error
    if key and key != stored:
        text = "this store's versions keep out raters by another key: leave --gate-key out, or name another store"
        raise DataError([Problem(GATE_KEY, text)])
    return stored


def keep_key(store: Store, key: str) -> None:
    """Save the key in the store, unless it already has a key, so that later versions keep out the same raters."""
    store.keep_gate_key(json.dumps({"key": key}).encode() + b"\n")


def _mask(tables: Tables, members: pl.DataFrame) -> NDArray[np.bool_]:
    """Return a mask of all members of the tables, which is True for the given ones."""
    return tables.member_ids.is_in(members[MEMBER_ID].implode()).to_numpy()
