"""Priors fitted without some raters, and what they say of those raters as if they never rated."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.evidence import MemberEvidence
from model.inputs import of_attributes
from model.prior import Prior
from training.dataset import Dataset
from training.prior import FittedPrior, PriorSettings, fit_prior, play_features, play_inputs
from training.views import Views

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


def fit_out_of_fold(
    data: Dataset,
    views: Views,
    folds: int,
    random: np.random.Generator,
    settings: PriorSettings,
    report: Callable[[str], None],
) -> OutOfFold:
    """One prior for each fold of the raters, applied to the views of that fold."""
    raters = data.raters
    fold_of = np.full(len(data.member_ids), -1)
    fold_of[raters] = random.permutation(len(raters)) % folds
    fold = fold_of[views.member]
    factors: dict[MemberEvidence, Array] = {}
    fitted, inputs = [], np.empty((len(fold), 0))
    for number in range(folds):
        apart = fit_prior(
            data.hiding_ratings_of(fold_of == number), views, random, settings,
            partial(_report_fold, report, f"prior {number + 1} of {folds} out of fold"),
        )  # fmt: skip
        rows = np.flatnonzero(fold == number)
        found, features = apply_prior(apart.prior, data, views)
        if not inputs.shape[1]:
            inputs = np.zeros((len(fold), features.shape[1]))
        inputs[rows] = features[rows]
        for evidence, values in found.items():
            factors.setdefault(evidence, np.full((len(fold), values.shape[1]), np.nan))[rows] = values[rows]
        fitted.append(apart)
    return OutOfFold(tuple(fitted), fold, factors, inputs)


def _report_fold(report: Callable[[str], None], fold: str, step: str) -> None:
    report(f"{fold}: {step}")


def apply_prior(prior: Prior, data: Dataset, views: Views) -> tuple[dict[MemberEvidence, Array], Array]:
    """Factors of each view from each kind of evidence, and the inputs from plays; NaN where the view lacks it."""
    columns = prior.columns
    inputs = play_inputs(views, play_features(views, columns.columns, list(columns.names)), columns)
    attributes = of_attributes(views.attributes, data.schema)
    plays, known = views.play_count > 0, views.shows_attributes
    parts = {
        MemberEvidence.PLAYS: (inputs, plays),
        MemberEvidence.ATTRIBUTES: (attributes, known),
        MemberEvidence.ATTRIBUTES_AND_PLAYS: (np.concatenate([inputs, attributes], axis=1), plays & known),
    }
    found = {MemberEvidence.NOTHING: np.tile(prior.average_member, (len(inputs), 1))}
    for evidence, head in prior.heads.items():
        given, usable = parts[evidence]
        found[evidence] = np.where(usable[:, None], head.predict(given), np.nan)
    return found, inputs
