"""Fits the regressions to be served for each kind of evidence, their shrinkage, and the spread of their errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence
from model.prediction.calibration import PLAY_BINS, bin_of
from model.prediction.prior.kernel_regression import KernelRegression
from model.prediction.prior.member_inputs import MovieColumns
from training.data.never_rater_views import VIEWS
from training.fit.prior.factorization import Factors, KeptRatings, MemberUpdate
from training.fit.prior.inputs import input_count
from training.fit.prior.kernel_ridge import Places
from training.fit.prior.prior_means import ALONE, scalings
from training.fit.prior.raters import FactorRows, FactorTargets, Raters, average_of

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

PLAYS, ATTRIBUTES = MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES
BOTH = MemberEvidence.ATTRIBUTES_AND_PLAYS
FEW_PLAYS = 30
"""Number of plays from which the prediction from plays isn't shrunk towards the prediction without plays."""
FEWEST_VIEWS = 50
"""Minimum number of views to estimate a bin's shrinkage weight; with fewer, the next bin's weight is used."""


@dataclass(frozen=True)
class Heads:
    """Predictions of K factors for each kind of evidence."""

    average: Array
    """(K,) factors of a member about whom nothing is known."""
    regressions: Mapping[MemberEvidence, KernelRegression]
    """Regression for each kind of evidence that has rows."""
    shrinkage: Mapping[MemberEvidence, Array]
    """(bins,) shrinkage weights by kind of evidence with plays."""
    spread: Mapping[MemberEvidence, Array]
    """(K, K) covariance of the errors of predicted factors by kind of evidence."""


@dataclass(frozen=True)
class Fitted:
    """A regression with its out-of-fold predictions of its own rows."""

    regression: KernelRegression
    """The regression, fitted to all rows."""
    sources: Sequence[FactorRows]
    """Rows by partition."""
    predictions: Sequence[Floats]
    """(N, K) out-of-fold predictions by partition."""


class ShrinkageSums(NamedTuple):
    """Sums over views by bin of their number of plays, for least squares."""

    gain: Array
    """(bins,) weighted products of the step from a prediction without plays to one with plays, and its target."""
    power: Array
    """(bins,) weighted squares of the steps."""
    views: Array
    """(bins,) number of views."""


class SpreadSums(NamedTuple):
    """Sums over predictions from E kinds of evidence."""

    squares: Array
    """(E, K, K) expected outer products of the errors."""
    predictions: Array
    """(E,) number of predictions."""


def fit_heads(
    raters: Raters,
    factors: Factors,
    columns: MovieColumns,
    ratings_of_movie: Array,
    lead: int,
    random: np.random.Generator,
) -> Heads:
    """Fit a regression to the raters' factors for each kind of evidence.

    `ratings_of_movie` (M,) has numbers of ratings, and `lead` is the number of the scaling to use for all facts.
    """
    targets = raters.targets(factors)
    average = average_of(targets)
    fitted = _regressions(raters, targets, columns, lead, random)
    owners = {MemberEvidence.NOTHING: [np.flatnonzero(part.kept) for part in raters.ratings]}
    predicted: dict[MemberEvidence, Sequence[Floats]] = {
        MemberEvidence.NOTHING: [np.tile(average, (len(owner), 1)) for owner in owners[MemberEvidence.NOTHING]]
    }
    metric, shrinkage = _metric(factors, ratings_of_movie), {}
    for evidence, head in fitted.items():
        predictions = head.predictions
        if evidence.has_plays:
            base = _without_plays(head, fitted.get(ATTRIBUTES) if evidence.has_attributes else None, average)
            sums = raters.passes.sum(partial(_shrinkage_sums, metric), head.sources, predictions, base)
            shrinkage[evidence] = _shrinkage(sums)
            shrunk = partial(_shrunk, shrinkage[evidence])
            predictions = raters.passes.collect(shrunk, head.sources, predictions, base)
        owners[evidence], predicted[evidence] = [source.owner for source in head.sources], predictions
    regressions = {evidence: head.regression for evidence, head in fitted.items()}
    return Heads(average, regressions, shrinkage, _spread(raters, factors, owners, predicted))


def _regressions(
    raters: Raters,
    targets: Sequence[FactorTargets],
    columns: MovieColumns,
    lead: int,
    random: np.random.Generator,
) -> dict[MemberEvidence, Fitted]:
    """Fit the regression of each kind of evidence that has rows."""
    halves = raters.views(PLAYS, short=False)
    usual = raters.scaling(raters.inputs(BOTH, columns), raters.sources(targets, halves), random)
    plays = input_count(columns)
    alone = usual.part(slice(plays, None))
    with_plays, attributes_only = raters.settings.with_plays, raters.settings.attributes_only
    fitted = {}
    for evidence, scaling, kernel in (
        (PLAYS, usual.part(slice(plays)), with_plays),
        (BOTH, scalings(usual, plays)[lead], with_plays),
        (ATTRIBUTES, alone._replace(scale=alone.scale * ALONE), attributes_only),
    ):
        views = raters.views(evidence)
        if not evidence.has_plays:  # both half views of a member show the same attributes
            views = [part[part % VIEWS != 1] for part in views]
        sources, inputs = raters.sources(targets, views), raters.inputs(evidence, columns)
        if sum(map(len, sources)):
            regression = raters.fit(inputs, sources, scaling, kernel, random)
            predictions = raters.passes.collect(partial(regression.out_of_fold, inputs.rows), sources)
            fitted[evidence] = Fitted(regression.regression(), sources, predictions)
    return fitted


def _without_plays(head: Fitted, attributes: Fitted | None, average: Array) -> list[Array]:
    """Return (N, K) predictions without plays of a head's rows: from attributes, if any, else the average."""
    if attributes is None:
        return [np.tile(average, (len(source), 1)) for source in head.sources]
    return [
        _from_attributes(source, *alone, average)
        for source, alone in zip(
            head.sources, zip(attributes.sources, attributes.predictions, strict=True), strict=True
        )
    ]


def _from_attributes(source: FactorRows, alone: FactorRows, predictions: Floats, average: Array) -> Array:
    of_views = np.tile(average, (len(source.partition), 1))
    of_views[alone.views] = predictions
    of_views[1::VIEWS] = of_views[0::VIEWS]  # both half views of a member show the same attributes
    return of_views[source.views]


def _metric(factors: Factors, ratings_of_movie: Array) -> Array:
    """Return the (K, K) matrix of the squared error of ratings over all rated movies, as a function of factors."""
    design = factors.movies.mean.copy()
    design[:, -1] = 1
    return np.asarray((design * ratings_of_movie[:, None]).T @ design)


def _shrinkage_sums(metric: Array, source: FactorRows, predictions: Floats, base: Array) -> ShrinkageSums:
    targets, owner = source.targets, source.owner
    step = (predictions - base) @ metric * targets.weights[owner][:, None]
    gain = (step * (targets.factors[owner] - base)).sum(axis=1)
    power = (step * (predictions - base)).sum(axis=1)
    sums = [np.bincount(source.bins(), column, len(PLAY_BINS)).astype(np.float64) for column in (gain, power, None)]
    return ShrinkageSums(*sums)


def _shrinkage(sums: ShrinkageSums) -> Array:
    """Return (bins,) weights, 0 to 1, of predictions from plays relative to those without plays, by bin.

    The weights minimise the squared error of ratings over all rated movies. They are 1 from FEW_PLAYS plays.
    """
    share = np.ones(len(PLAY_BINS))
    for number in reversed(range(bin_of(FEW_PLAYS))):
        enough = sums.views[number] >= FEWEST_VIEWS and sums.power[number] > 0
        share[number] = np.clip(sums.gain[number] / sums.power[number], 0, 1) if enough else share[number + 1]
    return share


def _shrunk(shrinkage: Array, source: FactorRows, predictions: Floats, base: Array) -> Array:
    """Return (N, K) predictions from plays, shrunk towards those without plays."""
    share = shrinkage[source.bins()][:, None]
    return np.asarray(share * predictions + (1 - share) * base)


def _spread(
    raters: Raters,
    factors: Factors,
    owners: Mapping[MemberEvidence, Sequence[Places]],
    predictions: Mapping[MemberEvidence, Sequence[Floats]],
) -> dict[MemberEvidence, Array]:
    """Return the (K, K) mean outer product of the errors of predictions, by kind of evidence.

    By partition, `predictions` (N, K) are those of the raters `owners` (N,).
    """
    errors = partial(_spread_sums, MemberUpdate.of(factors))
    by_partition = (zip(*of_kinds.values(), strict=True) for of_kinds in (owners, predictions))
    sums = raters.passes.sum(errors, raters.ratings, factors.member_prior, *map(list, by_partition))
    means = sums.squares / np.maximum(sums.predictions, 1)[:, None, None]
    return dict(zip(owners, means, strict=True))


def _spread_sums(
    update: MemberUpdate, ratings: KeptRatings, prior: Array, owners: Sequence[Places], predictions: Sequence[Floats]
) -> SpreadSums:
    """Return the sums over the raters of a partition, whose posterior is computed once for all kinds of evidence."""
    members = update.posterior(ratings.centred(), prior[ratings.kept])
    place, squares = np.cumsum(ratings.kept) - 1, []
    for owner, predicted in zip(owners, predictions, strict=True):
        deviation = members.mean[place[owner]] - predicted
        count = np.bincount(place[owner], minlength=len(members.mean)).astype(np.float64)
        squares.append(deviation.T @ deviation + np.einsum("i,ijk->jk", count, members.cov))
    return SpreadSums(np.stack(squares), np.array([len(owner) for owner in owners], np.float64))
