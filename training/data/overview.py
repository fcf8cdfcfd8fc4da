"""Summarises the tables of a data directory before a retrain: their columns, the ids in common and the ratings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING, RELEASE_YEAR, TITLE
from features.movies import MOVIE
from features.schema import Attribute
from training.data.infer_schema import MergedColumn, infer_schema
from training.data.number_counts import NumberCounts
from training.data.plausibility.levels import Levels
from training.data.plausibility.moments import iso_8601
from training.data.reading.tables import TableFiles, Tables

KINDS = {
    MEMBER_ID: "id",
    MOVIE_ID: "id",
    TITLE: "title",
    RELEASE_YEAR: "year",
    GENRES: "genres",
    RATING: "rating",
    RATED_AT: "time",
    PLAYED_AT: "time",
    COMPLETION: "share",
}
"""Kinds of the predefined columns."""

MOST_EXAMPLES = 10
"""Maximum number of values to show for a column."""

MOST_RATINGS = 21
"""Maximum number of distinct ratings to count one by one, enough for -10 to 10; others are counted in intervals."""

INTERVALS = 10
"""Number of intervals of equal width in which many distinct ratings are counted."""


@dataclass(frozen=True)
class Example:
    """A frequent value of a column, to show what the column holds."""

    value: str
    rows: int
    """Number of rows with this value."""


@dataclass(frozen=True)
class ColumnOverview:
    """A column of a table, what it is taken for, and its values."""

    name: str
    kind: str
    """`categorical`, `flag` or `numeric` for attributes, a kind in KINDS for predefined columns, or `ignored`."""
    values: int = 0
    """Number of distinct values; for numbers and times of ratings and plays an estimate if there are many."""
    missing: int = 0
    """Number of rows without a value."""
    lowest: float | str | None = None
    """Lowest number, first time (ISO 8601, in UTC) or first id in lexicographic order; None for other kinds."""
    median: float | None = None
    """Median of numbers; None for other kinds."""
    highest: float | str | None = None
    """Highest number, last time or last id; None for other kinds."""
    examples: tuple[Example, ...] = ()
    """The most frequent values, most frequent first; empty for numbers, times and ids."""
    merged: int = 0
    """Number of distinct values that too few raters or movies have, and that count as one value therefore."""
    left_out: bool = False
    """Whether the model can't use the column, since too few raters or movies have a value, or any one value."""


@dataclass(frozen=True)
class TableOverview:
    """A table of a data directory: how many rows it has, and its columns."""

    files: tuple[str, ...]
    """Names of the files, relative to the data directory."""
    rows: int
    """Number of rows in the files."""
    rows_used: int
    """Number of rows that count: of ratings, one for each rated pair; of plays, one for each played or rated pair."""
    columns: tuple[ColumnOverview, ...]


@dataclass(frozen=True)
class MembersInCommon:
    """Numbers of members by the tables (members, ratings, plays) that have their id."""

    raters: int
    raters_in_members: int
    players: int
    """Number of members who played movies, but never rated one."""
    players_in_members: int
    only_in_members: int


@dataclass(frozen=True)
class MoviesInCommon:
    """Numbers of movies by the tables (movies, ratings, plays) that have their id."""

    rated: int
    only_played: int
    only_in_movies: int


@dataclass(frozen=True)
class RatingCount:
    """How many ratings are in a closed interval, or equal one value if both ends are equal."""

    lowest: float
    highest: float
    rows: int


@dataclass(frozen=True)
class Overview:
    """What a data directory contains, as far as it can be shown on a page."""

    tables: Mapping[str, TableOverview]
    members: MembersInCommon
    movies: MoviesInCommon
    scale: tuple[float, float]
    """Lowest and highest possible rating."""
    scale_is_stated: bool
    """Whether schema.toml states the scale; else it is the range of the ratings."""
    enjoyed_from: float
    """Lowest rating that counts as enjoyed."""
    enjoyed_from_is_stated: bool
    """Whether schema.toml states `enjoyed_from`; else it is the default."""
    enjoyed: int
    """Number of ratings from `enjoyed_from` up."""
    ratings: tuple[RatingCount, ...]
    """Numbers of ratings, from the lowest rating to the highest."""


def make_overview(tables: Tables, min_holders: int) -> Overview:
    """Summarise the tables of a data directory: columns, ids in common and ratings.

    The tables were read with the settings of schema.toml. Attribute values that fewer than `min_holders` raters have
    count as merged, as in a retrain.
    """
    settings = tables.stated.ratings
    _, merged = infer_schema(tables, min_holders)
    by_column = {(column.table, column.column): column for column in merged}
    events = _events(tables)
    entities = {name: _table(tables, name, len(rows), _columns(rows, name, by_column))
                for name, rows in (("members", tables.members), ("movies", tables.movies))}  # fmt: skip
    return Overview(
        entities | {name: _table(tables, name, event.rows, event.columns(tables)) for name, event in events.items()},
        _members(tables),
        MoviesInCommon(
            int(events["ratings"].movies.sum()),
            int((events["plays"].movies & ~events["ratings"].movies).sum()),
            int((~events["plays"].movies).sum()),
        ),
        (tables.scale.low, tables.scale.high),
        settings.scale is not None,
        tables.scale.enjoyed_from,
        settings.enjoyed_from is not None,
        events["ratings"].enjoyed,
        tuple(_rating_counts(events["ratings"].numbers[RATING].levels)),
    )  # fmt: skip


@dataclass
class _Events:
    """Ratings or plays, summed up over partitions."""

    members: NDArray[np.bool_]
    """(N,) whether a member has any."""
    movies: NDArray[np.bool_]
    """(M,) whether a movie has any."""
    rows: int
    """Number of pairs of member and movie."""
    numbers: Mapping[str, NumberCounts]
    """Their numbers, by column."""
    enjoyed: int = 0
    """Number of ratings from `enjoyed_from` up."""

    def add(self, rows: pl.DataFrame, enjoyed_from: float) -> None:
        """Add rows of a play table."""
        self.movies[rows[MOVIE].to_numpy()] = True
        self.enjoyed += int((rows[RATING] >= enjoyed_from).sum())
        for name, counts in self.numbers.items():
            counts.add(rows[name])

    def columns(self, tables: Tables) -> Iterator[ColumnOverview]:
        """Yield the columns: ids, then numbers."""
        for ids, have in ((tables.member_ids, self.members), (tables.movies[MOVIE_ID], self.movies)):
            used = ids.filter(pl.Series(have))
            yield ColumnOverview(ids.name, "id", len(used), 0, *_span(used, "id"))
        for name, counts in self.numbers.items():
            yield _numbers(name, counts, self.rows)


def _events(tables: Tables) -> dict[str, _Events]:
    """Sum up ratings and plays in one pass."""
    plays, movies = tables.play_table, len(tables.movies)
    events = {
        table: _Events(count > 0, np.zeros(movies, bool), int(count.sum()), {name: NumberCounts() for name in names})
        for table, count, names in (
            ("ratings", plays.ratings, (RATING, RATED_AT)), ("plays", plays.plays, (PLAYED_AT, COMPLETION))
        )
    }  # fmt: skip
    for partition in plays.partitions:
        rows = partition.read()
        events["ratings"].add(rows.filter(pl.col(RATING).is_not_null()), tables.scale.enjoyed_from)
        events["plays"].add(rows, tables.scale.enjoyed_from)
    return events


def _numbers(name: str, counts: NumberCounts, rows: int) -> ColumnOverview:
    if counts.missing == rows:
        return ColumnOverview(name, KINDS[name], 0, rows)
    lowest, median, highest = (counts.lowest, counts.median, counts.highest)
    ends = (_time(lowest), None, _time(highest)) if KINDS[name] == "time" else (lowest, median, highest)
    return ColumnOverview(name, KINDS[name], counts.distinct, counts.missing, *ends)


def _table(tables: Tables, name: str, rows_used: int, columns: Iterable[ColumnOverview]) -> TableOverview:
    """Return the overview of a table, with its columns and those that aren't read."""
    files, read = tables.files.get(name, TableFiles()), list(columns)
    known = {column.name for column in read if column.missing < rows_used}
    ignored = [ColumnOverview(column, "ignored") for column in tables.ignored.get(name, ()) if column not in known]
    return TableOverview(files.names, files.rows, rows_used, (*read, *ignored))


def _columns(
    rows: pl.DataFrame, table: str, merged: Mapping[tuple[str, str], MergedColumn]
) -> Iterator[ColumnOverview]:
    for column in rows.iter_columns():
        yield _column(column, _kind(table, column), merged.get((table, column.name)))


def _kind(table: str, column: pl.Series) -> str:
    predefined = {"members": (MEMBER_ID,), "movies": (MOVIE_ID, TITLE, RELEASE_YEAR, GENRES)}.get(table, KINDS)
    if column.name in predefined:
        return KINDS[column.name]
    if column.dtype == pl.Float64:
        return "numeric"
    attribute = Attribute(column.name, "categorical", tuple(column.drop_nulls().unique().head(3)))
    return "flag" if attribute.is_flag else "categorical"


def _column(column: pl.Series, kind: str, merged: MergedColumn | None) -> ColumnOverview:
    values = (column.explode() if isinstance(column.dtype, pl.List) else column).drop_nulls()
    lowest, median, highest = _span(values, kind)
    return ColumnOverview(
        column.name, kind, values.n_unique(), column.null_count(), lowest, median, highest,
        () if isinstance(lowest, float | str) else _examples(values),
        merged.values if merged and merged.kept else 0,
        bool(merged and not merged.kept),
    )  # fmt: skip


def _span(values: pl.Series, kind: str) -> tuple[float | str | None, float | None, float | str | None]:
    """Return the lowest value, median and highest value of numbers and ids; None for everything else."""
    if values.is_empty() or (kind != "id" and values.dtype != pl.Float64):
        return None, None, None
    lowest, highest = values.min(), values.max()
    if kind == "id":
        return str(lowest), None, str(highest)
    return float(lowest), float(values.median()), float(highest)  # type: ignore[arg-type]


def _time(seconds: float) -> str:
    return f"{iso_8601(seconds)}Z"


def _examples(values: pl.Series) -> tuple[Example, ...]:
    counts = values.alias("value").value_counts(name="rows")
    frequent = counts.sort("rows", "value", descending=[True, False]).head(MOST_EXAMPLES)
    return tuple(Example(value, rows) for value, rows in frequent.iter_rows())


def _members(tables: Tables) -> MembersInCommon:
    described = tables.member_ids.is_in(tables.members[MEMBER_ID].implode()).to_numpy()
    rates, plays = tables.play_table.ratings > 0, tables.play_table.plays > 0
    counts = (rates, rates & described, plays & ~rates, plays & ~rates & described, described & ~plays)
    return MembersInCommon(*(int(count.sum()) for count in counts))


def _rating_counts(levels: Levels) -> Iterator[RatingCount]:
    """Yield the count of each rating, or of INTERVALS intervals of equal width if there are many distinct ratings."""
    lows, highs, counts = levels.values, levels.values, levels.counts
    if len(counts) > MOST_RATINGS:
        counts, edges = np.histogram(levels.values, INTERVALS, weights=levels.counts)
        lows, highs = edges[:-1], edges[1:]
    for low, high, rows in zip(lows.tolist(), highs.tolist(), counts.tolist(), strict=True):
        if rows:
            yield RatingCount(low, high, rows)
