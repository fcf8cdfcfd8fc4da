"""Numbers the ids of all tables, and checks that the tables share them and write them in the same way."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import MEMBER_ID, MOVIE_ID
from training.data.plausibility.spelling import check_spelling
from training.data.reading.checks import unknown_movies
from training.data.reading.events import Events
from training.data.reading.sources import ReadTable
from training.errors import Problem


@dataclass(frozen=True)
class Ids:
    """Ids of all members and all M movies in any table, in lexicographic order, in which they are numbered."""

    members: pl.Series
    movies: pl.Series
    is_known: NDArray[np.bool_]
    """(M,) mask of the movies in the movies table; all of them if there is no such table."""


def number_ids(
    members: ReadTable | None, movies: ReadTable | None, ratings: Events | None, plays: Events | None
) -> Ids:
    """Return the ids in all tables that can be read."""
    events = [some for some in (ratings, plays) if some is not None]
    of_members = [_ids(members, MEMBER_ID), *(some.members["id"] for some in events)]
    of_movies = [_ids(movies, MOVIE_ID), *(some.movies["id"] for some in events)]
    numbered = _distinct(of_movies).rename(MOVIE_ID)
    is_known = numbered.is_in(of_movies[0].implode()).to_numpy() if len(of_movies[0]) else np.ones(len(numbered), bool)
    return Ids(_distinct(of_members).rename(MEMBER_ID), numbered, is_known)


def _ids(table: ReadTable | None, column: str) -> pl.Series:
    """Return the distinct ids in a table; none if there is no table."""
    return _distinct([table.rows[column]] if table else [])


def _distinct(ids: list[pl.Series]) -> pl.Series:
    empty = pl.Series("id", [], pl.String)
    return pl.concat([empty, *(some.rename("id") for some in ids)]).drop_nulls().unique().sort()


def check_rated_movies(
    movies: ReadTable | None, ratings: Events | None, rows: int, example: str | None
) -> list[Problem]:
    """Return a problem if ratings are of movies that the movies table lacks, unless it has none.

    `rows` is the number of pairs with such a movie, and `example` is the movie of the first of them.
    """
    if movies is None or ratings is None or example is None:
        return []
    return [unknown_movies("ratings", rows, _unknown(ratings, movies)["id"], movies.rows[MOVIE_ID], example)]


def check_played_movies(movies: ReadTable | None, plays: Events | None) -> list[Problem]:
    """Return a problem if plays are of movies that the movies table lacks, unless it has none."""
    if movies is None or movies.rows.is_empty() or plays is None:
        return []
    unknown = _unknown(plays, movies)
    if unknown.is_empty():
        return []
    rows, example = int(unknown["rows"].sum()), unknown["id"][0]
    return [unknown_movies("plays", rows, unknown["id"], movies.rows[MOVIE_ID], example)]


def _unknown(events: Events, movies: ReadTable) -> pl.DataFrame:
    return events.movies.drop_nulls("id").filter(~pl.col("id").is_in(movies.rows[MOVIE_ID].implode()))


def check_members(members: ReadTable | None, ratings: Events | None, plays: Events | None) -> list[Problem]:
    """Return problems with ids of members that are written differently in two tables."""
    if members is None or members.rows.is_empty() or ratings is None:
        return []
    described, raters = _ids(members, MEMBER_ID), ratings.members["id"].drop_nulls()
    problems = check_spelling("ratings", "rate are in the members table", raters.rename(MEMBER_ID), described)
    if plays is not None:
        known, players = _distinct([described, raters]), plays.members["id"].drop_nulls()
        people = "play are in the members or ratings table"
        problems += check_spelling("plays", people, players.rename(MEMBER_ID), known)
    return problems
