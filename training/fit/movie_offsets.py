"""Fits offsets of the movies: shrunk mean residuals of the prior, by kind of evidence.

The factorization's quality of a movie is that for an average member, but members who choose a movie aren't average. The
less is known of a member, the larger that bias; with nothing known, the offset turns the prior into the movie's mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.prior import rating_of
from training.fit.prior.fit_prior import FittedPrior

Array = NDArray[np.float64]

SHARE_SPREAD = 0.5
"""Prior standard deviation of the difference between the shrinkage weights of neighbouring bins of plays."""
SMALLEST_VARIANCE = 1e-9
"""Floor of the residual variance, for data that the prior predicts exactly."""
STRENGTHS = (0.5, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 300.0, 1000.0, 1e9)
"""Candidates of the shrinkage: number of ratings with which the mean residual counts in each movie's offset."""


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
    """Offsets from N weighted out-of-fold residuals; the strength has the smallest cross-validated squared error."""
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
    """(B,) shrinkage weights, 0 to 1, of the offsets with plays against those without, for each bin of plays.

    A member of few known plays resembles members without plays. `residual` (N,) is the held-out rating less the prior
    with the offsets without plays, `step` (N,) the offset with plays less that without, `bins` (N,) the bins of the
    members' plays, 0 to `count` - 1; the last has weight 1. Weighted least squares in each bin, with a normal prior
    around the next bin's weight whose standard deviation is SHARE_SPREAD.
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
    """(M,) shrunk movie mean less the prior of a member without any facts.

    That prior is the same for all such members, so that no out-of-fold residual is needed.
    """
    prior = fitted.prior
    return np.asarray(fitted.table["quality"].to_numpy() - rating_of(prior.average_member, prior.movies))


def _shrunk(total: Array, count: Array, strength: float) -> Array:
    mean = total.sum() / max(count.sum(), 1)
    return np.asarray((total + strength * mean) / (count + strength))
