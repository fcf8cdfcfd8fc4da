"""Fits movie offsets: shrunk mean residuals of the prior, by kind of evidence.

The factorization estimates a movie's quality for an average member, but members who choose a movie aren't average. This
bias grows as less is known about the member. If nothing is known, prior and offset add up to the movie's shrunk mean.

The residuals of all ratings are summed up by movie in one pass. Squared errors of offsets follow from these sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from model.facts.evidence import MemberEvidence
from model.prediction.calibration import PLAY_BINS, bins_of
from model.prediction.prior.prior import Prior, rating_of
from training.data.never_rater_views import SHORT, VIEWS
from training.data.passes.member_partition import MemberPartition, views_of
from training.data.passes.passes import Passes
from training.fit.cross_fit import apply_prior
from training.fit.folds import FoldedData
from training.fit.prior.fit_prior import FittedPrior

Array = NDArray[np.float64]

SHARE_SPREAD = 0.5
"""Prior standard deviation of the difference between shrinkage weights of neighbouring play-count bins."""
SMALLEST_VARIANCE = 1e-9
"""Lower bound of the residual variance, needed if the prior predicts the data exactly."""
STRENGTHS = (0.5, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 300.0, 1000.0, 1e9)
"""Candidate strengths: each offset is shrunk towards the overall mean residual as if by this many more ratings."""
KINDS = tuple(evidence for evidence in MemberEvidence if not evidence.has_ratings)
HALF_VIEWS = len(PLAY_BINS)
"""Number of the group of half views; short views are in groups by bin of their number of plays."""


class ResidualSums(NamedTuple):
    """Sums over weighted out-of-fold residuals by kind of evidence (E), group of views (G), fold (F) and movie (M)."""

    weights: Array
    """(E, G, F, M) sums of weights."""
    total: Array
    """(E, G, F, M) sums of weighted residuals."""
    squares: Array
    """(E, G) sums of weighted squared residuals."""


@dataclass(frozen=True)
class FittedOffsets:
    """Offsets of M movies for one kind of evidence."""

    movies: Array
    """(M,) offsets fitted to all rows."""
    out_of_fold: Array
    """(folds, M) offsets for each fold, fitted to the rows of all other folds."""


def residual_sums(passes: Passes, folded: FoldedData, fitted: Sequence[FittedPrior], weight: Array) -> ResidualSums:
    """Sum up the residuals of all ratings that views hide, each predicted by the prior without its fold.

    `fitted` are the priors by fold, and `weight` (N,) weights the members.
    """
    return passes.sum(
        partial(_residual_sums, [prior.prior for prior in fitted], folded.data.schema),
        folded.partitions,
        [folded.fold_of[part.raters] for part in folded.partitions],
        [weight[part.raters] for part in folded.partitions],
    )


def _residual_sums(
    priors: Sequence[Prior], schema: Schema, partition: MemberPartition, fold_of: NDArray[np.int64], weight: Array
) -> ResidualSums:
    """Return the sums over a partition; `fold_of` and `weight` (U,) are those of its raters."""
    seen, movies = partition.seen(), partition.movies
    shape = len(KINDS), HALF_VIEWS + 1, len(priors), movies
    sums = ResidualSums(np.zeros(shape), np.zeros(shape), np.zeros(shape[:2]))
    group_of = bins_of(seen.facts.play_count)
    group_of[np.arange(len(partition)) % VIEWS != SHORT] = HALF_VIEWS
    for fold, prior in enumerate(priors):
        views = views_of(fold_of == fold)
        place = np.full(len(partition), -1)
        place[views] = np.arange(len(views))
        rows = np.flatnonzero(place[seen.hidden_view] >= 0)
        view, movie = seen.hidden_view[rows], seen.hidden_movie[rows].astype(np.int64)
        weights, cell = weight[view // VIEWS], group_of[view] * movies + movie
        for evidence, factors in apply_prior(prior, schema, seen.facts.take(views)).factors.items():
            predicted = prior.mean + rating_of(factors[place[view]], prior.movies[movie])
            residual, known = seen.hidden_rating[rows] - predicted, np.isfinite(predicted)
            of_evidence = np.where(known, weights, 0.0), np.where(known, weights * residual, 0.0)
            for sum_, values in zip(sums[:2], of_evidence, strict=True):
                of_cells = np.bincount(cell, values, (HALF_VIEWS + 1) * movies)
                sum_[KINDS.index(evidence), :, fold] = of_cells.reshape(-1, movies)
            squares = np.where(known, weights * residual**2, 0.0)
            sums.squares[KINDS.index(evidence)] += np.bincount(group_of[view], squares, HALF_VIEWS + 1)
    return sums


def fit_offsets(sums: ResidualSums, evidence: MemberEvidence) -> FittedOffsets:
    """Fit offsets to the residuals of half views with the strength of the smallest cross-validated squared error.

    The offsets are 0 if no strength lowers the error.
    """
    kind = KINDS.index(evidence)
    count, total = sums.weights[kind, HALF_VIEWS], sums.total[kind, HALF_VIEWS]
    best, best_gain = FittedOffsets(np.zeros(count.shape[1]), np.zeros_like(count)), 0.0
    for strength in STRENGTHS:
        out_of_fold = np.stack(
            [
                _shrunk(total.sum(axis=0) - total[part], count.sum(axis=0) - count[part], strength)
                for part in range(len(count))
            ]
        )
        gain = float(np.sum(out_of_fold * (2 * total - out_of_fold * count)))  # that of the squared error
        if gain > best_gain:
            best_gain = gain
            best = FittedOffsets(_shrunk(total.sum(axis=0), count.sum(axis=0), strength), out_of_fold)
    return best


def shrinkage_by_plays(
    sums: ResidualSums, evidence: MemberEvidence, with_plays: FittedOffsets, without_plays: FittedOffsets
) -> Array:
    """Return (B,) weights, 0 to 1, of offsets with plays in an average with offsets without plays, by play-count bin.

    A member with few known plays resembles members without plays. The weights are fitted to the residuals of short
    views by weighted least squares, as in `shares_by_bin`.
    """
    kind, short = KINDS.index(evidence), slice(0, HALF_VIEWS)
    count, total = sums.weights[kind, short], sums.total[kind, short]
    before, step = without_plays.out_of_fold, with_plays.out_of_fold - without_plays.out_of_fold
    squares = sums.squares[kind, short].sum() - np.sum(before * (2 * total - before * count))
    power = np.sum(step**2 * count, axis=(1, 2))
    gain = np.sum(step * (total - before * count), axis=(1, 2))
    return shares_by_bin(gain, power, squares / max(count.sum(), 1))


def shares_by_bin(gain: Array, power: Array, variance: float) -> Array:
    """Return (B,) weights, 0 to 1, by which a step towards a target is multiplied in each of B bins, by least squares.

    `gain` (B,) are sums of step times residual, `power` (B,) sums of squared steps, and `variance` is that of the
    residuals. Each weight has a normal prior that is centred on the next bin's weight and has standard deviation
    SHARE_SPREAD. The last bin has weight 1.
    """
    pull = max(variance, SMALLEST_VARIANCE) / SHARE_SPREAD**2
    shares = np.ones(len(gain))
    for number in reversed(range(len(gain) - 1)):
        shares[number] = np.clip((gain[number] + pull * shares[number + 1]) / (power[number] + pull), 0, 1)
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
