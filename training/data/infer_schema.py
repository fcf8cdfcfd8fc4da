"""Infers the schema from the tables: categories, knots, genres and the end of the data."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.columns import GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RELEASE_YEAR, TITLE
from features.schema import Attribute, Schema
from training.data.reading.tables import Tables

FEWEST_MOVIES = 5
"""Movies that an attribute value needs to be a category."""

KNOTS = 8
"""Knots of the piecewise linear encoding of a number."""

OUTER_SHARE = 0.02
"""Share of the values beyond the outermost knot on either side, so that no knot is one person's extreme value."""


@dataclass(frozen=True)
class MergedColumn:
    """A column with values that were merged, or that was left out, because too few hold them; names no value."""

    table: str
    """`members` or `movies`."""
    column: str
    """The column."""
    values: int
    """Number of its values that too few hold."""
    kept: int
    """Number of categories; 0 if the column was left out."""
    floor: int
    """Members who rate, or movies, that a category needs."""

    def __str__(self) -> str:
        few = f"fewer than {self.floor} {'members who rate' if self.table == 'members' else 'movies'}"
        place = f"{self.table}, column {self.column}"
        if self.kept:
            return f'{place}: {self.values:,} of its values, each held by {few}, count as one "other" value'
        return f"{place}: left out, since {few} hold it, or any one value of it"


def infer_schema(tables: Tables, min_holders: int = 20) -> tuple[Schema, tuple[MergedColumn, ...]]:
    """The schema of the tables, and the columns with merged values or that were left out.

    A value that fewer than `min_holders` of the members who rate hold is no category of its own, and a column of
    numbers that fewer of them have is left out. Movies' attributes need FEWEST_MOVIES holders.
    """
    raters = tables.members.join(
        tables.ratings.select(MEMBER_ID).unique(), on=MEMBER_ID, how="semi", maintain_order="left"
    )
    members, merged_members = _attributes("members", raters.drop(MEMBER_ID), min_holders)
    attributes = tables.movies.drop(MOVIE_ID, TITLE, RELEASE_YEAR, GENRES)
    movies, merged_movies = _attributes("movies", attributes, FEWEST_MOVIES)
    genres = tables.movies[GENRES].explode().drop_nulls().unique().sort()
    end_of_data = tables.plays[PLAYED_AT].max()
    schema = Schema(
        scale=tables.scale,
        member_attributes=members,
        movie_attributes=movies,
        genres=tuple(genres),
        end_of_data=None if end_of_data is None else float(end_of_data),  # type: ignore[arg-type]
    )
    return schema, merged_members + merged_movies


def _attributes(table: str, rows: pl.DataFrame, floor: int) -> tuple[tuple[Attribute, ...], tuple[MergedColumn, ...]]:
    """The attributes of a table's columns, and the columns with values that fewer than `floor` rows hold."""
    attributes, merged = [], []
    for column in rows.iter_columns():
        values = column.drop_nulls()
        if column.dtype == pl.Float64:
            knots, rare = _knots(values), values.n_unique()
            attribute = Attribute(column.name, "numeric", knots=knots, shares=_nearest_shares(values, knots))
            kept = len(values) >= floor
            rare = 0 if kept else rare
        else:
            counts = values.value_counts(sort=False, name="holders")
            categories = counts.filter(pl.col("holders") >= floor)[column.name].sort()
            rare = len(counts) - len(categories)
            kept = len(categories) > 0
            holders = counts.filter(pl.col("holders") >= floor).sort(column.name)["holders"].to_list()
            holders += [len(values) - sum(holders)] * (rare > 0)
            attribute = Attribute(
                column.name, "categorical", tuple(categories), has_other=rare > 0,
                shares=tuple(count / len(values) for count in holders),
            )  # fmt: skip
        if kept:
            attributes.append(attribute)
        if rare or not kept:
            merged.append(MergedColumn(table, column.name, rare, len(attribute.categories) if kept else 0, floor))
    return tuple(attributes), tuple(merged)


def _nearest_shares(values: pl.Series, knots: tuple[float, ...]) -> tuple[float, ...]:
    """For each knot, the share of the values that are nearest to it."""
    between = np.array(knots[:-1]) + np.diff(knots) / 2
    nearest = np.searchsorted(between, values.to_numpy())
    return tuple((np.bincount(nearest, minlength=len(knots)) / max(len(values), 1)).tolist())


def _knots(values: pl.Series) -> tuple[float, ...]:
    """The distinct ones of KNOTS quantiles of the values."""
    if values.is_empty():
        return ()
    shares = [OUTER_SHARE + (1 - 2 * OUTER_SHARE) * step / (KNOTS - 1) for step in range(KNOTS)]
    return tuple(sorted({float(values.quantile(share, "nearest")) for share in shares}))  # type: ignore[arg-type]
