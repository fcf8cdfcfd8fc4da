"""The inputs of the regression to members' factors: plays and attributes."""

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
"""Added to the squared length of a member's weighted plays before its embedding is divided by the length."""


@dataclass(frozen=True)
class MovieColumns:
    """Columns of M movies that are summed over a member's plays."""

    names: tuple[str, ...]
    """(C,) names of the columns."""
    mean_year: float
    """Mean release year of the catalogue."""
    columns: NDArray[np.float32]
    """(M, C) reception, popularity, year and genres, centred over plays."""
    embedding: NDArray[np.float32]
    """(M, E) place of the movie in the space of plays, times its weight: right singular vectors of the plays."""
    squared_weight: NDArray[np.float32]
    """(M,) the squared weight, larger for rarely played movies."""
    taste: NDArray[np.float32]
    """(M, k) taste factors of the movies."""

    @cached_property
    def _summed(self) -> NDArray[np.float32]:
        """(M, C + k + E + 1) all columns that are summed over plays, side by side for a single look-up."""
        parts = (self.columns, self.taste, self.embedding, self.squared_weight[:, None])
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def of_plays(self, members: Sequence[MemberFacts]) -> NDArray[np.float64]:
        """(N, F + k + E) inputs from the plays of N members, the same for a member whatever the others are."""
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
    """(N, F + k + E) inputs from plays: features, mean taste and embedding, the last two from their sums."""
    mean_taste = taste / (plays[:, None] + PRIOR_PLAYS)
    scaled_embedding = embedding / np.sqrt(squared_weight[:, None] + PRIOR_EMBEDDING)
    return np.concatenate([features, mean_taste, scaled_embedding], axis=1)


def of_attributes(attributes: NDArray[np.float32], schema: Schema) -> NDArray[np.float64]:
    """(N, W) inputs from (N, A) attributes; NaN where unknown."""
    return encode(attributes, schema.member_attributes).astype(np.float64)
