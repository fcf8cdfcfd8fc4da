"""What a fit says of a member never comes from that member's own ratings."""

import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.attributes import Coder
from model.artifact.serialization import core_to_files
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.facts.facts import MemberFacts
from tests.training.changed_data import dataset_with
from tests.training.fit.conftest import bits_of
from training.data.dataset import Dataset, read_dataset
from training.data.passes.passes import passes_in_threads
from training.fit.fit_model import Fit, fit_model
from training.fit.trees.fit_trees import bin_rows, fit_forests, without_member_mean
from training.settings import FitSettings, TreeSettings, read_fit_settings

ROOT = Path(__file__).parents[3]
RATED = MovieEvidence.RATED


@pytest.fixture(scope="module")
def light_fit(small, light, tmp_path_factory) -> Fit:
    """A light fit of the small sample, in several partitions."""
    data = read_dataset(small.data, 20)[1]
    with passes_in_threads(2, tmp_path_factory.mktemp("fit")) as passes:
        return fitted(passes, dataset_with(data, data.play_table.collect()), light)


def fitted(passes, data: Dataset, light, report=lambda *_: None) -> Fit:
    return fit_model(passes, data, 0, read_fit_settings(Path(light[1])), report)


def test_each_rater_is_in_one_fold_with_all_its_views(small_fit):
    table = small_fit.table
    folds = table.out_of_fold.fold.reshape(-1, 3)
    assert (folds == folds[:, :1]).all()
    sizes = np.bincount(folds[:, 0])
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 1


def test_the_prior_of_a_fold_has_seen_neither_ratings_nor_plays_of_its_members(small_fit):
    table = small_fit.table
    for number, fitted in enumerate(table.out_of_fold.fitted):
        others = table.data.raters[table.out_of_fold.fold[::3] != number]
        seen = table.data.ratings.filter(pl.col("member").is_in(others.tolist()))
        assert fitted.prior.mean == pytest.approx(seen["rating"].mean())
        assert fitted.table["ratings"].sum() == len(seen)
        held_out = table.data.raters[table.out_of_fold.fold[::3] == number]
        assert fitted.table["plays"].sum() == len(table.data.plays.filter(~pl.col("member").is_in(held_out.tolist())))


def test_all_kinds_of_members_and_movies_are_judged(small_fit):
    kinds = {(member, movie) for member in MemberEvidence for movie in MovieEvidence}
    assert set(small_fit.predictions) == {kind for kind in kinds if not kind[0].has_ratings}
    assert set(small_fit.with_ratings) == {kind for kind in kinds if kind[0].has_ratings}
    nothing = small_fit.predictions[MemberEvidence.NOTHING, RATED].rows
    assert len(nothing) == len(small_fit.table.data.ratings)


def test_what_is_judged_is_as_good_on_the_planted_world_as_it_says(published):
    scores = published.model.manifest.scores
    assert scores["attributes_and_plays"]["rmse"] < 0.85 * scores["attributes_and_plays"]["movie_mean_rmse"]
    assert scores["plays"]["rmse"] < 0.87 * scores["plays"]["movie_mean_rmse"]
    assert scores["attributes"]["rmse"] < 0.94 * scores["attributes"]["movie_mean_rmse"]
    assert scores["nothing"]["rmse"] < 1.01 * scores["nothing"]["movie_mean_rmse"]
    for each in scores.values():
        assert each["rmse"] <= 1.005 * each["prior_rmse"]
        assert 0.88 < each["coverage"] < 0.92
        assert each["enjoyed_calibration_error"] < 0.03


def test_ratings_of_a_member_do_not_change_the_predictions_of_the_member(passes, light_fit, light):
    """The model's own members are shuffled ratings: what is told of them out of fold stays as it was."""
    data = light_fit.table.data
    member = int(data.raters[7])
    flipped = pl.when(pl.col("member") == member).then(6 - pl.col("rating")).otherwise(pl.col("rating"))
    changed = dataset_with(data, data.play_table.collect().with_columns(rating=flipped))
    table, again = light_fit.table, fitted(passes, changed, light).table
    view = np.flatnonzero(table.views.member == member)
    fold = table.out_of_fold.fold[view[0]]
    for number in range(3):
        ours, theirs = (bits_of([each.out_of_fold.fitted[number], each.movies[number]]) for each in (table, again))
        assert (ours == theirs) == (number == fold), "who is left out changes no bit, and who is not changes some"
    for evidence, factors in table.out_of_fold.factors.items():
        assert again.out_of_fold.factors[evidence][view].tobytes() == factors[view].tobytes()


def test_each_step_is_reported(light_fit, light, passes):
    steps: list[str] = []
    with passes_in_threads(1) as passes:
        fitted(passes, light_fit.table.data, light, lambda step, _=None: steps.append(step))
    assert steps[0] == "partitions"
    for name in ("prior 1 of 3 out of fold: ", "prior 3 of 3 out of fold: ", "prior of all: "):
        assert steps.count(f"{name}factors") == 1  # priors are fitted side by side, so their order varies
    assert steps[-1] == "intervals and probabilities"


def test_an_interrupted_fit_goes_on_and_gives_the_same_bytes(light_fit, light, tmp_path):
    data, steps = light_fit.table.data, []

    def interrupted(step: str, _: float | None = None) -> None:
        if step == "prior 2 of 3 out of fold: regression 2 of 3":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), passes_in_threads(1, tmp_path) as passes:
        fitted(passes, data, light, interrupted)
    [folder] = tmp_path.iterdir()
    kept = {path.name for path in folder.glob("prior-*.arrays")}
    assert {"prior-0.arrays", "prior-3.arrays"} <= kept < {f"prior-{number}.arrays" for number in range(4)}
    with passes_in_threads(1, tmp_path) as passes:
        files = core_to_files(fitted(passes, data, light, lambda step, _=None: steps.append(step)).core, data.schema)
    assert "prior 2 of 3 out of fold: factors" in steps
    assert not {"prior of all: factors", "prior 1 of 3 out of fold: factors"} & set(steps)
    assert files == core_to_files(light_fit.core, data.schema)


def test_a_damaged_prior_of_an_interrupted_fit_is_fitted_anew(light_fit, light, tmp_path):
    data, steps = light_fit.table.data, []
    with passes_in_threads(1, tmp_path) as passes:
        fitted(passes, data, light)
    [path] = tmp_path.glob("*/prior-1.arrays")
    path.write_bytes(path.read_bytes()[:-100])
    with passes_in_threads(1, tmp_path) as passes:
        files = core_to_files(fitted(passes, data, light, lambda step, _=None: steps.append(step)).core, data.schema)
    assert {step.partition(":")[0] for step in steps if "prior" in step} == {"prior 2 of 3 out of fold"}
    assert files == core_to_files(light_fit.core, data.schema)


def test_trees_learn_a_step_and_the_same_seed_grows_the_same_forest():
    random = np.random.default_rng(1)
    features = random.normal(size=(4000, 4)).astype(np.float32)
    target = np.where(features[:, 1] > 0.3, 1.0, -1.0) + random.normal(size=4000)
    settings = FitSettings().trees
    rows = bin_rows(features, target)
    forest, part, again = fit_forests(rows, 0, settings, [None, np.arange(2000), None])
    truth = np.where(features[:, 1] > 0.3, 1.0, -1.0)
    assert np.sqrt(np.mean((forest.predict(features) - truth) ** 2)) < 0.35
    assert again.model_to_string() == forest.model_to_string() != part.model_to_string()
    alone, other_seed = (fit_forests(rows, seed, settings, [None])[0].model_to_string() for seed in (0, 1))
    assert alone == forest.model_to_string() != other_seed


def test_a_signal_ends_forests_under_way():
    signal.siginterrupt(signal.SIGINT, True)  # as the command line does
    random = np.random.default_rng(1)
    rows = bin_rows(random.normal(size=(200_000, 4)).astype(np.float32), random.normal(size=200_000))
    before, trees = set(threading.enumerate()), TreeSettings(trees=2000)
    interrupt = threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        fit_forests(rows, 0, trees, [None, None])
    fits = set(threading.enumerate()) - before - {interrupt}
    for fit in fits:
        fit.join(10)
    assert not any(fit.is_alive() for fit in fits)


def test_a_member_mean_is_taken_out_as_far_as_its_ratings_tell_of_it():
    residual, key = np.array([1.0] * 6 + [2.0]), np.array([5] * 6 + [9])
    assert without_member_mean(residual, key, 1.0) == pytest.approx([0.5] * 6 + [2 - 2 / 7])
    assert without_member_mean(residual, key, 0.0) == pytest.approx(residual)


@pytest.mark.parametrize("kind", [MemberEvidence.ATTRIBUTES, MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS])
def test_what_the_calibration_learns_from_is_what_is_served(small_fit, kind):
    """Distance and extrapolation of a view are those of a member of whom just that is known, asked for on its own."""
    table, predictions = small_fit.table, small_fit.predictions[kind, RATED]
    schema, views = table.data.schema, table.views
    nothing = MemberFacts.nothing(schema)
    for place in np.unique(predictions.rows.view, return_index=True)[1][::12]:
        view = int(predictions.rows.view[place])
        plays = views.plays.filter(pl.col("view") == view)
        columns = (plays[name].cast(pl.Float32).fill_null(np.nan).to_numpy() for name in ("completion", "age_days"))
        shown = MemberFacts(nothing.attributes, plays["movie"].to_numpy(), *columns) if kind.has_plays else nothing
        assert len(shown.movies) == predictions.plays[place] == (len(plays) if kind.has_plays else 0)
        if kind.has_attributes:
            shown = replace(shown, attributes=views.attributes[view])
        prior = table.out_of_fold.fitted[table.out_of_fold.fold[view]].prior
        taste, _ = prior.taste_of([shown], prior.usable_evidence(shown), Coder(schema.member_attributes))
        assert taste.evidence is kind
        assert taste.distance[0] == pytest.approx(table.out_of_fold.distance[kind][view], abs=0.003)
        extrapolation = small_fit.core.calibration.extrapolation(taste.distance, kind)
        assert extrapolation[0] == pytest.approx(predictions.extrapolation[place], abs=0.02)
