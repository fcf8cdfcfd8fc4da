"""Retrains choose whose facts a version holds and under which hashes, and services and commands follow."""

import json
import shutil
import sys
import time

import polars as pl
import pytest

from coldstart import load
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.errors import ArtifactError
from model.files.manifest import read_manifest
from model.store.store import Store
from service.commands.doctor import main as doctor
from training.__main__ import main

WHO = ("all", "never-raters", "none")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    file = tmp_path_factory.mktemp("key") / "member.key"
    file.write_bytes(bytes(range(32)))
    return file


@pytest.fixture(scope="module")
def store(small, light, key, tmp_path_factory) -> Store:
    """A store in which versions with other members, and at last another key, took each other's place."""
    models = tmp_path_factory.mktemp("published") / "models"
    patient = ("--gate-most-latency-ratio", "100")  # a busy machine holds no version back
    for options in (*(("--publish", who) for who in WHO), ("--member-key", str(key))):
        assert main(["retrain", "--data", str(small.data), "--models", str(models), *patient, *light, *options]) == 0
    return Store(models)


@pytest.fixture(scope="module")
def rater(small) -> str:
    both = small.tables.ratings.join(small.tables.members, on="member_id", how="semi")
    return both["member_id"][0]


def test_the_gate_compares_versions_whoever_they_publish(store, small):
    members, raters = len(small.tables.member_ids), small.tables.ratings["member_id"].n_unique()
    published = {"all": (members, raters), "never-raters": (members - raters, 0), "none": (0, 0)}
    counts = [read_manifest(store.folder(version)).data for version in store.versions()]
    assert sorted((count["published_members"], count["published_raters"]) for count in counts) == sorted(
        [*published.values(), published["all"]]
    )
    records = [json.loads(store.read_record(version, "gate.json")) for version in store.versions()]
    assert all(record["passed"] for record in records)
    assert sum(record["compared_with"] is not None for record in records) == len(records) - 1


def test_a_retrain_prints_who_is_published(small, light, key, retrained, capsys):
    retrained(small.data, *light, "--publish", "never-raters", "--member-key", str(key))
    members, raters = len(small.tables.member_ids), small.tables.ratings["member_id"].n_unique()
    assert f"{members - raters} of {members} members are published with the version, 0 of them raters" in (
        capsys.readouterr().out
    )


def test_a_service_finds_members_with_the_key_alone_and_serves_nothing_without_it(store, key, rater, start_server):
    blind = start_server(store.root)
    refused = next(line for line in blind.log() if line["event"] == "model_not_loaded")
    assert refused["kind"] == "member_key"
    assert refused["reason"] == "the ids of its members are hashed with a member key, and none is given"
    assert blind.metric("coldstart_ready") == 0
    keyed = start_server(store.root, "--member-key", str(key))
    model = load(store.root, member_key=key)
    movie_ids = model.movies["movie_id"].to_list()
    answer = keyed.stub.PredictEnjoyment(
        pb.PredictEnjoymentRequest(member=pb.Member(member_id=rater), movie_ids=movie_ids)
    )
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_ATTRIBUTES_AND_RATINGS
    pairs = pl.DataFrame({"member_id": [rater] * len(movie_ids), "movie_id": movie_ids})
    assert [prediction.rating for prediction in answer.predictions] == model.predict(pairs)["rating"].to_list()


def test_a_version_without_members_serves_and_knows_nobody(store, rater, start_server, tmp_path):
    version = next(name for name in store.versions() if not read_manifest(store.folder(name)).data["published_members"])
    own = tmp_path / "models"
    shutil.copytree(store.folder(version), own / "versions" / version)
    (own / "current").write_text(version)
    server = start_server(own)
    model = load(store.root, version)
    answer = server.stub.PredictEnjoyment(
        pb.PredictEnjoymentRequest(member=pb.Member(member_id=rater), movie_ids=model.movies["movie_id"].to_list()[:3])
    )
    assert answer.unused.unknown_member
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_NOTHING


@pytest.mark.parametrize("given", [False, True])
def test_the_doctor_says_that_the_key_is_missing(store, key, capsys, given):
    options = ["--member-key", str(key)] if given else []
    code = doctor(["--models", str(store.root), *options, "--json"], {}, time.time(), sys.stdout)
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)["checks"]}
    assert (findings["model"]["state"] == "ok") == given
    assert given or (code and "--member-key" in findings["model"]["remedy"])


def test_a_notebook_needs_the_key_too_or_the_variable_that_names_it(store, key, monkeypatch):
    with pytest.raises(ArtifactError, match="none is given"):
        load(store.root)
    monkeypatch.setenv("COLDSTART_MEMBER_KEY", str(key))
    assert load(store.root).version == store.current()


def test_members_are_pushed_only_under_hashes_by_which_a_service_asks(store, capsys):
    assert main(["members", "push", "--models", str(store.root), "--to", "redis://127.0.0.1:1"]) == 2
    assert "are hashed with another key than --member-key" in capsys.readouterr().err


@pytest.mark.parametrize(("content", "message"), [(None, "can't be read"), (b"short", "must have 16 to 64 bytes")])
def test_a_key_that_cannot_be_used_is_refused_before_any_work(small, tmp_path, capsys, content, message):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    options = ("--data", str(small.data), "--models", str(tmp_path / "models"), "--member-key", str(file))
    assert main(["retrain", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "models" / "versions").exists()
