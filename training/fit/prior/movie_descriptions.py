"""Fits what descriptions of movies say of their factors, its strength chosen by cross-validation over movies."""

import numpy as np
from numpy.typing import NDArray

from features.movies import describe
from features.schema import Attribute
from model.prediction.prior.prior import Description
from training.data.dataset import Dataset

RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
FOLDS = 5
YEAR_KNOTS = 8
PRIOR_RATINGS = 10.0
"""A movie weighs as much as its factors are known: half of full weight at so many ratings."""


def year_attribute(release_year: NDArray[np.float32]) -> Attribute:
    """How release years are encoded: knots at their quantiles."""
    known = release_year[np.isfinite(release_year)]
    knots = np.unique(np.quantile(known, np.linspace(0, 1, YEAR_KNOTS))) if len(known) else np.empty(0)
    return Attribute("release_year", "numeric", knots=tuple(float(knot) for knot in knots))


def fit_description(
    data: Dataset, targets: NDArray[np.float64], ratings: NDArray[np.float64], random: np.random.Generator
) -> tuple[Description, NDArray[np.float64]]:
    """The ridge from descriptions to (M, K) targets, and (M, K) predictions of each movie by a fit without it.

    `ratings` (M,) tells how many ratings each movie has; those without are predicted, not learned from.
    """
    year = year_attribute(data.release_year)
    inputs = describe(data.release_year, data.genres, data.movie_attributes, year, data.schema.movie_attributes)
    rated = np.flatnonzero(ratings > 0)
    weights = ratings[rated] / (ratings[rated] + PRIOR_RATINGS)
    known = np.isfinite(inputs[rated])
    total = np.maximum((known * weights[:, None]).sum(axis=0), 1e-9)
    centre = (np.nan_to_num(inputs[rated]) * weights[:, None]).sum(axis=0) / total
    design = np.nan_to_num(inputs.astype(np.float64) - centre)
    folds = random.permutation(len(rated)) % FOLDS
    spread = targets[rated].std(axis=0) + 1e-9
    errors = []
    for ridge in RIDGES:
        apart = _cross_fit(design[rated], targets[rated], weights, folds, ridge)
        errors.append(float(np.sum(weights[:, None] * ((apart - targets[rated]) / spread) ** 2)))
    ridge = RIDGES[int(np.argmin(errors))]
    intercept, solution = _fit(design[rated], targets[rated], weights, ridge)
    predictions = intercept + design @ solution
    predictions[rated] = _cross_fit(design[rated], targets[rated], weights, folds, ridge)
    return Description(year, centre, intercept, solution), predictions


def _cross_fit(
    design: NDArray[np.float64],
    targets: NDArray[np.float64],
    weights: NDArray[np.float64],
    folds: NDArray[np.int64],
    ridge: float,
) -> NDArray[np.float64]:
    predictions = np.zeros_like(targets)
    for fold in range(FOLDS):
        seen, unseen = folds != fold, folds == fold
        if unseen.any():
            intercept, solution = _fit(design[seen], targets[seen], weights[seen], ridge)
            predictions[unseen] = intercept + design[unseen] @ solution
    return predictions


def _fit(
    design: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total = max(float(weights.sum()), 1e-9)
    mean = weights @ targets / total
    middle = weights @ design / total
    away = design - middle
    gram = (away * weights[:, None]).T @ away + ridge * np.eye(design.shape[1])
    solution = np.linalg.solve(gram, (away * weights[:, None]).T @ (targets - mean))
    return np.asarray(mean - middle @ solution, np.float64), np.asarray(solution, np.float64)
