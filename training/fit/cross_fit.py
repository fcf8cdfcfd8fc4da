"""Cross-fits the prior: each fold of raters is predicted by a prior that was fitted without their ratings."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import of_attributes
from model.prediction.prior.prior import Prior
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.passes import Passes
from training.fit.prior.fit_prior import FittedPrior, fit_prior
from training.fit.prior.member_partition import member_partitions
from training.fit.prior.visible_facts import VisibleFacts, facts_of_views, play_inputs
from training.settings import PriorSettings

Array = NDArray[np.float64]

FITS_AT_ONCE = 2
"""Number of priors that are fitted at the same time, so that one solves its equations while the other runs a pass."""


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
    passes: Passes,
    data: Dataset,
    views: Views,
    folds: int,
    seed: int,
    settings: PriorSettings,
    report: Callable[[str], None],
    weight: Array | None = None,
) -> tuple[FittedPrior, OutOfFold]:
    """Fit one prior to all raters, and one without each fold, and apply the latter to the views of their fold.

    `weight` (N,) weights the members in the regressions; without it, all members have equal weight.
    """
    raters = data.raters
    fold_of = np.full(len(data.member_ids), -1)
    fold_of[raters] = np.random.default_rng([seed, 2]).permutation(len(raters)) % folds
    fold = fold_of[views.member]
    partitions = member_partitions(data, views, weight)

    def fit(number: int) -> tuple[FittedPrior, PriorOutputs | None]:
        name = "prior of all" if number == folds else f"prior {number + 1} of {folds} out of fold"
        random = np.random.default_rng([seed, 3, number])
        learned = data.hiding_ratings_of(fold_of == number)
        parts = [part.keeping(fold_of != number) for part in partitions]
        fitted = fit_prior(passes, parts, learned, random, settings, lambda step: report(f"{name}: {step}"))
        if number == folds:
            return fitted, None
        held_out = [part.keeping(fold_of == number).facts for part in partitions]
        return fitted, _joined(passes.collect(partial(apply_prior, fitted.prior, data.schema), held_out))

    with ThreadPoolExecutor(FITS_AT_ONCE) as pool:  # not the executor of the passes, for which a fit waits
        fits = list(pool.map(fit, range(folds + 1)))
    fitted = [fitted for fitted, _ in fits]
    return fitted[folds], _in_order_of_views(fitted[:folds], fold, [outputs for _, outputs in fits if outputs])


def apply_out_of_fold(fitted: Sequence[FittedPrior], data: Dataset, views: Views, fold: NDArray[np.int64]) -> OutOfFold:
    """Compute out-of-fold outputs for other views; `fold` (V,) is the fold of each view's member."""
    facts = facts_of_views(views, len(data.movie_ids), slice(0, len(views.member)))
    outputs = [
        apply_prior(prior.prior, data.schema, facts.take(np.flatnonzero(fold == number)))
        for number, prior in enumerate(fitted)
    ]
    return _in_order_of_views(fitted, fold, outputs)


def _joined(parts: Sequence[PriorOutputs]) -> PriorOutputs:
    """Join the outputs for views of several partitions."""
    factors, distance = (
        {
            evidence: np.concatenate([getattr(part, name)[evidence] for part in parts])
            for evidence in getattr(parts[0], name)
        }
        for name in ("factors", "distance")
    )
    return PriorOutputs(factors, distance, np.concatenate([part.inputs for part in parts]))


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


def apply_prior(prior: Prior, schema: Schema, facts: VisibleFacts) -> PriorOutputs:
    """Predict the factors of each view from each kind of evidence, with the distances from the landmarks."""
    inputs = play_inputs(facts, prior.columns)
    attributes = of_attributes(facts.attributes, schema)
    factors, distance = {MemberEvidence.NOTHING: np.tile(prior.average_member, (len(inputs), 1))}, {}
    for evidence in prior.heads:
        usable = facts.show(evidence)
        predicted, nearest = prior.predict(evidence, inputs, attributes, facts.play_count)
        factors[evidence] = np.where(usable[:, None], predicted, np.nan)
        distance[evidence] = np.where(usable, nearest, np.nan)
    return PriorOutputs(factors, distance, inputs)
