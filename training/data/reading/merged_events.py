"""Merges ratings and plays into a play table, by buckets of members on disk, so that few rows are in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from training.data.passes.partitions import partition_members
from training.data.passes.play_table import PAIR_NUMBER, PlayTable, merged, with_pair_number, write_play_table
from training.data.plausibility.levels import Levels
from training.data.plausibility.rating_values import check_ratings
from training.data.reading.events import Events
from training.data.reading.schema_file import RatingSettings
from training.data.reading.shared_ids import Ids
from training.data.reading.sources import Source, collect
from training.errors import Problem

Columns = Mapping[str, type[pl.DataType]]

BUCKET = "bucket"
BUCKET_ROWS = 2_000_000
"""Number of rows of ratings and plays at which a bucket ends. While it is merged, it takes about 300 MB."""

RATINGS: Columns = {MEMBER: pl.Int32, MOVIE: pl.Int32, RATING: pl.Float64, RATED_AT: pl.Float64}
PLAYS: Columns = {MEMBER: pl.Int32, MOVIE: pl.Int32, PLAYED_AT: pl.Float64, COMPLETION: pl.Float64}
"""Columns of the rows in buckets."""


@dataclass
class RatingCounts:
    """What is counted of the ratings while they are sorted by pair."""

    ambiguous: int = 0
    """Number of ratings of a pair that may be as recent as the one that counts."""
    ambiguous_pair: tuple[str, str] | None = None
    """Ids of the member and the movie of the first of them."""
    unknown: int = 0
    """Number of pairs whose movie is unknown."""
    unknown_movie: str | None = None
    """Id of the movie of the first of them."""
    by_value: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={RATING: pl.Float64, "rows": pl.Int64}))
    """Number of pairs by rating."""

    @property
    def levels(self) -> Levels:
        """The distinct ratings."""
        by_value = self.by_value.sort(RATING)
        return Levels(by_value[RATING].to_numpy(), by_value["rows"].to_numpy())

    def add(self, latest: pl.DataFrame, ambiguous: pl.DataFrame, ids: Ids) -> None:
        """Count the ratings of a bucket, sorted by pair."""
        if len(ambiguous) and not self.ambiguous:
            self.ambiguous_pair = ids.members[ambiguous[MEMBER][0]], ids.movies[ambiguous[MOVIE][0]]
        self.ambiguous += len(ambiguous)
        unknown = latest.filter(~ids.is_known[latest[MOVIE].to_numpy()])
        if len(unknown) and not self.unknown:
            self.unknown_movie = ids.movies[unknown[MOVIE][0]]
        self.unknown += len(unknown)
        more = latest.group_by(RATING).agg(pl.len().cast(pl.Int64).alias("rows"))
        self.by_value = pl.concat([self.by_value, more]).group_by(RATING).agg(pl.col("rows").sum())

    def problems(self, source: Source, settings: RatingSettings) -> list[Problem]:
        """Return the problems with ratings of the same pair, and with those that can't be on one scale."""
        problems = []
        if self.ambiguous_pair is not None:
            why = "rated_at doesn't tell" if RATED_AT in source.dtypes else "there is no rated_at to tell"
            text = f"with a second rating of one pair, and {why} the latest"
            pair = "member {}, movie {}".format(*self.ambiguous_pair)
            problems.append(Problem(source.table, text, rows=self.ambiguous, example=pair))
        if settings.scale is None and not self.by_value.is_empty():
            problems += check_ratings(self.levels)
        return problems


def merge_events(
    ratings: Events | None, plays: Events | None, ids: Ids, work: Path | None
) -> tuple[PlayTable, RatingCounts]:
    """Return the table of all pairs that were played or rated, and counts of the ratings.

    Its partitions are written to the folder `work`, or kept in memory if it is None. Raises DataError if a file of the
    tables can't be read any more, and OSError if the disk is full.
    """
    counts = RatingCounts()
    with TemporaryDirectory(prefix="buckets-", dir=work) as name:
        folder, tables = Path(name), [events for events in (ratings, plays) if events is not None]
        buckets = _bucket_of_members(tables, ids)
        for events in tables:
            _write_buckets(events, ids, buckets, folder / events.source.table)
        frames = _merged_buckets(folder, int(buckets.max(initial=-1)) + 1, ids, counts)
        return write_play_table(frames, len(ids.members), work and work / "plays"), counts


def _bucket_of_members(tables: list[Events], ids: Ids) -> NDArray[np.int32]:
    """Return the bucket of each member; buckets are ranges of members with about equally many rows."""
    rows = np.zeros(len(ids.members), np.int64)
    for events in tables:
        numbered = _numbered(events.members, ids.members, MEMBER)
        np.add.at(rows, numbered[MEMBER].to_numpy(), numbered["rows"].to_numpy())
    ranges = partition_members(rows, BUCKET_ROWS)
    return np.repeat(np.arange(len(ranges), dtype=np.int32), [part.stop - part.start for part in ranges])


def _numbered(entities: pl.DataFrame, ids: pl.Series, number: str) -> pl.DataFrame:
    """Return the members or movies with their numbers, without those that have no id."""
    numbers = pl.DataFrame({"id": ids}).with_row_index(number)
    return entities.join(numbers, on="id").with_columns(pl.col(number).cast(pl.Int32))


def _write_buckets(events: Events, ids: Ids, buckets: NDArray[np.int32], folder: Path) -> None:
    """Write the rows with ids to a folder, with numbers in place of the ids, in files for each bucket."""
    members = _numbered(events.members, ids.members, MEMBER).select(pl.col("key").alias(MEMBER_ID), MEMBER)
    movies = _numbered(events.movies, ids.movies, MOVIE).select(pl.col("key").alias(MOVIE_ID), MOVIE)
    members = members.with_columns(pl.Series(BUCKET, buckets[members[MEMBER].to_numpy()]))
    rows = events.rows.join(members.lazy(), on=MEMBER_ID).join(movies.lazy(), on=MOVIE_ID)
    place = pl.PartitionBy(folder, key=BUCKET, include_key=False)
    sink = rows.drop(MEMBER_ID, MOVIE_ID).sink_parquet(
        place, compression="lz4", statistics=False, maintain_order=False, mkdir=True, lazy=True
    )
    collect(events.source, sink)


def _merged_buckets(folder: Path, buckets: int, ids: Ids, counts: RatingCounts) -> Iterator[pl.DataFrame]:
    """Yield the merged rows of each bucket, and count its ratings."""
    for bucket in range(buckets):
        latest, ambiguous = _latest(_read_bucket(folder / "ratings", bucket, RATINGS).drop_nulls(RATING))
        counts.add(latest, ambiguous, ids)
        yield merged(latest, _read_bucket(folder / "plays", bucket, PLAYS))


def _read_bucket(folder: Path, bucket: int, columns: Columns) -> pl.DataFrame:
    files = sorted((folder / f"{BUCKET}={bucket}").glob("*.parquet"))
    rows = pl.read_parquet(files, hive_partitioning=False) if files else pl.DataFrame(schema=columns)
    return with_pair_number(rows)


def _latest(ratings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the last rating of each pair, sorted by pair, and earlier ratings of a pair that may be as recent."""
    pair, rated_at = pl.col(PAIR_NUMBER), pl.col(RATED_AT)
    rows = ratings.sort(PAIR_NUMBER, RATED_AT, nulls_last=False)
    rows = rows.with_columns(earlier=(pair == pair.shift(-1)).fill_null(False))
    next_is_last = ~pl.col("earlier").shift(-1, fill_value=False)
    as_late = rated_at.is_null() | (next_is_last & (rated_at == rated_at.shift(-1)))
    ambiguous = rows.filter(pl.col("earlier") & as_late)
    return rows.filter(~pl.col("earlier")).drop("earlier"), ambiguous
