"""Data as they would be with other ratings or plays."""

from dataclasses import replace

import polars as pl

from training.data.dataset import Dataset
from training.data.passes.play_table import play_table
from training.data.reading.tables import Tables

PARTITION_PLAYS = 400


def dataset_with(data: Dataset, rows: pl.DataFrame) -> Dataset:
    """Return the dataset with other rows of its play table, in several partitions."""
    return replace(data, play_table=play_table(rows, len(data.member_ids), PARTITION_PLAYS))


def tables_with(tables: Tables, ratings: pl.DataFrame) -> Tables:
    """Return the tables with other ratings."""
    changed = Tables.of(tables.members, tables.movies, ratings, tables.plays, tables.scale)
    return replace(tables, member_ids=changed.member_ids, play_table=changed.play_table)
