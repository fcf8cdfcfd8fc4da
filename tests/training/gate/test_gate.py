"""The gate lets equal and better versions serve, holds back bad ones with the reason, and no version learns from its
raters."""

import json
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model.artifact.artifact import Parts, load_model, write_files, write_manifest
from model.artifact.serialization import Core
from model.facts.evidence import MemberEvidence
from model.store.job_status import RetrainStatus, read_status
from model.store.store import Store
from training.__main__ import main
from training.data.reading.tables import read_tables
from training.gate.gate import Gate
from training.gate.gate_report import reasons
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import split

SHARE = 0.25
KEPT_OUT = ("--gate-share", str(SHARE), "--gate-fewest-members", "20", "--gate-most-latency-ratio", "100")
"""Raters enough to compare on, and no refusal because the machine was busy with something else."""


def bent(data: Path, folder: Path, change) -> Path:
    """A copy of a data directory with other ratings."""
    shutil.copytree(data, folder)
    ratings = pl.read_parquet(data / "ratings.parquet")
    change(ratings).write_parquet(folder / "ratings.parquet")
    return folder


def shuffled(ratings: pl.DataFrame) -> pl.DataFrame:
    return ratings.with_columns(pl.col("rating").shuffle(seed=3))


def half_of_them(ratings: pl.DataFrame) -> pl.DataFrame:
    """Every second rating only."""
    return ratings.filter(pl.int_range(pl.len()) % 2 == 0)


def retrain(data: Path, models: Path, *arguments: str) -> int:
    return main(["retrain", "--data", str(data), "--models", str(models), *KEPT_OUT, *arguments])


def record(store: Store, version: str) -> dict:
    return json.loads(store.read_record(version, "gate.json"))


def failed(found: dict) -> set[str]:
    return {one["limit"] for one in found["checks"] if not one["passed"]}


@pytest.fixture(scope="module")
def first(small, light, tmp_path_factory) -> Store:
    """A store whose one version learned from three in four raters of the small sample."""
    models = tmp_path_factory.mktemp("gate") / "models"
    assert retrain(small.data, models, "--seed", "1", *light) == 0
    return Store(models)


@pytest.fixture(scope="module")
def second(small, light, tmp_path_factory) -> Store:
    """A store whose one version learned from more raters of the small sample."""
    models = tmp_path_factory.mktemp("more") / "models"
    assert main(["retrain", "--data", str(small.data), "--models", str(models), *light]) == 0
    return Store(models)


@pytest.fixture
def store(first, tmp_path) -> Store:
    """A copy of it that a test may change."""
    return Store(shutil.copytree(first.root, tmp_path / "models"))


def test_the_first_version_is_held_to_absolute_limits_only(first):
    found = record(first, first.current())
    assert found["passed"]
    assert found["compared_with"] is None
    assert found["not_compared_because"] == "there is no current version yet"
    assert found["judged_on"] == "raters that no version was trained on"
    assert "margin_percent" not in {one["limit"] for one in found["checks"]}
    assert {one["limit"] for one in found["checks"]} == {
        "least_gain_over_mean_percent", "most_above_movie_mean_percent", "least_coverage", "most_coverage",
        "most_calibration_error",        "most_fallbacks", "most_milliseconds", "most_megabytes",
    }  # fmt: skip


def test_an_equally_good_version_serves(store, small, light, capsys):
    before = store.current()
    assert retrain(small.data, store.root, "--seed", "2", *light) == 0
    found = record(store, store.current())
    assert store.current() != before
    assert found["compared_with"] == before
    assert set(found["differences"]) == {kind.name.lower() for kind in MemberEvidence}
    for one in found["differences"].values():
        assert one["low"] <= one["difference"] <= one["high"]
    told = capsys.readouterr().out
    assert "The gate lets this version serve." in told
    assert f"version {store.current()} is published and serves" in told
    assert main(["models", "show", "--models", str(store.root)]) == 0
    assert f"Compared with version {before}, the current version at the time." in capsys.readouterr().out
    page = store.read_record(store.current(), "report.html").decode()
    assert "<h2>The gate</h2>" in page
    assert "<h2>Against the previous version</h2>" in page


def test_a_version_that_learned_from_shuffled_ratings_is_held_back_with_the_reason(
    store, small, light, tmp_path, capsys
):
    data, before = bent(small.data, tmp_path / "data", shuffled), store.current()
    assert retrain(data, store.root, *light) == 3
    told = capsys.readouterr().out
    assert store.current() == before
    [candidate] = set(store.versions()) - {before}
    status = read_status(store, RetrainStatus)
    assert (status.version, status.verdict) == (candidate, "held_back")
    assert store.labels() == {"current": before}, "no service may let it answer anybody"
    found = record(store, candidate)
    assert not found["passed"]
    assert not found["serves"]
    assert {"least_gain_over_mean_percent", "least_gain_kept"} <= failed(found)
    assert "The gate holds this version back." in told
    assert "the ratings say almost nothing about taste" in told
    assert f"version {candidate} is published and held back; version {before} goes on serving" in told
    load_model(store.folder(candidate))
    assert retrain(data, store.root, "--exit-zero-if-held-back", *light) == 0
    assert store.labels() == {"current": before}


def test_a_worse_version_serves_by_force_only_and_then_a_better_one_serves(store, small, light, tmp_path, capsys):
    few, before = bent(small.data, tmp_path / "few", half_of_them), store.current()
    assert retrain(few, store.root, "--force", *light) == 0
    worse = store.current()
    found = record(store, worse)
    assert (found["passed"], found["forced"], found["serves"]) == (False, True, True)
    assert "margin_percent" in failed(found)
    assert (store.label("previous"), store.label("candidate")) == (before, None)
    told = capsys.readouterr().out
    assert "The gate would hold this version back, but --force overrules it." in told
    assert re.search(r"above that of the current version, \d\.\d{4} \(95 % interval", told)
    better = judged(store, small.data)
    assert better["passed"]
    assert (better["version"], better["compared_with"]) == (before, worse)
    found = better["differences"]["attributes_and_plays"]
    assert found["low"] + found["high"] < 0, "the better one is ahead, as surely as few kept-out raters can tell"


def test_a_column_of_another_kind_holds_back_until_schema_toml_states_it(store, small, light, tmp_path, capsys):
    data, before = shutil.copytree(small.data, tmp_path / "data"), store.current()
    members = pl.read_parquet(data / "members.parquet")
    groups = pl.when(pl.col("age") < 35).then(pl.lit("young")).otherwise(pl.lit("old"))
    members.with_columns(age=groups).write_parquet(data / "members.parquet")
    assert retrain(data, store.root, *light) == 3
    shown = capsys.readouterr().out
    assert store.current() == before
    assert "Members, column age: categorical (old, young); in the current version: numeric (mostly " in shown
    assert "name the column as categorical in the section members of schema.toml" in shown
    assert re.search(r"\| members, column age +\| HELD BACK +\| numeric \(.* \| categorical \(old, young\) ", shown)
    (tmp_path / "outcomes").mkdir()
    with (data / "schema.toml").open("a") as schema:
        schema.write('[members]\ncategorical = ["age"]\n')
    assert retrain(data, store.root, "--outcomes", str(tmp_path / "outcomes"), *light) == 0
    version = store.current()
    assert version != before
    changes = {change["subject"]: change["outcome"] for change in record(store, version)["data"]}
    assert changes["members, column age"] == "stated in schema.toml"
    assert "<h2>The data against the current version</h2>" in store.read_record(version, "report.html").decode()


def test_an_export_cut_short_holds_back_until_it_is_promoted(store, small, light, tmp_path, capsys):
    data, before = shutil.copytree(small.data, tmp_path / "data"), store.current()
    for name in ("members", "ratings", "plays"):
        rows = pl.read_parquet(data / f"{name}.parquet")
        rows.filter(pl.col("member_id").str.contains("[02468]$")).write_parquet(data / f"{name}.parquet")
    alone = ("--gate-share", "0", "--candidate", *light)
    assert retrain(data, store.root, *alone) == 3
    assert store.labels() == {"current": before}
    [version] = set(store.versions()) - {before}
    assert failed(record(store, version)) >= {"least_data_kept"}
    cut = [change["subject"] for change in record(store, version)["data"] if change["outcome"] == "HELD BACK"]
    assert cut[:4] == ["members", "raters", "ratings", "plays"]
    shown = capsys.readouterr().out
    assert re.search(r"- Ratings: [\d,]+; in the current version: [\d,]+ \(--gate-least-data-kept is 0.8\)\.", shown)
    assert main(["models", "promote", version, "--force", "--models", str(store.root)]) == 0
    assert "overruled: Ratings: " in capsys.readouterr().out
    assert retrain(data, store.root, "--gate-share", "0", "--seed", "1", *light) == 0
    assert record(store, store.current())["compared_with"] == version


def test_what_kept_out_raters_rated_is_in_no_file_of_a_version_but_the_table_of_members(first, small, light, tmp_path):
    parts = split(read_tables(small.data), "coldstart", SHARE)
    kept_out = parts.members["member_id"].implode()
    assert len(parts.members) > 20

    def turned_round(ratings):
        rating = pl.when(pl.col("member_id").is_in(kept_out)).then(6 - pl.col("rating")).otherwise(pl.col("rating"))
        return ratings.with_columns(rating=rating)

    data = bent(small.data, tmp_path / "data", turned_round)
    other = Store(tmp_path / "models")
    retrain(data, other.root, "--seed", "1", *light)
    [version] = other.versions()
    one, another = first.folder(first.current()), other.folder(version)
    names = {path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(another).as_posix() for path in another.rglob("*") if path.is_file()}
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (one, another)]

    def content(number: int, name: str) -> bytes:
        """A file without the fingerprint of the data, which reports begin with."""
        return (one, another)[number].joinpath(name).read_bytes().replace(shown[number], b"")

    shown = [manifest["data_fingerprint"][:12].encode() for manifest in manifests]
    different = {name for name in names if content(0, name) != content(1, name)}
    table = {"members/ratings.npy", "members/pieces.npy"}
    assert different - {"run.json"} == {"manifest.json"} | table
    assert {key for key in manifests[0] if manifests[0][key] != manifests[1][key]} == {"data_fingerprint", "files"}
    hashes = [manifest["files"] for manifest in manifests]
    assert {name for name in hashes[0] if hashes[0][name] != hashes[1][name]} == {"report.html"} | table


def test_kept_out_raters_are_published_like_all_others(first, small):
    parts = split(read_tables(small.data), "coldstart", SHARE)
    model = load_model(first.folder(first.current()))
    plays = dict(small.tables.plays["member_id"].value_counts().iter_rows())
    for member_id in parts.members["member_id"]:
        facts = model.members.find(member_id)
        assert facts is not None
        assert len(facts.movies) == plays[member_id]
    assert model.manifest.data["members"] == small.model.manifest.data["members"]
    assert json.loads((first.folder(first.current()) / "report.json").read_text())["kept_out"]["members"] == len(
        parts.members
    )


def judged(store: Store, data: Path, key: str = "coldstart", share: float = SHARE, **settings) -> dict:
    """What the gate says of the version without a label, or else the previous one, as if it had just been trained."""
    parts = split(read_tables(data), key, share)
    limits = GateSettings(share=share, fewest_members=20, most_latency_ratio=100).model_copy(
        update=settings
    )  # limits that nothing can hold
    gate = Gate(store, parts, key, limits, time.perf_counter, 0)
    version = min(set(store.versions()) - set(store.labels().values()) or {store.labels()["previous"]})
    return gate.decide(version, json.loads((store.folder(version) / "report.json").read_text()))


@pytest.fixture
def two(store, second, tmp_path) -> Store:
    """A store in which one version serves, and another, which learned from more raters, has no label yet."""
    version = second.current()
    shutil.copytree(second.folder(version), store.folder(version))
    return store


def test_a_version_that_learned_from_the_kept_out_raters_is_not_compared_on_them(two, small):
    found = judged(two, small.data, key="another")
    assert found["compared_with"] == two.current()
    assert found["not_compared_because"] == "the current version was trained on the raters that are now kept out"
    assert "differences" not in found
    assert {"least_gain_kept", "most_latency_ratio", "most_size_ratio"} <= {one["limit"] for one in found["checks"]}


def test_versions_of_different_shares_are_compared_on_whom_neither_learned_from(two, small):
    found = judged(two, small.data, share=0.5)
    assert found["not_compared_because"] is None
    assert 20 <= found["candidate"]["nothing"]["members"] < 0.7 * found["kept_out"]["members"]


def test_with_few_kept_out_raters_the_gate_says_that_it_cannot_tell(two, small):
    found = judged(two, small.data, fewest_members=1000)
    assert "raters are kept out for the comparison, fewer than 1000" in found["not_compared_because"]
    assert found["judged_on"] == "raters held out in training"
    assert found["passed"]


def test_without_kept_out_raters_there_are_absolute_limits_only(two, small):
    found = judged(two, small.data, share=0.0)
    assert found["kept_out"]["members"] == 0
    assert "only 0 raters are kept out" in found["not_compared_because"]
    assert found["judged_on"] == "raters held out in training"
    assert found["passed"]


@pytest.mark.parametrize("damage", ["pointer", "file", "format", "members"])
def test_a_version_is_held_back_if_the_one_that_serves_cannot_be_read(damage, two, small):
    folder = two.folder(two.current())
    if damage == "pointer":
        (two.root / "current").write_text("garbage")
    elif damage == "file":
        (folder / "prior.npz").write_bytes(b"")
    elif damage == "members":
        keys = folder / "members" / "keys.npy"
        keys.write_bytes(keys.read_bytes()[:-1] + b"x")
    else:
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 0}))
    record = judged(two, small.data)
    assert not record["passed"]
    assert failed(record) == {"current"}
    assert "data" not in record
    [reason] = reasons(record)
    assert reason.startswith("The current version can't be read")
    named = {"pointer": "doesn't name a version", "file": "prior.npz", "format": "format 0", "members": "keys.npy"}
    assert named[damage] in reason
    if damage != "members":
        assert record["compared_with"] is None
        assert record["not_compared_because"].startswith("the current version can't be loaded: ")


def test_a_retrain_beside_an_unreadable_label_is_held_back_and_a_promotion_mends_it(store, small, light, capsys):
    (store.root / "current").write_text("garbage")
    assert retrain(small.data, store.root, "--seed", "3", *light) == 3
    printed = capsys.readouterr()
    assert (
        "- The current version can't be read, so changes of the data would go unnoticed: the file current"
        in printed.out
    )
    assert "old versions aren't removed: the file current doesn't name a version" in printed.err
    version = re.search(r"training models promote (\w+) --force overrules this", printed.out)[1]
    assert main(["models", "promote", version, "--force", "--models", str(store.root)]) == 0
    assert store.current() == version
    assert "overruled: The current version can't be read" in capsys.readouterr().out


def test_a_version_that_is_worse_for_members_with_few_ratings_alone_is_held_back(store, small, tmp_path):
    """It is the current version, but for ratings of members, which it takes without learning from them."""
    model = load_model(store.folder(store.current()))
    folder = shutil.copytree(store.folder(model.version), tmp_path / "worse")
    run = (folder / "run.json").read_bytes()
    for name in ("manifest.json", "run.json"):
        (folder / name).unlink()
    unused = {kind: np.zeros_like(weights) for kind, weights in model.prior.rating_weights.items()}
    prior = replace(model.prior, rating_weights=unused)
    core = Core(prior, model.offsets, model.pairs, model.trees, model.calibration, model.reference)
    files = write_files(folder, Parts(model.schema, model.catalogue, core), {})
    version = write_manifest(folder, replace(model.manifest, files=files))
    (folder / "run.json").write_bytes(run)
    folder.rename(store.folder(version))
    found = judged(store, small.data)
    assert found["version"] == version
    worse = {name for name, row in found["differences"].items() if row["difference"] > 0}
    assert worse == {kind.name.lower() for kind in MemberEvidence if kind.has_ratings}
    assert not found["passed"]
    assert "margin_percent" in failed(found)


BROKEN = {
    "most_latency_ratio": 0.0, "most_size_ratio": 0.0, "most_milliseconds": 0.0, "most_megabytes": 0.0,
    "most_fallbacks": -1.0, "least_coverage": 0.99, "least_gain_over_mean_percent": 99.0, "least_gain_kept": 9.0,
}  # fmt: skip
"""Limits that nothing can hold."""


def test_each_limit_can_hold_a_version_back(two, small):
    found = judged(two, small.data, **BROKEN)
    assert not found["passed"]
    assert failed(found) >= set(BROKEN)


def test_one_limit_is_enough_to_hold_a_version_back(two, small):
    found = judged(two, small.data, most_megabytes=0.0)
    assert not found["passed"]
    assert failed(found) == {"most_megabytes"}


def test_a_store_keeps_its_key_and_refuses_another(store, small, capsys):
    assert json.loads((store.root / "gate_key.json").read_text()) == {"key": "coldstart"}
    assert retrain(small.data, store.root, "--gate-key", "another") == 2
    assert "another key" in capsys.readouterr().err


def test_a_share_that_cannot_be_one_is_refused(store, small, capsys):
    assert main(["retrain", "--data", str(small.data), "--models", str(store.root), "--gate-share", "0.9"]) == 2
    assert "--gate-share: must be a number from 0 to 0.5" in capsys.readouterr().err
