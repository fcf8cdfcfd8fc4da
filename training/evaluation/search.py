"""Searches for settings of the fit with a low error on raters not used for fitting, using Optuna."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.dataset import Dataset
from training.data.passes.passes import passes_in_threads
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
"""Ranges of the settings to search, all on a logarithmic scale. Settings that only trade time for accuracy, such as the
number of folds, are left out. The ranges keep the trees small enough to serve."""


@dataclass(frozen=True)
class SearchResult:
    """The best settings of the fit that a search found, and their error."""

    settings: FitSettings
    """Settings of the best trial, which may be the initial settings."""
    error: float
    """Error (RMSE) of the best trial on raters that its models were not fitted on."""
    first_error: float
    """The same error of the initial settings."""
    trials: int
    """Number of finished trials."""


def tune(
    data: Dataset,
    begin: FitSettings,
    trials: int | None,
    seconds: float | None,
    seed: int,
    workers: int,
    report: Callable[[str], None],
) -> SearchResult:
    """Search for the settings of the fit with the lowest error, and return the best that were found.

    The search ends after `trials` trials or `seconds` seconds, whichever comes first; None means no limit. The first
    trial, with the settings `begin`, is always finished. The same seed gives the same trials. `report` is
    called with a line for each trial.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=False)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({place: value_at(begin, place) for place in SEARCHED}, skip_if_exists=False)

    def objective(trial: optuna.Trial) -> float:
        settings = suggested_settings(trial, begin) if trial.number else begin
        error = out_of_fold_error(data, settings, seed, workers)
        best = min([error, *(other.value for other in study.get_trials(deepcopy=False) if other.value is not None)])
        report(f"trial {trial.number + 1}: {error:.5f}, best {best:.5f}")
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
    return SearchResult(settings, float(best.value or 0.0), float(finished[0].value or 0.0), len(finished))


def suggested_settings(trial: optuna.Trial, begin: FitSettings) -> FitSettings:
    """Return the settings of the fit that Optuna suggests for a trial; others are taken from `begin`."""
    settings = begin
    for place, (low, high) in SEARCHED.items():
        if isinstance(value_at(begin, place), int):
            value: float = trial.suggest_int(place, int(low), int(high), log=True)
        else:
            value = float(f"{trial.suggest_float(place, low, high, log=True):.4g}")
        settings = with_value(settings, place, value)
    return settings


def out_of_fold_error(data: Dataset, settings: FitSettings, seed: int, workers: int) -> float:
    """Fit a model and return its error (RMSE) on raters it was not fitted on, a mean over kinds of evidence.

    NOTHING doesn't count.
    """
    with passes_in_threads(workers) as passes:
        fit = fit_model(passes, data, seed, settings, lambda _: None)
    scale = data.schema.scale
    errors = [
        rmse(np.clip(predictions.rating, scale.low, scale.high), predictions.rows.rating)
        for (member, movie), predictions in fit.predictions.items()
        if movie is MovieEvidence.RATED and member is not MemberEvidence.NOTHING
    ]
    return float(np.mean(errors))


def _as_plain(settings: FitSettings) -> dict[str, Any]:
    return {place: value_at(settings, place) for place in SEARCHED}
