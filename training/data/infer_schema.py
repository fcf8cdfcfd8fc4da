"""What the columns of the tables mean to the model: categories, knots, genres, the end of the data."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.columns import GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RELEASE_YEAR, TITLE
from features.schema import Attribute, Schema
from training.data.reading.tables import Tables

FEWEST_MOVIES = 5
"""An attribute value that fewer movies hold tells too little of any of them."""

KNOTS = 8
"""Where the piecewise linear encoding of a number may bend."""

OUTER_SHARE = 0.02
"""The outermost knots leave this share of values on either side, so that none of them is one person's extreme value."""


@dataclass(frozen=True)
class Merged:
    """A column of which something was merged or left out, because too few hold it; names no value."""

    table: str
    """`members` or `movies`."""
    column: str
    """The column."""
    values: int
    """How many of its values too few hold."""
    kept: int
    """How many values are told apart; 0 if the column was left out."""
    floor: int
    """How many must hold a value for it to be told apart."""

    def __str__(self) -> str:
        few = f"fewer than {self.floor} {'members who rate' if self.table == 'members' else 'movies'}"
        place = f"{self.table}, column {self.column}"
        if self.kept:
            return f'{place}: {self.values:,} of its values, each held by {few}, count as one "other" value'
        return f"{place}: left out, since {few} hold it, or any one value of it"


def infer_schema(tables: Tables, min_holders: int = 20) -> tuple[Schema, tuple[Merged, ...]]:
    """The schema of the tables, and the columns in which values were merged or that were left out.

    Of members, only those who rate are counted: a value that fewer than `min_holders` of them hold is no category of
    its own, and a column of numbers that fewer hold is left out.
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


def _attributes(table: str, rows: pl.DataFrame, floor: int) -> tuple[tuple[Attribute, ...], tuple[Merged, ...]]:
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
            held = counts.filter(pl.col("holders") >= floor).sort(column.name)["holders"].to_list()
            held += [len(values) - sum(held)] * (rare > 0)
            attribute = Attribute(
                column.name, "categorical", tuple(categories), has_other=rare > 0,
                shares=tuple(holders / len(values) for holders in held),
            )  # fmt: skip
        if kept:
            attributes.append(attribute)
        if rare or not kept:
            merged.append(Merged(table, column.name, rare, len(attribute.categories) if kept else 0, floor))
    return tuple(attributes), tuple(merged)


def _nearest_shares(values: pl.Series, knots: tuple[float, ...]) -> tuple[float, ...]:
    """For each knot the share of the values that it is nearest to."""
    between = np.array(knots[:-1]) + np.diff(knots) / 2
    nearest = np.searchsorted(between, values.to_numpy())
    return tuple((np.bincount(nearest, minlength=len(knots)) / max(len(values), 1)).tolist())


def _knots(values: pl.Series) -> tuple[float, ...]:
    """Quantiles of the values, each once: fewer than KNOTS where there are few values."""
    if values.is_empty():
        return ()
    shares = [OUTER_SHARE + (1 - 2 * OUTER_SHARE) * step / (KNOTS - 1) for step in range(KNOTS)]
    return tuple(sorted({float(values.quantile(share, "nearest")) for share in shares}))  # type: ignore[arg-type]
