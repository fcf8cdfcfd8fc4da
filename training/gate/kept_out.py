"""Splits off the raters that no version learns from, chosen by a keyed hash of their id."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from features.columns import MEMBER_ID
from model.errors import StoreError
from model.store.store import GATE_KEY, Store
from training.data.reading.tables import Tables
from training.errors import DataError, Problem

KEY = "coldstart"
"""The default key. It is no secret: it only determines who is kept out."""
FEWEST_LEFT = 20
"""Nobody is kept out where fewer raters would be left to learn from."""
POSITION = "position"


@dataclass(frozen=True)
class Split:
    """Tables split into those to train on and those of the kept-out raters."""

    training: Tables
    """The tables without any row of the kept-out raters."""
    kept_out: Tables
    """The rows of the kept-out raters, and all movies."""
    members: pl.DataFrame
    """`member_id` and `position` (0 up to the share) of the kept-out raters, by position."""


def split(tables: Tables, key: str, share: float) -> Split:
    """Keep out the raters whose hash position is below `share`, unless fewer than FEWEST_LEFT others are left."""
    raters = tables.ratings[MEMBER_ID].unique().sort()
    positions = pl.Series([hash_position(member_id, key) for member_id in raters], dtype=pl.Float64)
    members = pl.DataFrame({MEMBER_ID: raters, POSITION: positions}).filter(pl.col(POSITION) < share)
    if len(raters) - len(members) < FEWEST_LEFT:
        members = members.clear()
    members = members.sort(POSITION, MEMBER_ID)
    return Split(_joined(tables, members, "anti"), rows_of(tables, members), members)


def hash_position(member_id: str, key: str) -> float:
    """A number in [0, 1) for a member: a keyed BLAKE2b hash of the id."""
    digest = hashlib.blake2b(member_id.encode(), digest_size=8, key=blake2b_key(key), person=b"gate").digest()
    return int.from_bytes(digest, "little") / 2**64


def key_digest(key: str) -> str:
    """The digest of a key that reports hold, by which two versions are known to keep out the same raters."""
    return hashlib.blake2b(b"mark", digest_size=8, key=blake2b_key(key)).hexdigest()


def blake2b_key(key: str) -> bytes:
    """A key of any length as the 32 bytes that keyed hashes take."""
    return hashlib.sha256(key.encode()).digest()


def rows_of(tables: Tables, members: pl.DataFrame) -> Tables:
    """The rows of these members, and all movies."""
    return _joined(tables, members, "semi")


def key_of_store(store: Store, key: str) -> str:
    """The key that a store keeps; `key`, or else the default, where it keeps none. Raises DataError for another."""
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
    """Keep the key in the store, unless it has one already, so that later versions keep out the same raters."""
    store.keep_gate_key(json.dumps({"key": key}).encode() + b"\n")


def _joined(tables: Tables, members: pl.DataFrame, how: Literal["semi", "anti"]) -> Tables:
    """The tables of members, ratings and plays with the rows of these members, or without them."""
    rows = {
        name: getattr(tables, name).join(members, on=MEMBER_ID, how=how, maintain_order="left")
        for name in ("members", "ratings", "plays")
    }
    return replace(tables, **rows)
