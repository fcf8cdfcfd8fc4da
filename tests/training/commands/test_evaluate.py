"""The evaluation as never-raters, its report, and `training evaluate`."""

import json
from pathlib import Path

import pytest

from model.facts.evidence import MemberEvidence
from tests.conftest import Published
from training.__main__ import main
from training.data.dataset import read_dataset
from training.data.passes.passes import Passes
from training.evaluation.evaluate import evaluate
from training.fit.fit_model import fit_model
from training.settings import read_fit_settings

EVIDENCE = tuple(kind.name.lower() for kind in MemberEvidence)


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
    for kind in ("ratings", "attributes_and_ratings"):
        assert found[kind]["rmse"] < 0.97 * found[kind.replace("ratings", "plays")]["rmse"]
        assert found[kind]["mean_width"] < found[kind.replace("ratings", "plays")]["mean_width"]


def test_more_evidence_is_better_for_few_people_too(small: Published):
    found = json.loads((small.folder / "report.json").read_text())["evidence"]
    least = min(found["attributes"]["rmse"], found["plays"]["rmse"])
    assert found["attributes_and_plays"]["rmse"] < 1.003 * least  # as sure as two hundred people can make it


def test_the_report_shows_what_the_numbers_say(numbers: dict, published: Published):
    report = (published.folder / "report.md").read_text()
    for scores in numbers["evidence"].values():
        assert f"{scores['rmse']:.4f}" in report
    for title in (
        "Root mean squared error",
        "By number of plays known",
        "By number of ratings known",
        "By gender",
        "who never rate differ",
    ):
        assert title in report


def test_groups_of_few_members_are_not_told(numbers: dict, published: Published):
    raters = published.tables.members.join(published.tables.ratings, on="member_id", how="semi")
    for name, found in numbers["groups"].items():
        if raters[name].dtype.is_numeric():
            continue
        for group in set(found) - {"other"}:
            assert (raters[name] == group).sum() >= 20, (name, group)


def test_the_movie_mean_has_every_score_that_it_can_have(numbers: dict):
    for name, scores in numbers["evidence"].items():
        assert scores["movie_mean_coverage"] == pytest.approx(0.9, abs=0.001), name
        assert scores["movie_mean_width"] > 0.9 * scores["mean_width"], name
        assert 0.5 < scores["movie_mean_enjoyed_auc"] <= scores["enjoyed_auc"] + 0.005, name
        assert 0 < scores["movie_mean_ranking_gain"] <= scores["ranking_gain"] + 0.005 < 1, name
        assert scores["mae"] <= scores["movie_mean_mae"] * 1.01, name


def test_where_attributes_are_known_means_by_group_stand_beside_ours(numbers: dict):
    assert len(numbers["grouped_by"]) == 2
    for name, scores in numbers["evidence"].items():
        assert ("group_mean_rmse" in scores) == ("attributes" in name)
    scores = numbers["evidence"]["attributes"]
    assert scores["rmse"] < scores["group_mean_rmse"] < scores["mean_rmse"]


def test_slices_tell_coverage_and_width(numbers: dict):
    slices = [*numbers["popularity"], *(one for groups in numbers["groups"].values() for one in groups.values())]
    assert slices
    for one in slices:
        assert 0.8 < one["coverage"] < 1
        assert one["mean_width"] > 0


def test_evaluate_writes_its_report_and_publishes_nothing(small: Published, light: tuple[str, str], tmp_path: Path):
    out = tmp_path / "new" / "evaluation"
    assert main(["evaluate", "--data", str(small.data), "--folds", "3", "--out", str(out), *light]) == 0
    assert set(json.loads((out / "report.json").read_text())["evidence"]) == set(EVIDENCE)
    assert (out / "report.md").read_text().startswith("# Evaluation as never-raters")
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.md"]


def test_the_report_goes_into_the_working_folder_unless_told_else(
    small: Published,
    light: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--data", str(small.data), "--folds", "2", *light]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation"]
    assert f"written to {Path('evaluation') / 'report.md'}" in capsys.readouterr().out
    assert (tmp_path / "evaluation" / "report.md").read_text().startswith("# Evaluation as never-raters")


def silent(_: str, share: float | None = None) -> None:
    pass


def test_a_seed_changes_nothing_but_the_seed(passes: Passes, small: Published, light: tuple[str, str]):
    """Another seed draws other halves and folds of the same ratings, and comes to the same within chance."""
    data, settings = read_dataset(small.data, 20)[1], read_fit_settings(Path(light[1]))
    first, other = (
        json.loads(json.dumps(evaluate(passes, fit_model(passes, data, seed, settings, silent), seed, silent)))
        for seed in (0, 1)
    )
    assert shape(other) == shape(first)
    for name, scores in other["evidence"].items():
        if not MemberEvidence[name.upper()].has_ratings:  # which ratings are shown depends on the halves
            assert scores["targets"] == first["evidence"][name]["targets"]
        for score in ("rmse", "movie_mean_rmse", "mean_rmse", "coverage"):
            within = 0.07 if score == "coverage" else 0.05  # so few ratings of whole stars are covered unevenly
            assert scores[score] == pytest.approx(first["evidence"][name][score], rel=within), (name, score)


CHANGING = ("groups", "differences", "grouped_by", "importance", "uncertainty")
"""What may name other groups, bins or features with another seed."""


def shape(found: object) -> object:
    """Names without numbers; which groups are told of and how many points a curve has may depend on chance."""
    if isinstance(found, dict):
        return {name: shape(one) for name, one in found.items() if name not in CHANGING}
    return type(found) if isinstance(found, list) else None


def test_one_fold_is_refused(small: Published, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--data", str(small.data), "--folds", "1"])
    assert stop.value.code == 2
    assert "--folds: must be 2 or more" in capsys.readouterr().err
