"""Partitions of small matrices, with which parts of a fit are tested one by one, and comparisons bit by bit."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import polars as pl

from tests.training.conftest import new_folder
from training.data.passes.member_partition import MemberPartition, prepare_partitions
from training.data.passes.passes import Passes
from training.data.passes.play_table import COLUMNS, play_table


def partitions_of(
    passes: Passes, played: np.ndarray, ratings: np.ndarray | None = None, parts: int = 3
) -> list[MemberPartition]:
    """Partitions of N members and M movies in files, about as many as `parts`.

    `played` (N, M) is True for each play, and `ratings` (N, M) has the ratings among them, NaN for the others.
    """
    members, movies = np.nonzero(played)
    rating = np.full(len(members), np.nan) if ratings is None else ratings[members, movies]
    rows = pl.DataFrame({"member": members, "movie": movies, "rating": rating}).with_columns(
        pl.col("rating").fill_nan(None), *(pl.lit(None).alias(name) for name in list(COLUMNS)[3:])
    )
    table = play_table(rows, len(played), max(len(rows) // parts, 1))
    nobody, unknown = np.zeros(len(played), bool), np.zeros((len(played), 0), np.float32)
    prepared = prepare_partitions(passes, new_folder(passes), table, unknown, played.shape[1], None, 0, nobody)
    return [part.partition for part in prepared]


def bits_of(value: Any) -> Any:
    """All that a value consists of, for comparisons bit by bit."""
    if is_dataclass(value):
        return [(field.name, bits_of(getattr(value, field.name))) for field in fields(value)]
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, pl.DataFrame):
        return [(name, bits_of(value[name].to_numpy())) for name in value.columns]
    if isinstance(value, Mapping):
        return [(key, bits_of(each)) for key, each in value.items()]
    if isinstance(value, tuple | list):
        return [bits_of(each) for each in value]
    return value
