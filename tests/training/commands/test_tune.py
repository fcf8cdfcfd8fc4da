"""The search of settings is judged on held-out raters, the same for the same seed, and never worse than its begin."""

import re
import sys

import polars as pl
import pytest

pytest.importorskip("optuna")

import optuna

from training.__main__ import main
from training.data.dataset import read_dataset
from training.evaluation.search import SEARCHED, out_of_fold_error, tune
from training.settings import FitSettings, read_fit_settings, value_at, with_value

QUICK = with_value(with_value(FitSettings(folds=2), "prior.sweeps", 2), "prior.rounds", 1)
QUICK = with_value(with_value(QUICK, "trees.trees", 40), "prior.embedding", 20)
QUICK = with_value(with_value(QUICK, "prior.with_plays.landmarks", 30), "prior.attributes_only.landmarks", 30)
QUICK = with_value(QUICK, "prior.folds", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A world so small that a fit takes little more than a second."""
    out = tmp_path_factory.mktemp("tune") / "data"
    assert main(["sample", "--out", str(out), "--members", "80", "--movies", "30"]) == 0
    return out


@pytest.fixture(scope="module")
def data(folder):
    return read_dataset(folder, 20)[1]


def test_a_folder_in_place_of_a_file_is_refused_before_the_search(folder, tmp_path, capsys):
    assert main(["tune", "--data", str(folder), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "--out is a folder\n"


def silent(_: str) -> None:
    pass


def test_the_same_seed_finds_the_same_and_what_it_finds_is_as_good_as_it_says(data):
    first = tune(data, QUICK, 3, None, 0, 1, silent)
    assert first == tune(data, QUICK, 3, None, 0, 1, silent)
    assert first.trials == 3
    assert first.error == out_of_fold_error(data, first.settings, 0, 1)
    assert first.error <= first.first_error


def test_a_bad_beginning_is_left_for_better_settings(data):
    bad = with_value(with_value(QUICK, "prior.with_plays.gamma", 3.0), "prior.prior_ratings", 200.0)
    found = tune(data, bad, 4, None, 0, 1, silent)
    assert found.error < found.first_error
    for place, (low, high) in SEARCHED.items():
        assert low <= value_at(found.settings, place) <= high
    assert found.settings.folds == bad.folds
    assert found.settings.prior.sweeps == bad.prior.sweeps


def test_no_trial_begins_after_the_time_is_over(data):
    assert tune(data, QUICK, None, 1e-6, 0, 1, silent).trials == 1


def test_the_command_writes_a_file_that_the_others_read(folder, light, tmp_path, capsys):
    out = tmp_path / "new" / "settings.toml"
    call = ["tune", "--data", str(folder), "--out", str(out), "--trials", "2", "--seed", "3", *light]
    assert main(call) == 0
    assert read_fit_settings(out).prior.rank >= 4
    assert "2 trials, seed 3" in out.read_text().splitlines()[0]
    told = capsys.readouterr()
    assert f"retrain --settings {out}" in told.out
    assert re.search(r"trial 1 of 2: \d\.\d{5} \+0\.00 %, .* s; best \d\.\d{5}", told.err)
    trials = pl.read_csv(out.with_suffix(".csv"))
    assert trials["trial"].to_list() == [1, 2]
    assert set(SEARCHED) < set(trials.columns)
    assert f"{trials['error'].min():.4f}" in told.out


def test_a_study_is_kept_and_gone_on_with_and_not_mixed_with_others(folder, light, tmp_path, capsys):
    out = tmp_path / "settings.toml"

    def call(*options: str) -> int:
        return main(["tune", "--data", str(folder), "--out", str(out), *options, *light])

    assert call("--trials", "1") == 0
    [first] = pl.read_csv(out.with_suffix(".csv")).rows()
    capsys.readouterr()
    assert call("--trials", "3") == 0
    told = capsys.readouterr()
    assert "3 settings tried" in told.out
    assert "trial 1 of 3" not in told.err
    trials = pl.read_csv(out.with_suffix(".csv"))
    assert trials.rows()[0] == first
    assert len(trials.drop("trial", "seconds").unique()) == 3
    assert call("--trials", "3") == 0, "nothing is left to try"
    assert pl.read_csv(out.with_suffix(".csv")).equals(trials)
    assert call("--trials", "4", "--seed", "1") == 2
    assert "holds trials of another search, with another seed: name another file" in capsys.readouterr().err
    assert optuna.load_study(study_name=None, storage=f"sqlite:///{out.with_suffix('.db')}").trials[0].value == first[1]


def test_without_optuna_it_says_what_to_install(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "training.evaluation.search")
    assert main(["tune", "--data", str(folder), "--out", str(tmp_path / "settings.toml")]) == 1
    assert "pip install" in capsys.readouterr().err
    assert not (tmp_path / "settings.toml").exists()


@pytest.mark.parametrize("budget", [["--trials", "0"], ["--minutes", "0"], ["--minutes", "soon"]])
def test_a_budget_that_can_not_be_meant_is_refused(budget, folder, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["tune", "--data", str(folder), *budget])
    assert stop.value.code == 2
