"""Columns of movies and members from which the inputs of the trees are computed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import group_count, groups
from features.movies import scaled_year
from features.pair_features import COMPARED, Members, Movies, pair_names
from features.plays import names
from features.schema import Schema
from model.facts.evidence import MemberEvidence
from model.facts.facts import MovieFacts
from model.prediction.prior.member_inputs import MovieColumns


@dataclass(frozen=True)
class PairColumns:
    """Columns of movies from which the inputs of the trees are computed, and the member attributes that form groups.

    The mean residual of a movie among members with the same attribute value is an input of the trees.
    """

    movies: Movies
    """Columns of all M movies."""
    grouped: tuple[int, ...]
    """Positions in the schema of the member attributes by whose values members are grouped."""


def feature_names(schema: Schema, grouped: Sequence[int]) -> list[str]:
    """Return the names of the inputs of the trees, in their order."""
    attributes = [schema.member_attributes[place].name for place in grouped]
    return pair_names(attributes, schema.genres, [attribute.name for attribute in schema.movie_attributes])


def as_unrated(movies: Movies) -> Movies:
    """Return the movies' columns as if nobody had rated or played them, to train for movies without ratings."""
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


class MemberColumns:
    """Computes the columns of members from which the inputs of the trees are computed.

    Positions of columns are looked up once.
    """

    def __init__(self, schema: Schema, columns: MovieColumns, grouped: Sequence[int]) -> None:
        place = {name: number for number, name in enumerate(names(columns.names))}
        self._compared = np.array([place[f"movies:{name}"] for name in COMPARED])
        self._genres = np.array([place[f"movies:genre:{name}"] for name in schema.genres], np.int64)
        self._embedding = len(place) + columns.taste.shape[1]
        self._width = self._embedding + columns.embedding.shape[1]
        self._grouped = np.array(grouped, np.int64)
        attributes = [schema.member_attributes[number] for number in grouped]
        self._numeric = [(number, a) for number, a in enumerate(attributes) if a.kind == "numeric"]
        counts = [group_count(attribute) for attribute in attributes]
        self._starts = np.cumsum([0, *counts])[:-1]

    def of(
        self,
        evidence: NDArray[np.int64],
        inputs: NDArray[np.float64],
        plays: NDArray[np.int64],
        attributes: NDArray[np.float32],
    ) -> Members:
        """Return the columns of N members from which the inputs of the trees are computed.

        `evidence` (N,) has values of MemberEvidence, `inputs` (N, I) the inputs of the regressions that are computed
        from plays, `plays` (N,) the numbers of plays, and `attributes` (N, A) encoded values.
        """
        compared, genres = inputs.take(self._compared, axis=1), inputs.take(self._genres, axis=1)
        if not plays.all():
            compared[plays == 0] = genres[plays == 0] = np.nan
        embedding = inputs[:, self._embedding :].astype(np.float32)
        return Members(evidence, np.log1p(plays), compared, genres, embedding, self._groups(attributes))

    def of_kind(
        self,
        evidence: MemberEvidence,
        inputs: NDArray[np.float64] | None,
        plays: NDArray[np.int64],
        attributes: NDArray[np.float32],
    ) -> Members:
        """Return the columns of N members of one kind of evidence from which the inputs of the trees are computed.

        The arguments are those of `of`, but `evidence` is one kind, and `inputs` is None for evidence without plays.
        """
        count = len(plays)
        rows = np.zeros((count, self._width)) if inputs is None else inputs
        return self.of(np.full(count, int(evidence)), rows, plays, attributes)

    def _groups(self, attributes: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the (N, A') columns of `group_residuals` for the groups that N members are in; -1 if unknown.

        There is one for each attribute by which members are grouped.
        """
        values = attributes.take(self._grouped, axis=1)
        known = np.isfinite(values)
        numeric = [(number, groups(values[:, number], attribute)) for number, attribute in self._numeric]
        values[~known] = 0
        for number, group in numeric:
            values[:, number] = group
        return np.where(known, values.astype(np.int64) + self._starts, -1)


def described_movie(schema: Schema, movie: MovieFacts | None, like: Movies, mean_year: float) -> Movies:
    """Return the one-row columns of a movie that nobody rated, from which the inputs of the trees are computed.

    Pass None if nothing is known of the movie. The row has the widths and data types of `like`. With another data type,
    the sums of other rows would change when the row is joined to them.
    """
    facts = movie or MovieFacts.of(schema, None, None, {})
    shares = facts.genres / max(float(np.nansum(facts.genres)), 1.0)
    numbers = np.array([[np.nan, 0, np.nan, np.nan, facts.release_year]])
    decades = float(scaled_year(np.array(facts.release_year), mean_year))
    movie_alone = Movies(
        numbers,
        np.array([[np.nan, np.nan, decades]]),
        shares[None],
        facts.attributes[None],
        np.zeros((1, like.direction.shape[1])),
        np.full((1, like.group_residuals.shape[1]), np.nan),
    )
    names = Movies.__dataclass_fields__
    return Movies(*(getattr(movie_alone, name).astype(getattr(like, name).dtype) for name in names))
