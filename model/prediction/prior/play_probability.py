"""The probability that a member has played a movie, from the movies that the member is known to have played."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POPULARITY = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
"""(9,) weights with which each movie's probability is its share of members, whatever the member has played."""
LARGEST_SHARE = 0.999
"""Maximum share of members who have played a movie, so that its log-odds are finite."""


def shares_of(squared_weight: NDArray[np.floating]) -> Array:
    """Return the (N,) shares, between 0 and 1, of the members with plays who have played each of N movies.

    They follow from the movies' `squared_weight` (N,) in MovieColumns, and are shrunk as by one more member, who has
    played every movie.
    """
    share: Array = np.minimum(np.exp(1 - np.sqrt(squared_weight.astype(np.float64))), LARGEST_SHARE)
    return share


def inputs_of(share: Array, similarity: NDArray[np.floating], plays: NDArray[np.int64] | int) -> Array:
    """Return the (N, 9) inputs of the logistic regression for N pairs of member and movie.

    `share` (N,) is the movie's share of members, `similarity` (N,) its cosine similarity with the member's plays in the
    embedding of who plays what, and `plays` (N,) the number of these plays.
    """
    odds, log_plays = np.log(share / (1 - share)), np.log1p(plays)
    inputs = np.empty((len(share), len(POPULARITY)))
    inputs[:, 0] = 1
    inputs[:, 1] = odds
    inputs[:, 2] = log_plays
    inputs[:, 3] = odds * log_plays
    inputs[:, 4] = similarity
    inputs[:, 5] = similarity * log_plays
    inputs[:, 6] = similarity * odds
    inputs[:, 7] = similarity * similarity
    inputs[:, 8] = log_plays * log_plays
    return inputs


def probability_of(inputs: Array, weights: Array) -> Array:
    """Return the (N,) probabilities that the members have played the movies, from (N, 9) inputs and (9,) weights."""
    probability: Array = 1 / (1 + np.exp(-(inputs * weights).sum(axis=1)))
    return probability
