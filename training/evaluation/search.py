"""Searches settings of a fit by how well held-out raters are predicted, with Optuna."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.dataset import Dataset
from training.evaluation.scores import rmse
from training.fit.fit_model import fit_model
from training.settings import FitSettings, value_at, with_value

SEARCHED: dict[str, tuple[float, float]] = {
    "prior.rank": (4, 32),
    "prior.sweeps_per_round": (1, 6),
    "prior.embedding": (20, 300),
    "prior.prior_ratings": (2, 200),
    "prior.with_plays.gamma": (0.1, 3),
    "prior.with_plays.amplitude": (0.2, 6),
    "prior.attributes_only.gamma": (0.05, 3),
    "prior.attributes_only.amplitude": (0.1, 6),
    "trees.trees": (40, 200),
    "trees.leaves": (4, 32),
    "trees.learning_rate": (0.02, 0.2),
    "trees.leaf_rows": (20, 5000),
    "trees.ridge": (1, 1000),
}
"""What is searched, and within which ends, all on a logarithmic scale. What only buys accuracy for time (landmarks,
folds) stays as it is, and no forest gets larger than the service can answer with."""


@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    settings: FitSettings
    """The best of all that were tried; those that the search began with are among them."""
    error: float
    """Its error: RMSE on held-out raters, in the mean of all kinds of evidence about members."""
    first_error: float
    """That of the settings that it began with."""
    trials: int
    """How many were tried."""


def tune(
    data: Dataset,
    begin: FitSettings,
    trials: int | None,
    seconds: float | None,
    seed: int,
    workers: int,
    told: Callable[[str], None],
) -> Tuned:
    """Search until so many trials or seconds are over, whichever comes first; the same trials for the same seed.

    The first trial is what the search begins with, and is always made. Nothing but the raters of `data` judges: every
    prediction is out of fold, by member.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=False)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({place: value_at(begin, place) for place in SEARCHED}, skip_if_exists=False)

    def objective(trial: optuna.Trial) -> float:
        settings = suggested(trial, begin) if trial.number else begin
        error = error_of(data, settings, seed, workers)
        best = min([error, *(one.value for one in study.get_trials(deepcopy=False) if one.value is not None)])
        told(f"trial {trial.number + 1}: {error:.5f}, best {best:.5f}")
        trial.set_user_attr("settings", _as_plain(settings))
        return error

    study.optimize(objective, n_trials=1)
    taken = study.trials[0].duration
    left = None if seconds is None or taken is None else max(seconds - taken.total_seconds(), 0.0)
    if trials is None or trials > 1:
        study.optimize(objective, n_trials=None if trials is None else trials - 1, timeout=left)
    finished = [trial for trial in study.trials if trial.value is not None]
    best = min(finished, key=lambda trial: (trial.value, trial.number))
    settings = begin
    for place, value in best.user_attrs["settings"].items():
        settings = with_value(settings, place, value)
    return Tuned(settings, float(best.value or 0.0), float(finished[0].value or 0.0), len(finished))


def suggested(trial: optuna.Trial, begin: FitSettings) -> FitSettings:
    """The settings of one trial."""
    settings = begin
    for place, (low, high) in SEARCHED.items():
        if isinstance(value_at(begin, place), int):
            value: float = trial.suggest_int(place, int(low), int(high), log=True)
        else:
            value = float(f"{trial.suggest_float(place, low, high, log=True):.4g}")
        settings = with_value(settings, place, value)
    return settings


def error_of(data: Dataset, settings: FitSettings, seed: int, workers: int) -> float:
    """RMSE on held-out raters, in the mean of all kinds of evidence about members; of rated movies."""
    fit = fit_model(data, seed, settings, workers, lambda _: None)
    scale = data.schema.scale
    errors = [
        rmse(np.clip(judged.rating, scale.low, scale.high), judged.rows.rating)
        for (member, movie), judged in fit.predictions.items()
        if movie is MovieEvidence.RATED and member is not MemberEvidence.NOTHING
    ]
    return float(np.mean(errors))


def _as_plain(settings: FitSettings) -> dict[str, Any]:
    return {place: value_at(settings, place) for place in SEARCHED}
