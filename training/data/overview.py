"""Summarises the tables of a data directory before a retrain: their columns, the ids in common and the ratings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING, RELEASE_YEAR, TITLE
from features.schema import Attribute
from training.data.infer_schema import MergedColumn, infer_schema
from training.data.plausibility.levels import Levels
from training.data.plausibility.moments import iso_8601
from training.data.reading.tables import TABLES, TableFiles, Tables

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
    """Number of distinct values."""
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
    ratings = tables.ratings[RATING]
    return Overview(
        {name: _table(tables, name, by_column) for name in TABLES},
        _members(tables),
        _movies(tables),
        (tables.scale.low, tables.scale.high),
        settings.scale is not None,
        tables.scale.enjoyed_from,
        settings.enjoyed_from is not None,
        int((ratings >= tables.scale.enjoyed_from).sum()),
        tuple(_rating_counts(Levels.of(ratings))),
    )  # fmt: skip


def _table(tables: Tables, name: str, merged: Mapping[tuple[str, str], MergedColumn]) -> TableOverview:
    files = tables.files.get(name, TableFiles())
    return TableOverview(files.names, files.rows, len(getattr(tables, name)), tuple(_columns(tables, name, merged)))


def _columns(tables: Tables, table: str, merged: Mapping[tuple[str, str], MergedColumn]) -> Iterator[ColumnOverview]:
    rows: pl.DataFrame = getattr(tables, table)
    for column in rows.iter_columns():
        yield _column(column, _kind(table, column), merged.get((table, column.name)))
    for name in tables.ignored.get(table, ()):
        if name not in rows.columns or rows[name].null_count() == len(rows):
            yield ColumnOverview(name, "ignored")


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
    """Return the lowest value, median and highest value of numbers, times and ids; None for everything else."""
    if values.is_empty() or (kind != "id" and values.dtype != pl.Float64):
        return None, None, None
    lowest, highest = values.min(), values.max()
    if kind == "id":
        return str(lowest), None, str(highest)
    if kind == "time":
        return f"{iso_8601(float(lowest))}Z", None, f"{iso_8601(float(highest))}Z"  # type: ignore[arg-type]
    return float(lowest), float(values.median()), float(highest)  # type: ignore[arg-type]


def _examples(values: pl.Series) -> tuple[Example, ...]:
    counts = values.alias("value").value_counts(name="rows")
    frequent = counts.sort("rows", "value", descending=[True, False]).head(MOST_EXAMPLES)
    return tuple(Example(value, rows) for value, rows in frequent.iter_rows())


def _members(tables: Tables) -> MembersInCommon:
    described = tables.members.select(MEMBER_ID)
    raters = tables.ratings.select(MEMBER_ID).unique()
    players = tables.plays.select(MEMBER_ID).unique().join(raters, on=MEMBER_ID, how="anti")
    raters_in_members = len(raters.join(described, on=MEMBER_ID, how="semi"))
    players_in_members = len(players.join(described, on=MEMBER_ID, how="semi"))
    only_in_members = len(described) - raters_in_members - players_in_members
    return MembersInCommon(len(raters), raters_in_members, len(players), players_in_members, only_in_members)


def _movies(tables: Tables) -> MoviesInCommon:
    rated, played = tables.ratings[MOVIE_ID].n_unique(), tables.plays[MOVIE_ID].n_unique()
    return MoviesInCommon(rated, played - rated, len(tables.movies) - played)


def _rating_counts(levels: Levels) -> Iterator[RatingCount]:
    """Yield the count of each rating, or of INTERVALS intervals of equal width if there are many distinct ratings."""
    lows, highs, counts = levels.values, levels.values, levels.counts
    if len(counts) > MOST_RATINGS:
        counts, edges = np.histogram(levels.values, INTERVALS, weights=levels.counts)
        lows, highs = edges[:-1], edges[1:]
    for low, high, rows in zip(lows.tolist(), highs.tolist(), counts.tolist(), strict=True):
        if rows:
            yield RatingCount(low, high, rows)
