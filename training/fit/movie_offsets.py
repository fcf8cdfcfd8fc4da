"""Fits movie offsets: shrunk mean residuals of the prior, by kind of evidence.

The factorization estimates a movie's quality for an average member, but members who choose a movie aren't average. This
bias grows as less is known about the member. If nothing is known, prior and offset add up to the movie's shrunk mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.prediction.prior.prior import rating_of
from training.fit.prior.fit_prior import FittedPrior

Array = NDArray[np.float64]

SHARE_SPREAD = 0.5
"""Prior standard deviation of the difference between shrinkage weights of neighbouring play-count bins."""
SMALLEST_VARIANCE = 1e-9
"""Lower bound of the residual variance, needed if the prior predicts the data exactly."""
STRENGTHS = (0.5, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 300.0, 1000.0, 1e9)
"""Candidate strengths: each offset is shrunk towards the overall mean residual as if by this many more ratings."""


@dataclass(frozen=True)
class FittedOffsets:
    """Offsets of M movies for one kind of evidence."""

    movies: Array
    """(M,) offsets fitted to all rows."""
    out_of_fold: Array
    """(folds, M) offsets for each fold, fitted to the rows of all other folds."""


def fit_offsets(
    residual: Array, movie: NDArray[np.int64], fold: NDArray[np.int64], movie_count: int, weight: Array
) -> FittedOffsets:
    """Fit offsets to N weighted out-of-fold residuals with the strength of the smallest cross-validated squared error.

    The offsets are 0 if no strength lowers the error.
    """
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
    """Return (B,) weights, 0 to 1, of offsets with plays in an average with offsets without plays, by bin.

    A member with few known plays resembles members without plays. `residual` (N,) is the rating minus the prior and the
    offset without plays, `step` (N,) the offset with plays minus the one without, and `bins` (N,) the play-count bin, 0
    to `count` - 1. The weights are fitted by weighted least squares in each bin, with a normal prior that is centred on
    the next bin's weight and has standard deviation SHARE_SPREAD. The last bin has weight 1.
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
    """Return (M,) the shrunk movie means minus the prior of a member without any facts.

    This prior is the same for all such members, so out-of-fold residuals aren't needed.
    """
    prior = fitted.prior
    return np.asarray(fitted.table["quality"].to_numpy() - rating_of(prior.average_member, prior.movies))


def _shrunk(total: Array, count: Array, strength: float) -> Array:
    mean = total.sum() / max(count.sum(), 1)
    return np.asarray((total + strength * mean) / (count + strength))
