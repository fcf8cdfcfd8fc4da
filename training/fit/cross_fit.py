"""Cross-fits the prior: each fold of raters is predicted by a prior that was fitted without their ratings."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import of_attributes
from model.prediction.prior.prior import Prior
from training.data.dataset import Dataset
from training.data.never_rater_views import Views
from training.data.passes.passes import Passes
from training.data.passes.side_by_side import side_by_side
from training.data.passes.visible_facts import SummedColumns, VisibleFacts, facts_of_views, play_inputs
from training.fit.folds import FoldedData
from training.fit.prior.fit_prior import FittedPrior, fit_prior
from training.fit.prior.inputs import input_count
from training.fit.prior.kept_priors import kept_prior
from training.settings import PriorSettings, Report

Array = NDArray[np.float64]

CHUNK = 4096
"""Maximum number of views to which a prior is applied at once."""
WARM_RATINGS = 5_000_000
"""Number of ratings from which priors without a fold begin with the movies of the prior of all. With fewer, they would
keep a trace of the fold."""
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
    folded: FoldedData,
    seed: int,
    settings: PriorSettings,
    report: Report,
    weight: Array,
    folder: Path,
) -> tuple[FittedPrior, OutOfFold]:
    """Fit one prior to all raters, and one without each fold, and apply the latter to the views of their fold.

    `weight` (N,) weights the members in the regressions. Fitted priors are kept in the folder.
    """

    paths = [folder / f"prior-{number}.arrays" for number in range(folded.folds + 1)]
    steps = count()
    all_steps = sum(settings.rounds + 2 for path in paths if not path.exists())

    def fit(number: int, begin: FittedPrior | None) -> FittedPrior:
        name = "prior of all" if number == folded.folds else f"prior {number + 1} of {folded.folds} out of fold"
        random = np.random.default_rng([seed, 3, number])
        learned = folded.learned(number, weight)
        return kept_prior(
            paths[number],
            lambda: fit_prior(
                passes,
                folded.data,
                learned,
                random,
                settings,
                lambda step: report(f"{name}: {step}", min(next(steps) / max(all_steps, 1), 1.0)),
                begin,
            ),
        )

    with ThreadPoolExecutor(FITS_AT_ONCE) as pool:  # not the executor of the passes, for which a fit waits
        try:
            whole = pool.submit(fit, folded.folds, None)
            begin = whole.result() if folded.statistics.whole.ratings.sum() >= WARM_RATINGS else None
            fitted = list(pool.map(partial(fit, begin=begin), range(folded.folds)))
        except BaseException:
            passes.stop()  # else the pool would wait for fits under way to finish
            raise
    return whole.result(), apply_out_of_fold(fitted, folded.data, folded.views, folded.view_folds)


def apply_out_of_fold(fitted: Sequence[FittedPrior], data: Dataset, views: Views, fold: NDArray[np.int64]) -> OutOfFold:
    """Compute out-of-fold outputs for views; `fold` (V,) is the fold of each view's member."""
    facts = facts_of_views(views, len(data.movie_ids), slice(0, len(views.member)))
    factors: dict[MemberEvidence, Array] = {}
    distance: dict[MemberEvidence, Array] = {}
    inputs = np.zeros((len(fold), input_count(fitted[0].prior.columns)))
    priors, parts = [], []
    for number, prior in enumerate(fitted):
        own = np.flatnonzero(fold == number)
        of_fold = [own[start : start + CHUNK] for start in range(0, len(own), CHUNK)]
        priors += [prior.prior] * len(of_fold)
        parts += of_fold
    applied = side_by_side(lambda prior, part: apply_prior(prior, data.schema, facts.take(part)), priors, parts)
    for part, outputs in zip(parts, applied, strict=True):
        inputs[part] = outputs.inputs
        for joined, by_evidence in ((factors, outputs.factors), (distance, outputs.distance)):
            for evidence, values in by_evidence.items():
                empty = np.full((len(fold), *values.shape[1:]), np.nan)
                joined.setdefault(evidence, empty)[part] = values
    return OutOfFold(tuple(fitted), fold, factors, inputs, distance)


def apply_prior(prior: Prior, schema: Schema, facts: VisibleFacts) -> PriorOutputs:
    """Predict the factors of each view from each kind of evidence, with the distances from the landmarks."""
    inputs = play_inputs(facts, SummedColumns.of(prior.columns))
    attributes = of_attributes(facts.attributes, schema)
    factors, distance = {MemberEvidence.NOTHING: np.tile(prior.average_member, (len(inputs), 1))}, {}
    for evidence in prior.heads:
        usable = facts.kinds.cover(evidence)
        predicted, nearest = prior.predict(evidence, inputs, attributes, facts.play_count)
        factors[evidence] = np.where(usable[:, None], predicted, np.nan)
        distance[evidence] = np.where(usable, nearest, np.nan)
    return PriorOutputs(factors, distance, inputs)
