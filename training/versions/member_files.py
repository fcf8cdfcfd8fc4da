"""Writes the facts of members as the files of a version's member table, partition by partition."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from features.columns import COMPLETION, RATED_AT, RATING
from features.movies import MOVIE
from features.plays import AGE_DAYS
from features.schema import Schema
from model.facts.member_key import PLAIN, MemberKey
from model.facts.member_table import KINDS, whole_seconds
from training.data.dataset import Dataset, make_dataset
from training.data.passes.play_table import PlayTable
from training.data.reading.tables import Tables

WHO: Mapping[str, Callable[[PlayTable], NDArray[np.bool_]]] = {
    "none": lambda plays: np.zeros(len(plays.ratings), bool),
    "never-raters": lambda plays: plays.ratings == 0,
    "all": lambda plays: np.ones(len(plays.ratings), bool),
}
"""Functions that return an (N,) mask of the N members to publish, by the name of the choice."""

PLAY_COLUMNS = {"movies": MOVIE, "completion": COMPLETION, "age_days": AGE_DAYS}
"""Columns of the plays, by name of the array of the member table that holds them."""
RATING_COLUMNS = {"ratings": RATING, "rated_at": RATED_AT}
"""The same for the arrays that a table has if any of its members rated."""


@dataclass(frozen=True)
class Publication:
    """Whose facts are published with a version."""

    members: Dataset
    """The members to publish, with their plays and ratings."""
    known: int
    """Number of members in all tables, published or not."""
    key: MemberKey = PLAIN
    """Key of the hashes of ids."""

    @staticmethod
    def of(tables: Tables, schema: Schema, who: str, key: MemberKey) -> "Publication":
        """Return the publication of those members in the tables that `who`, one of WHO, chooses."""
        members = tables.of_members(WHO[who](tables.play_table))
        return Publication(make_dataset(members, schema), len(tables.member_ids), key)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of members, of those published, and of raters among these, for the manifest."""
        published = len(self.members.member_ids)
        return {"members": self.known, "published_members": published, "published_raters": len(self.members.raters)}

    def __str__(self) -> str:
        """Return who is published, in a sentence."""
        _, published, raters = self.counts.values()
        hashes = "hashes of their ids that are keyed" if self.key.secret else "plain hashes of their ids"
        of = f"{published:,} of {self.known:,} members are published with the version"
        return f"{of}, {raters:,} of them raters, under {hashes}" if published else of


def write_members(folder: Path, data: Dataset, key: MemberKey = PLAIN) -> None:
    """Write the arrays of a MemberTable of all members of a dataset to a new folder, one file each.

    The table is sorted by the hash of the id with `key`. Each play is written to its place when its partition is
    read, so that only one partition is in memory.
    """
    folder.mkdir(parents=True)
    count, table = len(data.member_ids), data.play_table
    keys = np.array([key.hash_of(member_id) for member_id in data.member_ids], np.uint64).reshape(count, 2)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(table.plays[order])])
    for name, array in (("keys", keys[order]), ("attributes", data.attributes[order]), ("starts", starts)):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    first = np.empty(count, np.int64)
    first[order] = starts[:-1]
    columns = PLAY_COLUMNS | (RATING_COLUMNS if len(table.raters) else {})
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.npy").open("w+b")) for name in columns}
        header = {name: _write_header(file, KINDS[name], int(starts[-1])) for name, file in files.items()}
        for partition in table.partitions:
            plays, ends = data.with_ages(partition.read()), np.cumsum(table.plays[partition.members]).tolist()
            for name, column in columns.items():
                known = plays[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
                values = whole_seconds(known) if name == "rated_at" else known.astype(KINDS[name])
                places = header[name] + values.itemsize * first[partition.members]
                for place, start, end in zip(places.tolist(), [0, *ends], ends, strict=False):
                    files[name].seek(place)
                    files[name].write(values[start:end].data)


def _write_header(file: BinaryIO, kind: str, count: int) -> int:
    """Write the header of an .npy file of `count` numbers, and return its size in bytes."""
    write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": (count,)})
    return file.tell()
