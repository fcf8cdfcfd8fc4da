"""The evaluation as never-raters, its report, and `training evaluate`."""

import json
from pathlib import Path

import pytest

from tests.conftest import Published
from training.__main__ import main

EVIDENCE = ("nothing", "attributes", "plays", "attributes_and_plays")


@pytest.fixture(scope="module")
def numbers(published: Published) -> dict:
    """The report that was published with the model of the sample."""
    return json.loads((published.folder / "report.json").read_text())


def test_every_kind_of_evidence_stands_beside_its_baselines(numbers: dict):
    found = numbers["evidence"]
    assert set(found) == set(EVIDENCE)
    for name, scores in found.items():
        assert scores["rmse"] <= scores["movie_mean_rmse"] * 1.01 < scores["mean_rmse"] * 1.01, name
        low, high = scores["gain_percent_low"], scores["gain_percent_high"]
        assert low - 1e-9 <= scores["gain_percent"] <= high + 1e-9, name
        assert 0.88 <= scores["coverage"] <= 0.92, name
    for name in ("attributes", "plays", "attributes_and_plays"):
        assert {"prior_rmse", "lightgbm_alone_rmse"} <= set(found[name])


def test_with_nothing_known_the_prediction_is_as_good_as_the_movie_mean(numbers: dict):
    scores = numbers["evidence"]["nothing"]
    assert scores["rmse"] == pytest.approx(scores["movie_mean_rmse"])


def test_more_evidence_is_better(numbers: dict):
    found = numbers["evidence"]
    assert found["attributes_and_plays"]["rmse"] < found["attributes"]["rmse"] < found["nothing"]["rmse"]
    assert found["plays"]["rmse"] < found["nothing"]["rmse"]


def test_more_evidence_is_better_for_few_people_too(small: Published):
    found = json.loads((small.folder / "report.json").read_text())["evidence"]
    assert found["attributes_and_plays"]["rmse"] < min(found["attributes"]["rmse"], found["plays"]["rmse"])


def test_the_report_shows_what_the_numbers_say(numbers: dict, published: Published):
    report = (published.folder / "report.md").read_text()
    for scores in numbers["evidence"].values():
        assert f"{scores['rmse']:.4f}" in report
    for title in ("Root mean squared error", "By number of plays known", "By gender", "who never rate differ"):
        assert title in report


def test_groups_of_few_members_are_not_told(numbers: dict, published: Published):
    raters = published.tables.members.join(published.tables.ratings, on="member_id", how="semi")
    for name, found in numbers["groups"].items():
        if raters[name].dtype.is_numeric():
            continue
        for group in set(found) - {"other"}:
            assert (raters[name] == group).sum() >= 20, (name, group)


def test_the_error_falls_with_the_number_of_plays_known(numbers: dict):
    errors = [point["rmse"] / point["movie_mean_rmse"] for point in numbers["learning_curve"]]
    assert len(errors) >= 3
    assert errors == sorted(errors, reverse=True)


def test_evaluate_writes_its_report_and_publishes_nothing(small: Published, tmp_path: Path):
    out = tmp_path / "new" / "evaluation"
    assert main(["evaluate", "--data", str(small.data), "--folds", "3", "--out", str(out)]) == 0
    assert set(json.loads((out / "report.json").read_text())["evidence"]) == set(EVIDENCE)
    assert (out / "report.md").read_text().startswith("# Evaluation as never-raters")
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.md"]


def test_one_fold_is_refused(small: Published, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--data", str(small.data), "--folds", "1"])
    assert stop.value.code == 2
    assert "--folds: must be 2 or more" in capsys.readouterr().err
