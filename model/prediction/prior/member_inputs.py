"""Inputs of the regressions that predict a member's taste and generosity from plays and attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.attributes import encode
from features.plays import PRIOR_PLAYS, of_members
from features.schema import Schema
from model.facts.facts import MemberFacts

PRIOR_EMBEDDING = 20.0
"""Added to the squared length of a member's weighted plays; the root of the sum normalises the member's embedding."""


@dataclass(frozen=True)
class MovieColumns:
    """Columns of M movies whose sums over a member's plays are inputs of the regressions for the member's taste."""

    names: tuple[str, ...]
    """(C,) names of the columns in `columns`."""
    mean_year: float
    """Mean release year of the catalogue."""
    columns: NDArray[np.float32]
    """(M, C) quality, popularity, year and genres, from `features.movies.play_weighted_columns`."""
    embedding: NDArray[np.float32]
    """(M, E) position of each movie in the embedding of who plays what (right singular vectors of the matrix of plays),
    multiplied by its weight."""
    squared_weight: NDArray[np.float32]
    """(M,) squared weight of each movie, larger for rarely played movies."""
    taste: NDArray[np.float32]
    """(M, k) taste factors of the movies."""

    @cached_property
    def _summed(self) -> NDArray[np.float32]:
        """(M, C + k + E + 1) all columns that are summed over plays, concatenated for a single look-up."""
        parts = (self.columns, self.taste, self.embedding, self.squared_weight[:, None])
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def of_plays(self, members: Sequence[MemberFacts]) -> NDArray[np.float64]:
        """Return the (N, F + k + E) inputs of the regressions for taste that are computed from N members' plays.

        Each row is independent of the others. The columns are F features of plays, k taste factors and E coordinates of
        the embedding.
        """
        sums = np.empty((len(members), self._summed.shape[1]))
        for member, total in zip(members, sums, strict=True):
            np.add.reduce(self._summed.take(member.movies, axis=0), axis=0, dtype=np.float64, out=total)
        plays = np.array([len(member.movies) for member in members])
        completion = np.concatenate([member.completion for member in members])
        age_days = np.concatenate([member.age_days for member in members])
        taste = len(self.names)
        embedding = taste + self.taste.shape[1]
        features = of_members(completion, age_days, plays, sums[:, :taste])
        return join_plays(features, sums[:, taste:embedding], sums[:, embedding:-1], sums[:, -1], plays)


def join_plays(
    features: NDArray[np.float64],
    taste: NDArray[np.float64],
    embedding: NDArray[np.float64],
    squared_weight: NDArray[np.float64],
    plays: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the (N, F + k + E) inputs of the regressions for taste from features and sums over N members' plays.

    The inputs are F features, k mean taste factors and E scaled coordinates of the embedding. `taste` (N, k),
    `embedding` (N, E) and `squared_weight` (N,) are sums over each member's plays, and `plays` (N,) are the numbers of
    plays.
    """
    mean_taste = taste / (plays[:, None] + PRIOR_PLAYS)
    scaled_embedding = embedding / np.sqrt(squared_weight[:, None] + PRIOR_EMBEDDING)
    return np.concatenate([features, mean_taste, scaled_embedding], axis=1)


def of_attributes(attributes: NDArray[np.float32], schema: Schema) -> NDArray[np.float64]:
    """Return the (N, W) inputs of the regressions for taste that encode N members' attributes; NaN if unknown.

    `attributes` is (N, A).
    """
    return encode(attributes, schema.member_attributes).astype(np.float64)
