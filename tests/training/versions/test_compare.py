"""`training models diff` tells what changed between two versions, of single members nothing."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from model.artifact.artifact import load_model
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts
from model.store.store import Store
from training.__main__ import main
from training.versions.compare_predictions import _translated, compare


@pytest.fixture(scope="module")
def two(small, light, tmp_path_factory) -> tuple[Path, str, str]:
    """A store of two versions; the second is of fewer ratings, of movies fewer by one, and without an attribute."""
    folder = tmp_path_factory.mktemp("diff")
    models = shutil.copytree(small.models, folder / "models")
    data = shutil.copytree(small.data, folder / "data")
    gone = pl.read_parquet(data / "movies.parquet")["movie_id"][0]
    for name in ("movies", "ratings", "plays"):
        rows = pl.read_parquet(data / f"{name}.parquet").filter(pl.col("movie_id") != gone)
        rows.write_parquet(data / f"{name}.parquet")
    pl.read_parquet(data / "members.parquet").drop("region").write_parquet(data / "members.parquet")
    (data / "truth.parquet").unlink()
    assert main(["retrain", "--data", str(data), "--models", str(models), "--seed", "1", "--force", *light]) == 0
    return models, small.version, Store(models).current()


@pytest.fixture
def diff(two, capsys):
    def run(*arguments: str) -> tuple[int, str]:
        code = main(["models", "diff", *arguments, "--models", str(two[0])])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_what_changed_is_told_for_programs(two, diff):
    models, first, second = two
    code, told = diff(first, second, "--json")
    assert code == 0
    found = json.loads(told)
    one, other = (load_model(models / "versions" / version) for version in (first, second))
    assert found["data"]["seed"] == {"first": 0, "second": 1}
    assert found["data"]["data.movies"] == {"first": 60, "second": 59}
    assert "data_fingerprint" in found["data"]
    assert "libraries.numpy" not in found["data"]
    assert found["schema"]["members.region"]["second"] is None
    for kind in MemberEvidence:
        name = kind.name.lower()
        rmse = found["scores"][name]["rmse"]
        assert rmse["first"] == one.manifest.scores[name]["rmse"]
        assert rmse["change"] == pytest.approx(other.manifest.scores[name]["rmse"] - rmse["first"])
    assert sum(one["first"] for one in found["importance"].values()) == pytest.approx(1)
    predictions = found["predictions"]
    assert predictions["movies"] == 59
    assert predictions["difference"]["deviation"] > 0
    assert predictions["difference"]["quantiles"]["1"] <= predictions["difference"]["quantiles"]["99"]
    assert 0.5 < predictions["rank_correlation"] < 1
    shifts = [one["mean"] for one in predictions["movies_up"]]
    assert shifts == sorted(shifts, reverse=True)


def test_what_changed_is_told_for_people_and_the_other_is_the_one_that_serves(two, diff, small):
    _, first, second = two
    code, told = diff(first)
    assert code == 0
    assert told.startswith(f"from version {first} to version {second}")
    for title in ("Data, settings and libraries", "Columns", "Scores on held-out raters", "Importance in the trees",
                  "Predictions of 59 movies", "movies that moved up most"):  # fmt: skip
        assert title in told
    assert not any(member_id in told for member_id in small.tables.members["member_id"])


def test_a_version_does_not_differ_from_itself(two, diff):
    code, told = diff(two[1], two[1], "--json")
    found = json.loads(told)
    assert code == 0
    assert found["data"] == found["schema"] == {}
    assert found["predictions"]["difference"]["largest"] == 0
    assert found["predictions"]["rank_correlation"] == pytest.approx(1)
    assert found["predictions"]["movies_up"] == []


def test_the_same_members_are_shown_to_both_versions(two, small):
    models, first, second = two
    one, other = (load_model(models / "versions" / version) for version in (first, second))
    ids = list(small.tables.plays["member_id"].unique().sort().head(40))
    for member_id in ids:
        own, there = one.members.find(member_id), other.members.find(member_id)
        if there is None:
            continue
        translated = _translated(own, one, other)
        assert translated.movies.tolist() == there.movies.tolist()
        for name in ("movies", "values", "rated_at"):
            assert getattr(translated.ratings, name).tolist() == getattr(there.ratings, name).tolist()
        gender = [place for place, column in enumerate(other.schema.member_attributes) if column.name == "gender"]
        for place in gender:
            assert translated.attributes[place] == pytest.approx(there.attributes[place], nan_ok=True)
    nobody = MemberFacts.nothing(one.schema)
    assert len(_translated(nobody, one, other).attributes) == len(other.schema.member_attributes)


def test_catalogues_without_a_common_movie_are_told(two):
    models, first, second = two
    one, other = (load_model(models / "versions" / version) for version in (first, second))
    one.catalogue._row.clear()
    assert compare(one, other) == {"members": 0, "movies": 0}


@pytest.mark.parametrize("arguments", [("f" * 12,), ("latest",), ()])
def test_a_version_that_is_not_there_is_refused(arguments, diff):
    assert diff(*arguments)[0] == 2
