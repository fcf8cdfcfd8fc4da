"""Priors fitted without some raters, and what they say of those raters as if they never rated."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import of_attributes
from model.prediction.prior.prior import Prior
from training.data.dataset import Dataset
from training.data.views import Views
from training.fit.prior.fit_prior import FittedPrior, fit_prior
from training.fit.prior.inputs import play_features, play_inputs
from training.settings import PriorSettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFold:
    """For each view, what the prior that never saw its member says; V views, K factors."""

    fitted: tuple[FittedPrior, ...]
    """The prior without each fold."""
    fold: NDArray[np.int64]
    """(V,) the fold of the view's member."""
    factors: dict[MemberEvidence, Array]
    """(V, K) factors predicted from each kind of evidence; NaN where the view doesn't have it."""
    inputs: Array
    """(V, I) inputs from plays, in the terms of the fold's prior."""
    distance: dict[MemberEvidence, Array]
    """(V,) how far each view lies from the nearest landmark of the regression, for each kind of evidence that has one;
    NaN where the view doesn't have it."""


@dataclass(frozen=True)
class Applied:
    """What a prior says of V views."""

    factors: dict[MemberEvidence, Array]
    """(V, K) for each kind of evidence; NaN where the view lacks it."""
    distance: dict[MemberEvidence, Array]
    """(V,) from the nearest landmark; NaN where the view lacks the evidence."""
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
    """The prior of all raters, and one without each fold of them, applied to the views of that fold.

    `weight` is (N,) what each member counts in the regressions; all alike where there is none.
    Fits run side by side in so many threads: what they wait for is linear algebra, which lets others run.
    """
    raters = data.raters
    fold_of = np.full(len(data.member_ids), -1)
    fold_of[raters] = np.random.default_rng([seed, 2]).permutation(len(raters)) % folds
    fold = fold_of[views.member]

    def fit(number: int) -> tuple[FittedPrior, Applied]:
        name = "prior of all" if number == folds else f"prior {number + 1} of {folds} out of fold"
        random = np.random.default_rng([seed, 3, number])
        learned = data if number == folds else data.hiding_ratings_of(fold_of == number)
        fitted = fit_prior(learned, views, random, settings, lambda step: report(f"{name}: {step}"), weight)
        return fitted, apply_prior(fitted.prior, data, views.only(fold == number))

    with ThreadPoolExecutor(workers) as pool:
        fits = list(pool.map(fit, range(folds + 1)))
    out_of_fold = tuple(fitted for fitted, _ in fits[:folds])
    return fits[folds][0], _gathered(out_of_fold, fold, [applied for _, applied in fits[:folds]])


def apply_out_of_fold(fitted: Sequence[FittedPrior], data: Dataset, views: Views, fold: NDArray[np.int64]) -> OutOfFold:
    """What the priors without each fold say of other views, whose members are of those (V,) folds."""
    applied = [apply_prior(one.prior, data, views.only(fold == number)) for number, one in enumerate(fitted)]
    return _gathered(fitted, fold, applied)


def _gathered(
    fitted: Sequence[FittedPrior],
    fold: NDArray[np.int64],
    applied: Sequence[Applied],
) -> OutOfFold:
    """What was said of the views of each fold, in the order of all views."""
    factors: dict[MemberEvidence, Array] = {}
    distance: dict[MemberEvidence, Array] = {}
    inputs = np.zeros((len(fold), applied[0].inputs.shape[1]))
    for number, one in enumerate(applied):
        inputs[fold == number] = one.inputs
        for gathered, found in ((factors, one.factors), (distance, one.distance)):
            for evidence, values in found.items():
                empty = np.full((len(fold), *values.shape[1:]), np.nan)
                gathered.setdefault(evidence, empty)[fold == number] = values
    return OutOfFold(tuple(fitted), fold, factors, inputs, distance)


def apply_prior(prior: Prior, data: Dataset, views: Views) -> Applied:
    """What the prior says of each view from each kind of evidence."""
    columns = prior.columns
    inputs = play_inputs(views, play_features(views, columns.columns, list(columns.names)), columns)
    attributes = of_attributes(views.attributes, data.schema)
    plays, known = views.play_count > 0, views.shows_attributes
    factors, distance = {MemberEvidence.NOTHING: np.tile(prior.average_member, (len(inputs), 1))}, {}
    for evidence in prior.heads:
        usable = (plays | (not evidence.has_plays)) & (known | (not evidence.has_attributes))
        found, far = prior.predict(evidence, inputs, attributes, views.play_count)
        factors[evidence] = np.where(usable[:, None], found, np.nan)
        distance[evidence] = np.where(usable, far, np.nan)
    return Applied(factors, distance, inputs)
