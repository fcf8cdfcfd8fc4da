"""All plays, of which each rating is one, in partitions of consecutive members that are read one by one."""

import hashlib
import io
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS
from model.facts.facts import SECONDS_PER_DAY
from training.data.passes.partitions import PARTITION_PLAYS, partition_members
from training.errors import DamagedPartition

COLUMNS = {
    MEMBER: pl.Int32,
    MOVIE: pl.Int32,
    RATING: pl.Float64,
    RATED_AT: pl.Float64,
    PLAYED_AT: pl.Float64,
    COMPLETION: pl.Float64,
}
"""Columns of the plays: row numbers of member and movie; rating; times in seconds since 1970 UTC; and completion, 0 to
1. All but the first two are null if unknown, and a play without a rating is one of a movie that was only played."""


class Stored(Protocol):
    """Plays of a partition, wherever they are."""

    def read(self) -> pl.DataFrame:
        """Return the plays, with members numbered from 0; raises DamagedPartition if they have changed."""


@dataclass(frozen=True)
class InMemory:
    """Plays of a partition in memory."""

    rows: pl.DataFrame

    def read(self) -> pl.DataFrame:
        """Return the plays."""
        return self.rows


@dataclass(frozen=True)
class InFile:
    """Plays of a partition in a Parquet file."""

    path: Path
    digest: str
    """SHA-256 of the file."""

    def read(self) -> pl.DataFrame:
        """Return the plays. Raises DamagedPartition if the file is missing or has changed."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise DamagedPartition.of(self.path.name) from error
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise DamagedPartition.of(self.path.name)
        return pl.read_parquet(io.BytesIO(content))


@dataclass(frozen=True)
class Partition:
    """Plays of consecutive members."""

    members: slice
    """Row numbers of the members."""
    stored: Stored
    """Where the plays are."""
    kept: NDArray[np.bool_] | None = None
    """Mask of the members in the store, of whom only these belong to the partition; None for all."""

    def __len__(self) -> int:
        """Return the number P of members."""
        return int(self.members.stop - self.members.start)

    def read(self) -> pl.DataFrame:
        """Return the plays sorted by member and movie, with the columns in COLUMNS and members numbered from 0.

        Raises DamagedPartition if the plays have changed.
        """
        rows = self.stored.read()
        if self.kept is None:
            return rows
        owner = rows[MEMBER].to_numpy()
        place = (np.cumsum(self.kept) - 1).astype(np.int32)
        own = np.flatnonzero(self.kept[owner])  # a filter would keep the memory of all rows
        return rows[own].with_columns(pl.Series(MEMBER, place[owner[own]]))


@dataclass(frozen=True)
class PlayTable:
    """Plays of N members, by partition, with counts of them."""

    partitions: tuple[Partition, ...]
    """The partitions, whose members are all N in order."""
    plays: NDArray[np.int64]
    """(N,) number of plays of each member."""
    ratings: NDArray[np.int64]
    """(N,) number of ratings of each member."""
    last_played: NDArray[np.float64]
    """(N,) time of each member's last play in seconds since 1970 UTC, NaN if unknown."""
    digest: str
    """SHA-256 of all plays, however they are divided into partitions."""

    @property
    def raters(self) -> NDArray[np.int64]:
        """Row numbers of the members with ratings, in ascending order."""
        return np.flatnonzero(self.ratings)

    @property
    def end(self) -> float | None:
        """Time of the last play in seconds since 1970 UTC, None if no time is known."""
        known = self.last_played[np.isfinite(self.last_played)]
        return float(known.max()) if len(known) else None

    def of_members(self, kept: NDArray[np.bool_]) -> "PlayTable":
        """Return the table of the members selected by an (N,) mask, who are numbered anew."""
        partitions, start = [], 0
        for partition in self.partitions:
            own = kept[partition.members]
            count = int(own.sum())
            if not count:
                continue
            stored = own
            if partition.kept is not None:
                stored = partition.kept.copy()
                stored[partition.kept] = own
            partitions.append(Partition(slice(start, start + count), partition.stored, stored))
            start += count
        digest = hashlib.sha256(self.digest.encode() + kept.tobytes()).hexdigest()
        return PlayTable(tuple(partitions), self.plays[kept], self.ratings[kept], self.last_played[kept], digest)

    def read(self) -> Iterator[pl.DataFrame]:
        """Yield the plays of each partition, with members numbered from 0 to N - 1."""
        for partition in self.partitions:
            yield partition.read().with_columns(pl.col(MEMBER) + pl.lit(partition.members.start, pl.Int32))

    def collect(self) -> pl.DataFrame:
        """Return all plays, sorted by member and movie, with members numbered from 0 to N - 1."""
        return pl.concat([pl.DataFrame(schema=COLUMNS), *self.read()])


def play_table(rows: pl.DataFrame, members: int, most_plays: int = PARTITION_PLAYS) -> PlayTable:
    """Divide the plays of N members, sorted by member and movie, into partitions in memory."""
    return partitioned([rows], members, InMemory, most_plays)


def write_play_table(
    frames: Iterable[pl.DataFrame], members: int, folder: Path | None, most_plays: int = PARTITION_PLAYS
) -> PlayTable:
    """Write partitions of the plays of N members to a new folder, or keep them in memory if it is None.

    Each frame has all plays of the next members. The folder is removed if that fails, such as on a full disk.
    """
    if folder is None:
        return partitioned(frames, members, InMemory, most_plays)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    numbers = count()

    def stored(rows: pl.DataFrame) -> Stored:
        buffer = io.BytesIO()
        rows.write_parquet(buffer, compression="lz4", statistics=False)
        content = buffer.getvalue()
        path = folder / f"{next(numbers):06}.parquet"
        path.write_bytes(content)
        return InFile(path, hashlib.sha256(content).hexdigest())

    try:
        return partitioned(frames, members, stored, most_plays)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def partitioned(
    frames: Iterable[pl.DataFrame], members: int, store: Callable[[pl.DataFrame], Stored], most_plays: int
) -> PlayTable:
    """Divide the plays of N members and store each partition. Each frame has all plays of the next members.

    The partitions depend on the plays alone, not on how they are divided into frames.
    """
    counts, content = Counts(members), Content()
    partitions: list[Partition] = []
    waiting, start = pl.DataFrame(schema=COLUMNS), 0
    for frame in frames:
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())
        counts.add(rows)
        content.add(rows)
        waiting = pl.concat([waiting, rows])
        if len(waiting) < most_plays:
            continue
        last = int(waiting[MEMBER][-1]) + 1
        for part in partition_members(counts.plays[start:last], most_plays):
            plays = int(counts.plays[start + part.start : start + part.stop].sum())
            if plays < most_plays:
                break
            members_of = slice(start + part.start, start + part.stop)
            partitions.append(Partition(members_of, store(_relative(waiting[:plays], members_of))))
            waiting = waiting[plays:]
        start = partitions[-1].members.stop
    if start < members:
        partitions.append(Partition(slice(start, members), store(_relative(waiting, slice(start, members)))))
    return PlayTable(tuple(partitions), counts.plays, counts.ratings, counts.last_played, content.digest())


def _relative(rows: pl.DataFrame, members: slice) -> pl.DataFrame:
    return rows.with_columns(pl.col(MEMBER) - pl.lit(members.start, pl.Int32)).rechunk()


class Counts:
    """Counts of the plays of N members."""

    def __init__(self, members: int) -> None:
        self.plays = np.zeros(members, np.int64)
        self.ratings = np.zeros(members, np.int64)
        self.last_played = np.full(members, np.nan)

    def add(self, rows: pl.DataFrame) -> None:
        """Count all plays of some members."""
        by_member = rows.group_by(MEMBER).agg(
            pl.len().alias("plays"), pl.col(RATING).count().alias("ratings"), pl.col(PLAYED_AT).max().alias("last")
        )
        owner = by_member[MEMBER].to_numpy()
        self.plays[owner] = by_member["plays"].to_numpy()
        self.ratings[owner] = by_member["ratings"].to_numpy()
        self.last_played[owner] = by_member["last"].fill_null(float("nan")).to_numpy()


class Content:
    """A hash of plays that depends on their values alone, not on their division, or on how a file stores them."""

    def __init__(self) -> None:
        self._columns = {name: hashlib.sha256() for name in COLUMNS}

    def add(self, rows: pl.DataFrame) -> None:
        """Add the next plays, with members numbered from 0 to N - 1."""
        for name, column in self._columns.items():
            values = rows[name].fill_null(float("nan")) if rows[name].null_count() else rows[name]
            column.update(values.to_numpy().tobytes())

    def digest(self) -> str:
        """Return the SHA-256 of all plays added so far."""
        return hashlib.sha256(b"".join(column.digest() for column in self._columns.values())).hexdigest()


def joined(ratings: pl.DataFrame, plays: pl.DataFrame, member_ids: pl.Series, movie_ids: pl.Series) -> pl.DataFrame:
    """Return the rows of a play table, sorted, from ratings and plays of pairs of ids.

    `plays` has a row for each pair that was played or rated. Pairs with unknown ids are dropped.
    """
    members = pl.LazyFrame({MEMBER_ID: member_ids}).with_row_index(MEMBER)
    movies = pl.LazyFrame({MOVIE_ID: movie_ids}).with_row_index(MOVIE)
    rows = plays.lazy().join(ratings.lazy(), on=[MEMBER_ID, MOVIE_ID], how="left")
    numbered = rows.join(members, on=MEMBER_ID).join(movies, on=MOVIE_ID)
    return numbered.select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()).sort(MEMBER, MOVIE).collect()


def with_ages(plays: pl.DataFrame, end: float | None) -> pl.DataFrame:
    """Add the column age_days to plays: days until the end of the data, in seconds since 1970 UTC; null if unknown."""
    age = (pl.lit(end, pl.Float64) - pl.col(PLAYED_AT)) / SECONDS_PER_DAY
    return plays.with_columns(age.clip(lower_bound=0.0).alias(AGE_DAYS))


PAIR_NUMBER = "pair"
"""Column of a member and a movie as one number, by which rows are sorted several times faster than by two columns."""


def with_pair_number(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the numbers of the pairs of member and movie, which are in the order of members, then movies."""
    return rows.with_columns((pl.col(MEMBER).cast(pl.Int64) * 2**32 + pl.col(MOVIE)).alias(PAIR_NUMBER))


def merged(ratings: pl.DataFrame, plays: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a play table, sorted, from ratings, each of another pair, and plays; both with pair numbers.

    Of the plays of a pair, the latest time and the highest completion count.
    """
    rows = pl.concat([ratings, plays], how="diagonal").sort(PAIR_NUMBER)
    by_pair = rows.group_by(PAIR_NUMBER, maintain_order=True).agg(pl.all().max())
    return by_pair.select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())
