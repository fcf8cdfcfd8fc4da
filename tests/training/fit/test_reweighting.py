"""Raters who differ from never-raters by a known bias: weights follow it, and estimates come closer to the truth."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model.artifact.artifact import load_model
from model.prediction.model import Model
from model.store.store import Store
from tests.conftest import Published
from tests.training.conftest import new_folder
from training.__main__ import main
from training.data.dataset import Dataset, read_dataset
from training.data.passes.passes import Passes
from training.data.passes.play_table import play_table
from training.fit.covariate_shift.reweighting import Reweighting, reweight
from training.fit.folds import fold_data

RATERS, QUIET, MOVIES, RATED = 500, 400, 40, 14
YOUNG_RATERS, YOUNG_QUIET = 0.85, 0.25
"""Shares of the young: they rate much more often, with half of the noise of the old, and like other movies."""


@dataclass(frozen=True)
class World:
    """Tables of a world of two groups, and what never-raters would say."""

    folder: Path
    truth: pl.DataFrame
    young: np.ndarray
    """Of all members, raters first."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    random = np.random.default_rng(1)
    young = np.concatenate([random.random(RATERS) < YOUNG_RATERS, random.random(QUIET) < YOUNG_QUIET])
    taste = 0.5 * random.normal(size=(2, MOVIES))
    members = [f"m{number:04}" for number in range(RATERS + QUIET)]
    rows = [(member, movie) for member in range(RATERS + QUIET) for movie in random.permutation(MOVIES)[:RATED]]
    member, movie = np.array(rows).T
    noise = np.where(young[member], 0.4, 1.2) * random.normal(size=len(rows))
    rating = np.clip(np.rint(3.3 + taste[young[member].astype(int), movie] + noise), 1, 5)
    ratings = pl.DataFrame(
        {
            "member_id": [members[number] for number in member],
            "movie_id": [f"f{number:02}" for number in movie],
            "rating": rating,
        }
    )
    rates = pl.Series(member < RATERS)
    folder = tmp_path_factory.mktemp("biased") / "data"
    folder.mkdir()
    group = np.where(random.random(len(young)) < 0.95, np.where(young, "young", "old"), "unsure")
    pl.DataFrame({"member_id": members, "group": group, "coin": random.integers(0, 2, len(young)) > 0}).write_parquet(
        folder / "members.parquet"
    )
    pl.DataFrame({"movie_id": [f"f{number:02}" for number in range(MOVIES)], "title": "x"}).with_columns(
        release_year=1990, genres=pl.lit("Drama")
    ).write_parquet(folder / "movies.parquet")
    ratings.filter(rates).write_parquet(folder / "ratings.parquet")
    return World(folder, ratings.filter(~rates), young)


@pytest.fixture(scope="module")
def data(world: World) -> Dataset:
    return read_dataset(world.folder, 20)[1]


@dataclass(frozen=True)
class Made:
    """A model with its report."""

    model: Model
    report: dict
    text: str


@pytest.fixture(scope="module")
def made(world: World, light: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Made]:
    """Models made without and with reweighting."""
    models = {}
    for asked in (False, True):
        store = Store(tmp_path_factory.mktemp(f"models-{asked}"))
        options = ["--reweight", "--force"] if asked else []  # the gate judges on raters as they are
        assert main(["retrain", "--data", str(world.folder), "--models", str(store.root), *light, *options]) == 0
        folder = store.folder(store.current() or "")
        report = json.loads((folder / "report.json").read_text())
        models[asked] = Made(load_model(folder), report, (folder / "report.md").read_text())
    return models


def of_never_raters(model: Model, truth: pl.DataFrame) -> dict[str, float]:
    """RMSE and coverage of what never-raters would have said."""
    error, inside = [], []
    for (member_id,), rows in truth.group_by("member_id", maintain_order=True):
        facts = model.members.find(member_id)
        assert facts is not None
        predictions = model.predict(facts, [model.catalogue.row(movie_id) for movie_id in rows["movie_id"]])
        given = rows["rating"].to_numpy()
        error.append((predictions.rating - given) ** 2)
        inside.append((given >= predictions.lower) & (given <= predictions.upper))
    return {"rmse": float(np.sqrt(np.concatenate(error).mean())), "coverage": float(np.concatenate(inside).mean())}


def weights(passes: Passes, data: Dataset) -> Reweighting:
    reweighting = reweight(data, fold_data(passes, data, 2, 0, 10**6, new_folder(passes)).statistics.whole, 0)
    assert reweighting is not None
    return reweighting


def test_weights_follow_the_planted_density_ratio(passes, world, data):
    reweighting = weights(passes, data)
    weight, young = reweighting.weight[:RATERS], world.young[:RATERS]
    truth = np.where(young, YOUNG_QUIET / YOUNG_RATERS, (1 - YOUNG_QUIET) / (1 - YOUNG_RATERS))
    assert weight.mean() == pytest.approx(1)
    assert (reweighting.weight[RATERS:] == 0).all()
    assert weight[young].mean() == pytest.approx(truth[young].mean(), rel=0.35)
    assert weight[~young].mean() == pytest.approx(truth[~young].mean(), rel=0.25)
    ideal = truth.sum() ** 2 / (truth**2).sum()
    assert reweighting.effective == pytest.approx(ideal, rel=0.35)


def test_the_weighted_estimate_is_closer_to_the_error_on_never_raters(world, made):
    plain = made[False].report["evidence"]["attributes"]["rmse"]
    weighted = made[True].report["reweighted"]["evidence"]["attributes"]["rmse"]
    assert abs(weighted - of_never_raters(made[True].model, world.truth)["rmse"]) < 0.06
    assert abs(plain - of_never_raters(made[False].model, world.truth)["rmse"]) > 0.2


def test_never_raters_are_predicted_no_worse_and_their_intervals_hold(world, made):
    plain, weighted = (of_never_raters(made[asked].model, world.truth) for asked in (False, True))
    assert weighted["rmse"] < 1.03 * plain["rmse"], "another seed alone changes it by 2 percent"
    assert plain["coverage"] < 0.8, (plain, weighted)
    assert 0.85 < weighted["coverage"] < 0.95, "the old are few, and ratings come in whole steps"


def test_the_effective_sample_size_is_in_report_and_manifest(made):
    reported = made[True].report["reweighted"]
    assert 0.9 * RATERS < reported["raters"] < RATERS  # the gate keeps some out
    assert reported["never_raters"] == QUIET
    effective = round(reported["effective_raters"])
    assert 0 < effective < 0.7 * RATERS
    assert made[True].model.manifest.data["effective_raters"] == effective
    assert f"{effective:,} raters of equal weight" in made[True].text
    assert "## Weighted as never-raters" in made[True].text


def test_nothing_is_weighted_unless_asked_for(made):
    assert made[False].report["reweighted"] == {}
    assert "effective_raters" not in made[False].model.manifest.data
    assert "Weighted" not in made[False].text


def test_alike_members_count_about_the_same(small: Published, passes: Passes):
    data = read_dataset(small.data, 20)[1]
    hidden = np.flatnonzero(np.random.default_rng(3).random(len(data.member_ids)) < 0.5)
    rating = pl.when(~pl.col("member").is_in(hidden.tolist())).then("rating")
    rows = data.play_table.collect().with_columns(rating.alias("rating"))
    reweighting = weights(passes, replace(data, play_table=play_table(rows, len(data.member_ids), 500)))
    assert reweighting.effective > 0.8 * reweighting.raters


def test_too_few_never_raters_are_reported_and_nobody_is_weighted(world, light, tmp_path, capsys):
    folder = tmp_path / "data"
    shutil.copytree(world.folder, folder)
    members = pl.read_parquet(folder / "members.parquet")
    members.head(120).write_parquet(folder / "members.parquet")
    ratings = pl.read_parquet(folder / "ratings.parquet")
    ratings.filter(pl.col("member_id") < members["member_id"][100]).write_parquet(folder / "ratings.parquet")
    assert main(["evaluate", "--data", str(folder), "--folds", "2", "--reweight", *light]) == 0
    assert "raters were not reweighted: that needs 50" in capsys.readouterr().out
