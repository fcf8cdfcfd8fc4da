"""The dataset: tables converted to arrays, with members and movies as row numbers."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, RATING, RELEASE_YEAR, TITLE
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS
from features.schema import OTHER_GENRE, Attribute, Schema
from model.facts.member_key import PLAIN, MemberKey
from training.data.infer_schema import MergedColumn, infer_schema
from training.data.passes.play_table import PlayTable, with_ages
from training.data.reading.tables import Tables, read_tables
from training.errors import DataError, Problem


@dataclass(frozen=True)
class Dataset:
    """Data of N members and M movies. Ratings and plays are sorted by member, then movie."""

    schema: Schema
    """The schema that the attributes and genres are encoded with."""
    member_ids: pl.Series
    """(N,) ids of the members in all tables, in lexicographic order."""
    movie_ids: pl.Series
    """(M,) ids of the movies in the movies table, in lexicographic order."""
    titles: pl.Series
    """(M,) titles of the movies, null if unknown."""
    attributes: NDArray[np.float32]
    """(N, A) encoded member attributes: category indices or numbers, NaN if unknown."""
    release_year: NDArray[np.float32]
    """(M,) release years, NaN if unknown."""
    genres: NDArray[np.float32]
    """(M, G) 1 for each genre of a movie, otherwise 0. A row is NaN if the genres are unknown."""
    movie_attributes: NDArray[np.float32]
    """(M, B) encoded movie attributes: category indices or numbers, NaN if unknown."""
    play_table: PlayTable
    """All plays, with the ratings."""

    @property
    def raters(self) -> NDArray[np.int64]:
        """Row numbers of the members with ratings, in ascending order."""
        return self.play_table.raters

    @cached_property
    def ratings(self) -> pl.DataFrame:
        """All ratings in memory: member, movie and rating."""
        return self.play_table.collect().filter(pl.col(RATING).is_not_null()).select(MEMBER, MOVIE, RATING)

    @cached_property
    def plays(self) -> pl.DataFrame:
        """All plays in memory: member, movie, completion (0 to 1) and age_days; the last two are null if unknown."""
        return self.with_ages(self.play_table.collect()).select(MEMBER, MOVIE, COMPLETION, AGE_DAYS)

    def with_ages(self, plays: pl.DataFrame) -> pl.DataFrame:
        """Add the column age_days, days from a play to the end of the data, to rows of the play table."""
        return with_ages(plays, self.schema.end_of_data)


def make_dataset(tables: Tables, schema: Schema) -> Dataset:
    """Convert tables to a dataset, encoded with the schema."""
    members = pl.DataFrame({MEMBER_ID: tables.member_ids}).join(
        tables.members, on=MEMBER_ID, how="left", maintain_order="left"
    )
    movies = tables.movies
    return Dataset(
        schema,
        tables.member_ids,
        movies[MOVIE_ID],
        movies[TITLE],
        encode_columns(members, schema.member_attributes),
        movies[RELEASE_YEAR].cast(pl.Float32).fill_null(float("nan")).to_numpy(),
        _genres(movies[GENRES], schema),
        encode_columns(movies, schema.movie_attributes),
        tables.play_table,
    )


def encode_columns(table: pl.DataFrame, attributes: tuple[Attribute, ...]) -> NDArray[np.float32]:
    """Return (rows, A) attribute values, encoded as by `encode_attribute`; missing values and columns are NaN.

    Raises DataError if a column isn't of the kind in the schema, which may have been inferred from other tables.
    """
    if not attributes:
        return np.empty((len(table), 0), np.float32)
    columns = []
    for attribute in attributes:
        column = pl.col(attribute.name)
        if attribute.name not in table.columns or table[attribute.name].is_null().all():
            column = pl.lit(float("nan"))
        elif (table.schema[attribute.name] == pl.Float64) != (attribute.kind == "numeric"):
            raise DataError([Problem(f"attribute {attribute.name}", f"isn't {attribute.kind}, as the schema has it")])
        elif attribute.kind == "categorical":
            numbers = {name: float(place) for place, name in enumerate(attribute.categories)}
            other = float(len(attribute.categories)) if attribute.has_other else float("nan")
            encoded = (
                column.replace_strict(numbers, default=other, return_dtype=pl.Float32) if numbers else pl.lit(other)
            )
            column = pl.when(column.is_null()).then(float("nan")).otherwise(encoded)
        columns.append(column.cast(pl.Float32).fill_null(float("nan")).alias(attribute.name))
    return table.with_columns(columns).select([attribute.name for attribute in attributes]).to_numpy()


def _genres(lists: pl.Series, schema: Schema) -> NDArray[np.float32]:
    """Return (M, G) genre indicators, 0 or 1. A row is NaN if the schema has none of the movie's genres."""
    numbers = dict(schema.genre_numbers)
    shares = np.zeros((len(lists), len(numbers)), np.float32)
    other = numbers.get(OTHER_GENRE) if schema.has_other_genre else None
    frame = pl.DataFrame({"genre": lists}).with_row_index("row").explode("genre").drop_nulls()
    number = (
        pl.col("genre").replace_strict(numbers, default=other, return_dtype=pl.Int64)
        if numbers
        else pl.lit(None, pl.Int64)
    )
    known = frame.with_columns(number.alias("genre")).drop_nulls()
    shares[known["row"].to_numpy(), known["genre"].to_numpy()] = 1
    shares[shares.sum(axis=1) == 0] = np.nan
    return shares


def read_dataset(
    data: Path | str, min_holders: int, work: Path | None = None, key: MemberKey = PLAIN
) -> tuple[Tables, Dataset, tuple[MergedColumn, ...]]:
    """Return the tables, dataset and merged columns of a data directory. Raises DataError if the data are invalid.

    `key` is the key of the list of forgotten members, who are left out.
    """
    tables = read_tables(data, work, key)
    schema, merged = infer_schema(tables, min_holders)
    return tables, make_dataset(tables, schema), merged
