"""What each movie's ratings lie above or below the prior, by kind of evidence.

The factorization's quality of a movie is that of an average member; the people who choose a movie aren't average. The
less is known of a member, the more of that has to be made good: with nothing known the prior becomes the movie's mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.prior import rating_of
from training.fit.prior.fit_prior import FittedPrior

Array = NDArray[np.float64]

SHARE_SPREAD = 0.5
"""Standard deviation of how far the share at one number of plays may lie from that at the next."""
SMALLEST_VARIANCE = 1e-9
"""Where all ratings are foreseen."""
STRENGTHS = (0.5, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 300.0, 1000.0, 1e9)
"""Candidates: an offset is drawn towards the mean residual as if so many ratings had shown just that."""


@dataclass(frozen=True)
class FittedOffsets:
    """Offsets of M movies for one kind of evidence."""

    movies: Array
    """(M,) from all rows."""
    out_of_fold: Array
    """(folds, M) from the rows of all other folds."""


def fit_offsets(
    residual: Array, movie: NDArray[np.int64], fold: NDArray[np.int64], movie_count: int, weight: Array
) -> FittedOffsets:
    """Offsets from N out-of-fold residuals of those weights, their strength chosen by how well they hold elsewhere."""
    count = np.zeros((int(fold.max(initial=0)) + 1, movie_count))
    total = np.zeros_like(count)
    np.add.at(count, (fold, movie), weight)
    np.add.at(total, (fold, movie), weight * residual)
    best, best_error = FittedOffsets(np.zeros(movie_count), np.zeros_like(count)), float(np.mean(weight * residual**2))
    for strength in STRENGTHS:
        out_of_fold = np.stack(
            [
                _shrunk(total.sum(axis=0) - total[part], count.sum(axis=0) - count[part], strength)
                for part in range(len(count))
            ]
        )
        error = float(np.mean(weight * (residual - out_of_fold[fold, movie]) ** 2))
        if error < best_error:
            best_error = error
            best = FittedOffsets(_shrunk(total.sum(axis=0), count.sum(axis=0), strength), out_of_fold)
    return best


def shrinkage_by_plays(residual: Array, step: Array, bins: NDArray[np.int64], count: int, weight: Array) -> Array:
    """(B,) how far, 0 to 1, offsets with plays are followed at each number of plays, in place of those without.

    The fewer plays are known, the more a member is like one of whom none are, and so are the offsets. `residual` (N,)
    is what held-out ratings lie above the prior with the offsets without plays, `step` (N,) how much more those with
    plays add, `bins` (N,) the bins of the members' plays, of which there are `count`; the last has 1. Least squares for
    each bin, drawn towards the next bin's share: a normal prior of SHARE_SPREAD.
    """
    shares = np.ones(count)
    spread = float(np.average(residual**2, weights=weight)) if len(residual) else 0.0
    pull = max(spread, SMALLEST_VARIANCE) / SHARE_SPREAD**2
    for number in reversed(range(count - 1)):
        inside = bins == number
        power = float(np.sum(weight[inside] * step[inside] ** 2))
        gain = float(np.sum(weight[inside] * step[inside] * residual[inside]))
        shares[number] = np.clip((gain + pull * shares[number + 1]) / (power + pull), 0, 1)
    return shares


def movie_mean_offsets(fitted: FittedPrior) -> Array:
    """(M,) what makes the prior of a member of whom nothing is known the movie's shrunk mean.

    The prior doesn't vary between such members, so that no out-of-fold residual is needed.
    """
    prior = fitted.prior
    return np.asarray(fitted.table["quality"].to_numpy() - rating_of(prior.average_member, prior.movies))


def _shrunk(total: Array, count: Array, strength: float) -> Array:
    mean = total.sum() / max(count.sum(), 1)
    return np.asarray((total + strength * mean) / (count + strength))
