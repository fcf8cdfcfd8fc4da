"""Fits the probability that a member has played a movie, to raters of whom half of the plays, or a few, are visible."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.movies import MOVIE
from features.pair_features import Movies
from features.plays import VIEW
from model.prediction.prior.play_probability import POPULARITY, inputs_of, probability_of, shares_of
from training.data.never_rater_views import SHORT, Views
from training.fit.cross_fit import OutOfFold

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_VIEWS = 4000
MOVIES_PER_VIEW = 100
"""Number of movies that are drawn for each view, half of them in proportion to plays; views are drawn too."""
STEPS = 12
"""Number of Newton steps."""


class Pairs(NamedTuple):
    """N pairs of a view and a movie that it doesn't show."""

    view: Numbers
    """(N,) number of the view."""
    movie: Numbers
    """(N,) row of the movie."""
    played: NDArray[np.bool_]
    """(N,) whether the view's member has played the movie."""
    weight: Array
    """(N,) weight that makes up for the movies that are drawn more often; 1 on average over draws."""


def fit_play_probability(
    views: Views, out_of_fold: OutOfFold, movies: Sequence[Movies], random: np.random.Generator
) -> Array:
    """Return the (9,) weights of the logistic regression for the probability that a member has played a movie.

    Short views count too, since a member with few known plays may play little or may have many unknown plays. `movies`
    are the columns of the movies for each fold, from which a view's member is excluded. With few data, the weights stay
    near those with which the probability is the movie's share of members.
    """
    drawn = np.sort(random.permutation(np.flatnonzero(views.play_count))[:MOST_VIEWS])
    shares = [shares_of(fitted.prior.columns.squared_weight) for fitted in out_of_fold.fitted]
    pairs = _drawn_pairs(views, drawn, shares[0], random)
    inputs = np.empty((len(pairs.view), len(POPULARITY)))
    embedding = out_of_fold.inputs[:, -movies[0].direction.shape[1] :].astype(np.float32)
    for number, share in enumerate(shares):
        chosen = np.flatnonzero(out_of_fold.fold[pairs.view] == number)
        view, movie = pairs.view[chosen], pairs.movie[chosen]
        similarity = np.einsum("ij,ij->i", movies[number].direction[movie], embedding[view])
        inputs[chosen] = inputs_of(share[movie], similarity, views.play_count[view])
    return logistic_regression(inputs, pairs.played, pairs.weight)


def _drawn_pairs(views: Views, drawn: Numbers, share: Array, random: np.random.Generator) -> Pairs:
    """Return pairs of the drawn views with movies that they don't show."""
    count = len(share)
    chance = 0.5 / count + 0.5 * share / share.sum()
    view = drawn.repeat(MOVIES_PER_VIEW)
    movie = random.choice(count, len(view), p=chance / chance.sum())
    owner, shown = views.plays[VIEW].to_numpy(), views.plays[MOVIE].to_numpy()
    whole = views.half[owner] != SHORT  # the two halves hold all plays of a member
    played = np.isin(views.member[view] * count + movie, views.member[owner[whole]] * count + shown[whole])
    hidden = ~np.isin(view * count + movie, owner * count + shown)
    view, movie = view[hidden], movie[hidden]
    return Pairs(view, movie, played[hidden], 1 / (count * chance[movie]))


def logistic_regression(inputs: Array, truth: NDArray[np.bool_], weight: Array) -> Array:
    """Return the (D,) weights of a logistic regression on inputs (N, D), with a normal prior about POPULARITY."""
    weights = POPULARITY.copy()
    for _ in range(STEPS):
        probability = probability_of(inputs, weights)
        slope = (inputs * (weight * (truth - probability))[:, None]).sum(axis=0) - (weights - POPULARITY)
        curvature = (inputs * (weight * probability * (1 - probability))[:, None]).T @ inputs
        weights = weights + np.linalg.solve(curvature + np.eye(len(weights)), slope)
    return weights
