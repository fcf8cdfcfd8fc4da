"""Prior means of the raters' factors: out-of-fold predictions from their own facts."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import MovieColumns
from training.fit.prior.inputs import BLOCK_WEIGHTS, input_count
from training.fit.prior.kernel_ridge import Scaling, draw
from training.fit.prior.raters import FactorRows, FactorTargets, Inputs, Raters, average_of

Array = NDArray[np.float64]

ALONE = 1 / BLOCK_WEIGHTS["attributes"]
"""Factor of the attributes' scale in a regression on attributes alone, which gives their block weight 1."""
ATTRIBUTES_LEAD = (1.0, 0.3)
"""Factors of the plays' scale to try if attributes get weight 1 in the regression on plays and attributes. With few
raters, attributes can predict better than plays. Cross-validation chooses between these and the usual weights."""
TRIAL_ROWS, TRIAL_LANDMARKS = 6000, 200
"""Maximum numbers of views, drawn at random, and of landmarks in the regressions that are compared for this choice."""


def prior_means(
    raters: Raters,
    targets: Sequence[FactorTargets],
    columns: MovieColumns,
    lead: int | None,
    random: np.random.Generator,
) -> tuple[tuple[Array, ...], int]:
    """Predict (U, K) factors of the raters by partition, from regressions that weren't fitted on them.

    `lead` is the number of the scaling in `scalings`; if it is None, the best one is chosen. It is returned, too.
    """
    views = raters.views(MemberEvidence.PLAYS, short=False)
    sources, inputs = raters.sources(targets, views), raters.inputs(MemberEvidence.ATTRIBUTES_AND_PLAYS, columns)
    candidates = scalings(raters.scaling(inputs, sources, random), input_count(columns))
    lead = _best(raters, inputs, sources, candidates, random) if lead is None else lead
    fitted = raters.fit(inputs, sources, candidates[lead], raters.settings.with_plays, random)
    predictions = raters.passes.collect(partial(fitted.out_of_fold, inputs.rows), sources)
    return tuple(map(partial(_mean_of_views, average_of(targets)), sources, predictions)), lead


def _best(
    raters: Raters,
    inputs: Inputs,
    sources: Sequence[FactorRows],
    candidates: Sequence[Scaling],
    random: np.random.Generator,
) -> int:
    """Return the number of the scaling with the smallest out-of-fold error, on a sample of the rows."""
    if len(candidates) == 1:
        return 0
    kernel = raters.settings.with_plays
    few = kernel.model_copy(update={"landmarks": min(kernel.landmarks, TRIAL_LANDMARKS)})
    drawn = draw([len(source) for source in sources], TRIAL_ROWS, random)
    tried = [replace(source, views=source.views[rows]) for source, rows in zip(sources, drawn, strict=True)]
    return int(np.argmin([raters.fit(inputs, tried, scaling, few, random).error for scaling in candidates]))


def _mean_of_views(average: Array, source: FactorRows, predictions: Array) -> Array:
    """Return (U, K) means of the predictions (N, K) of each rater's views, or the average (K,) without views."""
    count = len(source.targets.factors)
    total = np.zeros((count, len(average)))
    np.add.at(total, source.owner, predictions)
    views = np.bincount(source.owner, minlength=count)[:, None]
    return np.where(views > 0, total / np.maximum(views, 1), average)


def scalings(scaling: Scaling, plays: int) -> list[Scaling]:
    """Return candidate scalings of plays and attributes: the usual one, then one for each factor in ATTRIBUTES_LEAD.

    `plays` is the number of inputs from plays, which come first.
    """
    scale = scaling.scale
    if len(scale) == plays:
        return [scaling]
    leading = [np.concatenate([scale[:plays] * share, scale[plays:] * ALONE]) for share in ATTRIBUTES_LEAD]
    return [scaling, *(scaling._replace(scale=candidate) for candidate in leading)]
