"""Which raters no version learns from: a keyed hash of their id says so, the same for all versions of a store."""

import hashlib
import json
from dataclasses import dataclass, replace

import polars as pl

from features.columns import MEMBER_ID
from model.errors import StoreError
from model.store.store import GATE_KEY, Store
from training.data.reading.tables import Tables
from training.errors import DataError, Problem

KEY = "coldstart"
"""The key where none is given: it is no secret, it only says who is kept out."""
FEWEST_LEFT = 20
"""Nobody is kept out where fewer raters would be left to learn from."""


@dataclass(frozen=True)
class Divided:
    """Tables divided between what is learned from and what versions are compared on."""

    learned: Tables
    """Without anything of the raters that are kept out."""
    kept_out: Tables
    """All that is known of those raters, and of all movies."""
    members: pl.DataFrame
    """`member_id` and `place` (0 up to the share) of the raters that are kept out, by place."""


def divide(tables: Tables, key: str, share: float) -> Divided:
    """Keep out the raters whose place is below the share, as long as enough others are left."""
    raters = tables.ratings[MEMBER_ID].unique().sort()
    places = pl.Series([place_of(member_id, key) for member_id in raters], dtype=pl.Float64)
    members = pl.DataFrame({MEMBER_ID: raters, "place": places}).filter(pl.col("place") < share)
    if len(raters) - len(members) < FEWEST_LEFT:
        members = members.clear()
    members = members.sort("place", MEMBER_ID)
    return Divided(_without(tables, members), only(tables, members), members)


def place_of(member_id: str, key: str) -> float:
    """Where a member stands between 0 and 1: a keyed BLAKE2b hash of the id."""
    digest = hashlib.blake2b(member_id.encode(), digest_size=8, key=_short(key), person=b"gate").digest()
    return int.from_bytes(digest, "little") / 2**64


def mark_of(key: str) -> str:
    """What a version tells of its key: enough to see whether two have the same."""
    return hashlib.blake2b(b"mark", digest_size=8, key=_short(key)).hexdigest()


def only(tables: Tables, members: pl.DataFrame) -> Tables:
    """What the tables tell of these members; all movies."""
    names = ("members", "ratings", "plays")
    return replace(tables, **{name: getattr(tables, name).join(members, on=MEMBER_ID, how="semi",
                                                               maintain_order="left") for name in names})  # fmt: skip


def key_of_store(store: Store, given: str) -> str:
    """The key that a store's versions have in common, or the given one where it has none yet; raises DataError."""
    try:
        content = store.gate_key()
        if content is None:
            return given or KEY
        stored = str(json.loads(content)["key"])
    except (StoreError, ValueError, KeyError, TypeError) as error:
        text = f"can't be read ({type(error).__name__}): mend it, or remove it, and versions start to be compared anew"
        raise DataError([Problem(GATE_KEY, text)]) from error
    if given and given != stored:
        text = "this store's versions keep out raters by another key: leave --gate-key out, or name another store"
        raise DataError([Problem(GATE_KEY, text)])
    return stored


def keep_key(store: Store, key: str) -> None:
    """Let all later versions of the store keep out the same raters."""
    store.keep_gate_key(json.dumps({"key": key}).encode() + b"\n")


def _without(tables: Tables, members: pl.DataFrame) -> Tables:
    names = ("members", "ratings", "plays")
    return replace(tables, **{name: getattr(tables, name).join(members, on=MEMBER_ID, how="anti",
                                                               maintain_order="left") for name in names})  # fmt: skip


def _short(key: str) -> bytes:
    """A key as long as BLAKE2b takes one."""
    return hashlib.sha256(key.encode()).digest()
