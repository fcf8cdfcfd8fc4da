"""Searches for settings of the fit with a low error on raters not used for fitting, using Optuna."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.dataset import Dataset
from training.data.passes.passes import passes_in_threads
from training.errors import UsageError
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


Row = dict[str, float | int]
"""A finished trial: its number from 1, error (RMSE), seconds, and each of the settings SEARCHED by its name."""


@dataclass(frozen=True)
class StudyFile:
    """An SQLite file that keeps the trials of a search, for Optuna's tools and to go on with the search later."""

    path: Path
    """The file, which is created if it doesn't exist."""
    identity: Mapping[str, Any]
    """What the errors of trials depend on, such as the data; trials of another search aren't mixed with these."""


def tune(
    data: Dataset,
    begin: FitSettings,
    trials: int | None,
    seconds: float | None,
    seed: int,
    workers: int,
    report: Callable[[str], None],
    file: StudyFile | None = None,
    keep: Callable[[list[Row]], None] = lambda _: None,
) -> SearchResult:
    """Search for the settings of the fit with the lowest error, and return the best that were found.

    The search ends after `trials` trials or `seconds` seconds, whichever comes first; None means no limit. The first
    trial, with the settings `begin`, is always finished. The same seed gives the same trials. `report` is
    called with a line for each trial, and then `keep` with all finished trials.

    Trials that are in `file` already count, and the search goes on after them. Raises UsageError if they are of
    another search.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _study(file, seed)

    def objective(trial: optuna.Trial) -> float:
        settings = begin if trial.user_attrs.get("begin") else suggested_settings(trial, begin)
        trial.set_user_attr("settings", _as_plain(settings))
        return out_of_fold_error(data, settings, seed, workers)

    def show(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        finished = _finished(study)
        first, best = finished[0], _best(finished)
        seconds = 0.0 if trial.duration is None else trial.duration.total_seconds()
        place = f"{len(finished)}{'' if trials is None else f' of {trials}'}"
        gain = f"{100 * (1 - _error(trial) / _error(first)):+.2f} %" if _error(first) else ""
        report(f"trial {place}: {_error(trial):.5f} {gain}, {seconds:.1f} s; best {_error(best):.5f}")
        keep([_row(number, each) for number, each in enumerate(finished, 1)])

    left = seconds
    if not _finished(study):
        values = {place: value_at(begin, place) for place in SEARCHED}
        study.enqueue_trial(values, user_attrs={"begin": True}, skip_if_exists=False)
        study.optimize(objective, n_trials=1, callbacks=[show])
        taken = _finished(study)[0].duration
        left = None if seconds is None or taken is None else max(seconds - taken.total_seconds(), 0.0)
    more = None if trials is None else trials - len(_finished(study))
    if more is None or more > 0:
        study.optimize(objective, n_trials=more, timeout=left, callbacks=[show])
    finished = _finished(study)
    best = _best(finished)
    settings = begin
    for place, value in best.user_attrs["settings"].items():
        settings = with_value(settings, place, value)
    return SearchResult(settings, _error(best), _error(finished[0]), len(finished))


def _study(file: StudyFile | None, seed: int) -> optuna.Study:
    """Return the study of a search: a new one in memory, or that of a file.

    A study that goes on draws other random numbers than at its beginning.
    """
    storage = None if file is None else f"sqlite:///{file.path.absolute()}"
    study = optuna.create_study(storage=storage, study_name="coldstart tune", load_if_exists=True)
    if file is not None:
        identity = study.user_attrs.get("identity", dict(file.identity))
        if identity != file.identity:
            differing = ", ".join(sorted(name for name in file.identity if identity.get(name) != file.identity[name]))
            raise UsageError(f"{file.path} holds trials of another search, with another {differing}: name another file")
        study.set_user_attr("identity", dict(file.identity))
    random = seed if not study.trials else int(np.random.SeedSequence([seed, len(study.trials)]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=random, multivariate=False)
    return study


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the finished trials by number; the first one has the settings that the search began with."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.value is not None]


def _best(finished: list[optuna.trial.FrozenTrial]) -> optuna.trial.FrozenTrial:
    return min(finished, key=lambda trial: (_error(trial), trial.number))


def _error(trial: optuna.trial.FrozenTrial) -> float:
    return float(trial.value or 0.0)


def _row(number: int, trial: optuna.trial.FrozenTrial) -> Row:
    seconds = 0.0 if trial.duration is None else round(trial.duration.total_seconds(), 3)
    return {"trial": number, "error": _error(trial), "seconds": seconds, **trial.user_attrs["settings"]}


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
        fit = fit_model(passes, data, seed, settings, lambda *_: None)
    scale = data.schema.scale
    errors = [
        rmse(np.clip(predictions.rating, scale.low, scale.high), predictions.rows.rating)
        for (member, movie), predictions in fit.predictions.items()
        if movie is MovieEvidence.RATED and member is not MemberEvidence.NOTHING
    ]
    return float(np.mean(errors))


def _as_plain(settings: FitSettings) -> dict[str, Any]:
    return {place: value_at(settings, place) for place in SEARCHED}
