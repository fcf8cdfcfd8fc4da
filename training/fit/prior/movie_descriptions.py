"""Fits ridge regressions from movies' descriptions to their factors, with the penalty chosen by cross-validation."""

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
"""Number of ratings at which a movie has half of the full weight, since factors from few ratings are uncertain."""


def year_attribute(release_year: NDArray[np.float32]) -> Attribute:
    """Return the encoding of release years, with knots at their quantiles."""
    known = release_year[np.isfinite(release_year)]
    knots = np.unique(np.quantile(known, np.linspace(0, 1, YEAR_KNOTS))) if len(known) else np.empty(0)
    return Attribute("release_year", "numeric", knots=tuple(float(knot) for knot in knots))


def fit_description(
    data: Dataset, targets: NDArray[np.float64], ratings: NDArray[np.float64], random: np.random.Generator
) -> tuple[Description, NDArray[np.float64]]:
    """Fit a ridge regression from descriptions to (M, K) targets; return it and (M, K) out-of-fold predictions.

    `ratings` (M,) is the number of ratings of each movie. Movies without ratings are predicted but not fitted to.
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
        out_of_fold = _cross_fit(design[rated], targets[rated], weights, folds, ridge)
        errors.append(float(np.sum(weights[:, None] * ((out_of_fold - targets[rated]) / spread) ** 2)))
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
    """Return (N, K) out-of-fold predictions of weighted ridge regressions."""
    predictions = np.zeros_like(targets)
    for fold in range(FOLDS):
        learned, held_out = folds != fold, folds == fold
        if held_out.any():
            intercept, solution = _fit(design[learned], targets[learned], weights[learned], ridge)
            predictions[held_out] = intercept + design[held_out] @ solution
    return predictions


def _fit(
    design: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a weighted ridge regression; return its unpenalised intercept (K,) and its coefficients (D, K)."""
    total = max(float(weights.sum()), 1e-9)
    mean = weights @ targets / total
    middle = weights @ design / total
    centred = design - middle
    gram = (centred * weights[:, None]).T @ centred + ridge * np.eye(design.shape[1])
    solution = np.linalg.solve(gram, (centred * weights[:, None]).T @ (targets - mean))
    return np.asarray(mean - middle @ solution, np.float64), np.asarray(solution, np.float64)
