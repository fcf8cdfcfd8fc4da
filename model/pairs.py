"""The movies and members of pairs as trees see them, from what a model knows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.movies import scaled_year
from features.pairs import COMPARED, Members, Movies, pair_names
from features.plays import names
from features.schema import Schema
from model.facts import MovieFacts
from model.inputs import MovieColumns
from model.prior import Taste


@dataclass(frozen=True)
class PairColumns:
    """Columns of all M movies, and where members' own numbers stand among their inputs."""

    movies: Movies
    """All M movies."""
    grouped: tuple[int, ...]
    """Positions of the member attributes whose groups' residuals the trees see."""

    def of_movies(self, rows: NDArray[np.int64]) -> Movies:
        """Those rows of the movies."""
        movies = self.movies
        return Movies(
            movies.numbers[rows],
            movies.compared[rows],
            movies.genres[rows],
            movies.attributes[rows],
            movies.direction[rows],
            movies.group_residuals[rows],
        )


def feature_names(schema: Schema, grouped: Sequence[int]) -> list[str]:
    """Names of the trees' features, in their order."""
    attributes = [schema.member_attributes[place].name for place in grouped]
    return pair_names(attributes, schema.genres, [one.name for one in schema.movie_attributes])


def as_unrated(movies: Movies) -> Movies:
    """The same movies as if nobody had rated or played them."""
    nothing = np.nan
    numbers = np.concatenate([np.full((len(movies.numbers), 4), nothing), movies.numbers[:, 4:]], axis=1)
    compared = np.concatenate([np.full((len(movies.compared), 2), nothing), movies.compared[:, 2:]], axis=1)
    numbers[:, 1] = 0
    return Movies(
        numbers,
        compared,
        movies.genres,
        movies.attributes,
        np.zeros_like(movies.direction),
        np.full_like(movies.group_residuals, nothing),
    )


def members_of(
    schema: Schema,
    columns: MovieColumns,
    grouped: Sequence[int],
    evidence: NDArray[np.int64],
    inputs: NDArray[np.float64],
    plays: NDArray[np.int64],
    attributes: NDArray[np.float32],
) -> Members:
    """N members from their evidence (N,), inputs from plays (N, I), plays counted (N,), attributes (N, A)."""
    feature_names = names(columns.names)
    place = {name: number for number, name in enumerate(feature_names)}
    compared = [place[f"movies:{name}"] for name in COMPARED]
    genres = [place[f"movies:genre:{name}"] for name in schema.genres]
    hidden = np.where(plays > 0, 0.0, np.nan)[:, None]
    start, group_columns = 0, []
    for number in grouped:
        found = groups(attributes[:, number], schema.member_attributes[number])
        group_columns.append(np.where(found >= 0, found + start, -1))
        start += group_count(schema.member_attributes[number])
    return Members(
        evidence,
        np.log1p(plays),
        inputs[:, compared] + hidden,
        inputs[:, genres] + hidden,
        inputs[:, inputs.shape[1] - columns.embedding.shape[1] :],
        np.stack(group_columns, axis=1) if group_columns else np.empty((len(plays), 0), np.int64),
    )


def member_of(
    schema: Schema,
    columns: MovieColumns,
    grouped: Sequence[int],
    taste: Taste,
    inputs: NDArray[np.float64] | None,
    plays: int,
    attributes: NDArray[np.float32],
) -> Members:
    """One member as one row; `inputs` is (I,), None without plays."""
    width = len(names(columns.names)) + columns.taste.shape[1] + columns.embedding.shape[1]
    row = np.zeros((1, width)) if inputs is None else inputs[None]
    return members_of(
        schema, columns, grouped, np.array([int(taste.evidence)]), row, np.array([plays]), attributes[None]
    )


def described_movie(schema: Schema, movie: MovieFacts | None, like: Movies, mean_year: float) -> Movies:
    """One movie that nobody rated, as one row; `like` gives the widths."""
    facts = movie or MovieFacts.of(schema, None, None, {})
    shares = facts.genres / max(float(np.nansum(facts.genres)), 1.0)
    numbers = np.array([[np.nan, 0, np.nan, np.nan, facts.release_year]])
    decades = float(scaled_year(np.array(facts.release_year), mean_year))
    return Movies(
        numbers,
        np.array([[np.nan, np.nan, decades]]),
        shares[None],
        facts.attributes[None],
        np.zeros((1, like.direction.shape[1])),
        np.full((1, like.group_residuals.shape[1]), np.nan),
    )
