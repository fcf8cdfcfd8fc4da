"""The inputs from which a member's taste is predicted: what it plays and what is known of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.attributes import encode
from features.plays import PRIOR_PLAYS, of_member
from features.schema import Schema
from model.facts import MemberFacts

PRIOR_EMBEDDING = 20.0
"""Added to the squared length of a member's weighted plays before its embedding is divided by the length."""


@dataclass(frozen=True)
class MovieColumns:
    """What a play of each of M movies adds to the inputs of its member."""

    names: tuple[str, ...]
    """(C,) names of the columns."""
    mean_year: float
    """Mean release year of the catalogue."""
    columns: NDArray[np.float32]
    """(M, C) reception, popularity, year and genres, centred over plays."""
    embedding: NDArray[np.float32]
    """(M, E) place of the movie in the space of plays, times its weight: right singular vectors of the plays."""
    squared_weight: NDArray[np.float32]
    """(M,) the squared weight: rarely played movies say more."""
    taste: NDArray[np.float32]
    """(M, k) what the factorization says of the movie."""

    def of_plays(self, member: MemberFacts) -> NDArray[np.float64]:
        """(F + k + E,) inputs from the plays of one member."""
        movies = member.movies
        features = of_member(member.completion, member.age_days, self.columns[movies], self.names)
        taste = self.taste[movies].sum(axis=0, dtype=np.float64)
        embedding = self.embedding[movies].sum(axis=0, dtype=np.float64)
        squared = self.squared_weight[movies].sum(dtype=np.float64)
        joined = join_plays(features[None], taste[None], embedding[None], np.array([squared]), np.array([len(movies)]))
        return joined.reshape(-1)


def join_plays(
    features: NDArray[np.float64],
    taste: NDArray[np.float64],
    embedding: NDArray[np.float64],
    squared_weight: NDArray[np.float64],
    plays: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(N, F + k + E) inputs from plays: features, mean taste and embedding, the last two from their sums."""
    return np.concatenate(
        [
            features,
            taste / (plays[:, None] + PRIOR_PLAYS),
            embedding / np.sqrt(squared_weight[:, None] + PRIOR_EMBEDDING),
        ],
        axis=1,
    )


def of_attributes(attributes: NDArray[np.float32], schema: Schema) -> NDArray[np.float64]:
    """(N, W) inputs from (N, A) attributes; NaN where unknown."""
    return encode(attributes, schema.member_attributes).astype(np.float64)
