"""Infers the schema from the tables: categories, knots, genres and the end of the data."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.columns import GENRES, MEMBER_ID, MOVIE_ID, RELEASE_YEAR, TITLE
from features.schema import OTHER_GENRE, Attribute, Schema
from training.data.reading.tables import Tables

FEWEST_MOVIES = 5
"""Minimum number of movies for a genre, for a category, and for a numeric column of movie attributes."""

MOST_GENRES = 100
"""Maximum number of genres beside "other". Free tags can be thousands, and each costs time in training and serving."""

SMALL_CATALOGUE_SHARE = 0.25
"""Share of the movies that suffices for a genre in a catalogue so small that this is less than FEWEST_MOVIES."""

KNOTS = 8
"""Maximum number of knots in the piecewise linear encoding of a numeric attribute."""

OUTER_SHARE = 0.02
"""Share of the values beyond the outermost knot on each side, so that no knot is a single person's extreme value."""


@dataclass(frozen=True)
class MergedColumn:
    """A column whose rare values were merged, or that was left out. The values themselves aren't included."""

    table: str
    """`members` or `movies`."""
    column: str
    """Name of the column."""
    values: int
    """Number of distinct values that too few raters or movies have."""
    kept: int
    """Number of categories; 0 if the column was left out."""
    floor: int
    """Minimum number of raters or movies for a category."""
    most: int | None = None
    """Maximum number of categories if more have enough raters or movies; None if all of these are kept."""

    def __str__(self) -> str:
        few = f"fewer than {self.floor} {'members who rate' if self.table == 'members' else 'movies'}"
        place = f"{self.table}, column {self.column}"
        if self.kept and self.most:
            text = f"{self.values:,} of its values, which aren't among the {self.most} most frequent"
            return f'{place}: {text}, count as one "other" value'
        if self.kept:
            return f'{place}: {self.values:,} of its values, each held by {few}, count as one "other" value'
        return f"{place}: left out, since {few} hold it, or any one value of it"


def infer_schema(tables: Tables, min_holders: int = 20) -> tuple[Schema, tuple[MergedColumn, ...]]:
    """Infer the schema of the tables; also return the columns with merged values and the columns that were left out.

    Values of member attributes that fewer than `min_holders` raters have are merged into one category. A numeric column
    is left out if fewer than `min_holders` raters have a value in it. For movie attributes, the minimum is
    FEWEST_MOVIES movies.
    """
    rating_ids = tables.member_ids.gather(tables.play_table.raters)
    raters = tables.members.join(rating_ids.to_frame(), on=MEMBER_ID, how="semi", maintain_order="left")
    members, merged_members = _attributes(tables, "members", raters.drop(MEMBER_ID), min_holders)
    attributes = tables.movies.drop(MOVIE_ID, TITLE, RELEASE_YEAR, GENRES)
    movies, merged_movies = _attributes(tables, "movies", attributes, FEWEST_MOVIES)
    genres, merged_genres = _genres(tables.movies[GENRES])
    schema = Schema(
        scale=tables.scale,
        member_attributes=members,
        movie_attributes=movies,
        genres=genres,
        end_of_data=tables.play_table.end,
        has_other_genre=any(column.kept for column in merged_genres),
        missing_in_movies=tables.stated.movies.missing,
    )
    return schema, merged_members + merged_movies + merged_genres


def _genres(lists: pl.Series) -> tuple[tuple[str, ...], tuple[MergedColumn, ...]]:
    """Return the genres with enough movies, at most MOST_GENRES, and "other" if further genres count as that."""
    floor = max(min(FEWEST_MOVIES, int(SMALL_CATALOGUE_SHARE * len(lists))), 1)
    counts = lists.explode().drop_nulls().value_counts(name="holders").sort("holders", GENRES, descending=[True, False])
    frequent = counts.filter(pl.col("holders") >= floor)[GENRES].to_list()
    kept = frequent[:MOST_GENRES]
    if len(kept) == len(counts):
        return tuple(sorted(kept)), ()
    merged = MergedColumn(
        "movies",
        GENRES,
        len(counts) - len(kept),
        len(kept),
        floor,
        MOST_GENRES if len(frequent) > MOST_GENRES else None,
    )
    return tuple(sorted({*kept, OTHER_GENRE})) if kept else (), (merged,)


def _attributes(
    tables: Tables, table: str, rows: pl.DataFrame, floor: int
) -> tuple[tuple[Attribute, ...], tuple[MergedColumn, ...]]:
    """Return the attributes of a table, and the columns with values that fewer than `floor` rows have."""
    attributes, merged = [], []
    marks, codes = getattr(tables.stated, table).missing, tables.codes.get(table, ())
    for column in rows.iter_columns():
        values = column.drop_nulls()
        if column.dtype == pl.Float64:
            knots, rare = _knots(values), values.n_unique()
            attribute = Attribute(
                column.name, "numeric", knots=knots, shares=_nearest_shares(values, knots), missing=marks
            )
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
                shares=tuple(count / len(values) for count in holders), missing=marks, are_codes=column.name in codes,
            )  # fmt: skip
        if kept:
            attributes.append(attribute)
        if rare or not kept:
            merged.append(MergedColumn(table, column.name, rare, len(attribute.categories) if kept else 0, floor))
    return tuple(attributes), tuple(merged)


def _nearest_shares(values: pl.Series, knots: tuple[float, ...]) -> tuple[float, ...]:
    """Return, for each knot, the share of the values that are nearest to it."""
    between = np.array(knots[:-1]) + np.diff(knots) / 2
    nearest = np.searchsorted(between, values.to_numpy())
    return tuple((np.bincount(nearest, minlength=len(knots)) / max(len(values), 1)).tolist())


def _knots(values: pl.Series) -> tuple[float, ...]:
    """Return KNOTS quantiles of the values, without duplicates in float32, the type of the model's arrays."""
    if values.is_empty():
        return ()
    shares = [OUTER_SHARE + (1 - 2 * OUTER_SHARE) * step / (KNOTS - 1) for step in range(KNOTS)]
    quantiles = [float(values.quantile(share, "nearest")) for share in shares]  # type: ignore[arg-type]
    return tuple(sorted({np.float32(value): value for value in quantiles}.values()))
