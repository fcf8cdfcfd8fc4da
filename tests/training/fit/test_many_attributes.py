"""With hundreds of attributes of a thousand people, those that matter are used and the others cost no accuracy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.dataset import read_dataset
from training.data.passes.passes import passes_in_threads
from training.evaluation.baselines import mean_baselines
from training.evaluation.scores import rmse
from training.fit.fit_model import Fit, fit_model
from training.settings import RIDGES, FitSettings, KernelSettings, PriorSettings, TreeSettings

PEOPLE, MOVIES, RATED = 1000, 80, 24
ANSWERS, MATTER, FACTORS = 80, 8, 3
OF_ANSWERS, OWN, NOISE = 0.55, 0.35, 0.7
"""Standard deviations in stars: what answers say of a member, for each movie; what they don't; and of a rating."""


@dataclass(frozen=True)
class World:
    """A fit, and the best that anybody could predict who knew all but a member's own taste."""

    fit: Fit
    best: dict[tuple[int, int], float]
    """By rows of member and movie."""


def made(folder: Path, matters: bool) -> World:
    random = np.random.default_rng(1)
    answers = random.random((PEOPLE, ANSWERS)) < 0.5
    centred = (answers[:, :MATTER] - 0.5) * 2
    effects = random.normal(size=(MATTER, FACTORS)) / np.sqrt(MATTER)
    tastes = random.normal(size=(FACTORS, MOVIES)) / np.sqrt(FACTORS)
    own = random.normal(size=(PEOPLE, FACTORS)) / np.sqrt(1)
    effect = OF_ANSWERS * centred @ effects @ tastes if matters else np.zeros((PEOPLE, MOVIES))
    felt = 3.2 + 0.4 * random.normal(size=MOVIES) + effect
    rating = np.clip(felt + OWN * own @ tastes + NOISE * random.normal(size=felt.shape), 1, 5)
    pairs = [(member, movie) for member in range(PEOPLE) for movie in random.permutation(MOVIES)[:RATED]]
    member, movie = np.array(pairs).T
    folder.mkdir()
    members = {"member_id": [f"m{number:04}" for number in range(PEOPLE)]}
    pl.DataFrame(members | {f"answer_{number:02}": answers[:, number] for number in range(ANSWERS)}).write_parquet(
        folder / "members.parquet"
    )
    films = pl.DataFrame({"movie_id": [f"f{number:02}" for number in range(MOVIES)]})
    films.with_columns(title=pl.lit("x"), release_year=1990, genres=pl.lit("Drama")).write_parquet(
        folder / "movies.parquet"
    )
    pl.DataFrame(
        {
            "member_id": [members["member_id"][number] for number in member],
            "movie_id": films["movie_id"][movie],
            "rating": np.rint(rating[member, movie] * 2) / 2,
        }
    ).write_parquet(folder / "ratings.parquet")
    data = read_dataset(folder, 20)[1]
    prior = PriorSettings(
        rank=6, sweeps=6, sweeps_per_round=2, embedding=10, folds=2,
        with_plays=KernelSettings(ridges=RIDGES, gamma=0.7, amplitude=1.6, landmarks=150),
        attributes_only=KernelSettings(ridges=RIDGES, gamma=0.4, amplitude=1.0, landmarks=150),
    )  # fmt: skip
    settings = FitSettings(folds=2, prior=prior, trees=TreeSettings(trees=20))
    with passes_in_threads(1) as passes:
        fit = fit_model(passes, data, 0, settings, lambda *_: None)
    return World(fit, {pair: float(felt[pair]) for pair in pairs})


@pytest.fixture(scope="module")
def mattering(tmp_path_factory: pytest.TempPathFactory) -> World:
    return made(tmp_path_factory.mktemp("mattering") / "data", True)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> World:
    return made(tmp_path_factory.mktemp("idle") / "data", False)


def errors(world: World, member: MemberEvidence) -> dict[str, float]:
    """RMSE on members that the fit had not seen: of the fit, of movie means, and of the best there could be."""
    fit = world.fit
    predictions = fit.predictions[member, MovieEvidence.RATED]
    truth, owner = predictions.rows.rating, fit.table.views.member[predictions.rows.view]
    best = np.array([world.best[pair] for pair in zip(owner.tolist(), predictions.rows.movie.tolist(), strict=True)])
    cut = [
        np.clip(predicted, 1, 5)
        for predicted in (predictions.rating, mean_baselines(fit.table, predictions.rows)[1], best)
    ]
    return dict(zip(("fit", "movie mean", "best"), (rmse(predicted, truth) for predicted in cut), strict=True))


def test_answers_that_matter_gain_at_least_half_of_what_they_could(mattering):
    rmse_of = errors(mattering, MemberEvidence.ATTRIBUTES)
    assert rmse_of["best"] < 0.93 * rmse_of["movie mean"]
    assert rmse_of["movie mean"] - rmse_of["fit"] > 0.5 * (rmse_of["movie mean"] - rmse_of["best"]), rmse_of


def test_with_plays_they_gain_as_much(mattering):
    attributes, plays, both = (
        errors(mattering, member)["fit"]
        for member in (MemberEvidence.ATTRIBUTES, MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS)
    )
    assert both < 1.005 * min(attributes, plays)


def test_answers_that_mean_nothing_cost_nothing(idle):
    rmse_of = errors(idle, MemberEvidence.ATTRIBUTES)
    assert rmse_of["fit"] < 1.001 * rmse_of["movie mean"], rmse_of
    with_plays, plays = errors(idle, MemberEvidence.ATTRIBUTES_AND_PLAYS), errors(idle, MemberEvidence.PLAYS)
    assert with_plays["fit"] < 1.002 * plays["fit"], (with_plays, plays)
