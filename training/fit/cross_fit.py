"""Cross-fits the prior: each fold of raters is predicted by a prior that was fitted without their ratings."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import of_attributes
from model.prediction.prior.prior import Prior
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.fit.prior.fit_prior import FittedPrior, fit_prior
from training.fit.prior.inputs import play_features, play_inputs
from training.settings import PriorSettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold outputs of the priors for V views, with K factors."""

    fitted: tuple[FittedPrior, ...]
    """Priors by fold, each fitted without that fold."""
    fold: NDArray[np.int64]
    """(V,) fold of each view's member."""
    factors: dict[MemberEvidence, Array]
    """(V, K) predicted factors by kind of evidence; NaN for views without such evidence."""
    inputs: Array
    """(V, I) inputs from plays, computed with the movie columns of the fold's prior."""
    distance: dict[MemberEvidence, Array]
    """(V,) distance from the nearest landmark of the regression, by kind of evidence; NaN for views without such
    evidence. Kinds without a regression have no entry."""


@dataclass(frozen=True)
class PriorOutputs:
    """Outputs of one prior for V views."""

    factors: dict[MemberEvidence, Array]
    """(V, K) predicted factors by kind of evidence; NaN for views without such evidence."""
    distance: dict[MemberEvidence, Array]
    """(V,) distance from the nearest landmark, by kind of evidence; NaN for views without such evidence."""
    inputs: Array
    """(V, I) inputs from plays."""


def fit_priors(
    data: Dataset,
    views: Views,
    folds: int,
    seed: int,
    settings: PriorSettings,
    workers: int,
    report: Callable[[str], None],
    weight: Array | None = None,
) -> tuple[FittedPrior, OutOfFold]:
    """Fit one prior to all raters, and one without each fold, and apply the latter to the views of their fold.

    `weight` (N,) weights the members in the regressions; without it, all members have equal weight. The fits run in
    `workers` threads, since they spend their time in linear algebra, which releases the global interpreter lock.
    """
    raters = data.raters
    fold_of = np.full(len(data.member_ids), -1)
    fold_of[raters] = np.random.default_rng([seed, 2]).permutation(len(raters)) % folds
    fold = fold_of[views.member]

    def fit(number: int) -> tuple[FittedPrior, PriorOutputs]:
        name = "prior of all" if number == folds else f"prior {number + 1} of {folds} out of fold"
        random = np.random.default_rng([seed, 3, number])
        learned = data if number == folds else data.hiding_ratings_of(fold_of == number)
        fitted = fit_prior(learned, views, random, settings, lambda step: report(f"{name}: {step}"), weight)
        return fitted, apply_prior(fitted.prior, data, views.only(fold == number))

    with ThreadPoolExecutor(workers) as pool:
        fits = list(pool.map(fit, range(folds + 1)))
    out_of_fold = tuple(fitted for fitted, _ in fits[:folds])
    return fits[folds][0], _in_order_of_views(out_of_fold, fold, [outputs for _, outputs in fits[:folds]])


def apply_out_of_fold(fitted: Sequence[FittedPrior], data: Dataset, views: Views, fold: NDArray[np.int64]) -> OutOfFold:
    """Compute out-of-fold outputs for other views; `fold` (V,) is the fold of each view's member."""
    outputs = [apply_prior(prior.prior, data, views.only(fold == number)) for number, prior in enumerate(fitted)]
    return _in_order_of_views(fitted, fold, outputs)


def _in_order_of_views(
    fitted: Sequence[FittedPrior],
    fold: NDArray[np.int64],
    outputs: Sequence[PriorOutputs],
) -> OutOfFold:
    """Join the outputs of all folds' priors in the order of the views."""
    factors: dict[MemberEvidence, Array] = {}
    distance: dict[MemberEvidence, Array] = {}
    inputs = np.zeros((len(fold), outputs[0].inputs.shape[1]))
    for number, of_fold in enumerate(outputs):
        inputs[fold == number] = of_fold.inputs
        for joined, parts in ((factors, of_fold.factors), (distance, of_fold.distance)):
            for evidence, values in parts.items():
                empty = np.full((len(fold), *values.shape[1:]), np.nan)
                joined.setdefault(evidence, empty)[fold == number] = values
    return OutOfFold(tuple(fitted), fold, factors, inputs, distance)


def apply_prior(prior: Prior, data: Dataset, views: Views) -> PriorOutputs:
    """Predict the factors of each view from each kind of evidence, with the distances from the landmarks."""
    columns = prior.columns
    inputs = play_inputs(views, play_features(views, columns.columns, list(columns.names)), columns)
    attributes = of_attributes(views.attributes, data.schema)
    plays, known = views.play_count > 0, views.shows_attributes
    factors, distance = {MemberEvidence.NOTHING: np.tile(prior.average_member, (len(inputs), 1))}, {}
    for evidence in prior.heads:
        usable = (plays | (not evidence.has_plays)) & (known | (not evidence.has_attributes))
        predicted, nearest = prior.predict(evidence, inputs, attributes, views.play_count)
        factors[evidence] = np.where(usable[:, None], predicted, np.nan)
        distance[evidence] = np.where(usable, nearest, np.nan)
    return PriorOutputs(factors, distance, inputs)
