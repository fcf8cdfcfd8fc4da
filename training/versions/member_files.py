"""Writes the attributes and plays of members as the files of a version's member table, partition by partition."""

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.lib.format import write_array_header_1_0

from features.columns import COMPLETION
from features.movies import MOVIE
from features.plays import AGE_DAYS
from model.facts.member_key import PLAIN, MemberKey
from model.facts.member_table import KINDS
from training.data.dataset import Dataset

PLAY_COLUMNS = {"movies": MOVIE, "completion": COMPLETION, "age_days": AGE_DAYS}
"""Columns of the plays, by name of the array of the member table that holds them."""


def write_members(folder: Path, data: Dataset, key: MemberKey = PLAIN) -> None:
    """Write the arrays of a MemberTable of all members to a new folder, one file each.

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
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.npy").open("w+b")) for name in PLAY_COLUMNS}
        header = {name: _write_header(file, KINDS[name], int(starts[-1])) for name, file in files.items()}
        for partition in table.partitions:
            plays, ends = data.with_ages(partition.read()), np.cumsum(table.plays[partition.members]).tolist()
            for name, column in PLAY_COLUMNS.items():
                values = plays[column].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(KINDS[name])
                places = header[name] + values.itemsize * first[partition.members]
                for place, start, end in zip(places.tolist(), [0, *ends], ends, strict=False):
                    files[name].seek(place)
                    files[name].write(values[start:end].data)


def _write_header(file: BinaryIO, kind: str, count: int) -> int:
    """Write the header of an .npy file of `count` numbers, and return its size in bytes."""
    write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": (count,)})
    return file.tell()
