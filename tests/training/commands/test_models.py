"""Published versions are listed, shown, promoted and rolled back from the command line."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from model.store.store import Store
from training.__main__ import main

PATIENT = ("--gate-most-latency-ratio", "100")
"""A busy machine holds no version back."""


@pytest.fixture(scope="module")
def two_versions(small, light, tmp_path_factory) -> Path:
    """A store of two versions, of which the second serves."""
    models = shutil.copytree(small.models, tmp_path_factory.mktemp("two") / "models")
    assert main(["retrain", "--data", str(small.data), "--models", str(models), "--seed", "1", *PATIENT, *light]) == 0
    second = Store(models).current()
    for version, hour in ((small.version, 1), (second, 2)):  # the clock tells whole seconds only
        run = models / "versions" / version / "run.json"
        run.write_text(json.dumps(json.loads(run.read_text()) | {"trained_at": f"2024-01-01T0{hour}:00:00+00:00"}))
    return models


@pytest.fixture
def store(two_versions, tmp_path) -> Store:
    return Store(shutil.copytree(two_versions, tmp_path / "models"))


@pytest.fixture
def models(store, capsys):
    """Runs `training models` on the store; returns the exit code and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["models", *arguments, "--models", str(store.root)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_versions_are_listed_by_age_with_the_one_that_serves(store, small, models):
    code, told = models("list")
    lines = told.splitlines()
    assert code == 0
    assert lines[0] == f"{small.version}  2024-01-01T01:00:00+00:00  previous"
    assert lines[1] == f"{store.current()}  2024-01-01T02:00:00+00:00  serves"


def test_a_version_is_shown_with_its_scores(small, models):
    code, told = models("show", small.version)
    assert code == 0
    assert told.startswith(f"version {small.version}, trained at 2024")
    assert small.model.manifest.data_fingerprint in told
    assert "## Root mean squared error" in told


def test_without_a_version_the_one_that_serves_is_shown(store, models):
    assert f"version {store.current()}," in models("show")[1]


def test_a_version_is_promoted(store, small, models):
    assert models("promote", small.version) == (0, f"version {small.version} serves\n")
    assert store.current() == small.version


def test_rolling_back_lets_the_version_before_serve_and_there_it_ends(store, small, models):
    second = store.current()
    assert models("rollback")[0] == 0
    assert store.current() == small.version
    assert models("rollback")[0] == 2
    assert store.current() == small.version
    assert models("promote", second)[0] == 0


@pytest.mark.parametrize("action", ["promote", "rollback", "show"])
@pytest.mark.parametrize("version", ["f" * 12, "latest", "../.."])
def test_a_version_that_is_not_there_is_refused(store, models, action, version):
    before = store.current()
    assert models(action, version)[0] == 2
    assert store.current() == before


def test_promote_needs_a_version(models):
    assert models("promote") == (2, "promote needs a version\n")


def test_a_damaged_version_is_not_promoted(store, small, models):
    second = store.current()
    (store.folder(small.version) / "prior.npz").write_bytes(b"")
    code, told = models("promote", small.version)
    assert code == 1
    assert "prior.npz" in told
    assert store.current() == second


def test_a_label_that_is_garbage_is_told_and_hides_nothing(store, small, models):
    second = store.current()
    (store.root / "current").write_text("garbage")
    code, told = models("list")
    assert code == 0
    assert small.version in told
    assert second in told
    assert "the file current doesn't name a version" in told
    assert models("promote", small.version)[0] == 0
    assert store.current() == small.version


def test_a_store_without_versions_has_nothing_to_list_or_show(tmp_path, capsys):
    assert main(["models", "list", "--models", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    for action in ("show", "rollback"):
        assert main(["models", action, "--models", str(tmp_path)]) == 2


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"trained_at": 7, "seconds": 1}'])
def test_a_version_without_a_sound_run_is_listed_all_the_same(store, small, models, content):
    run = store.folder(small.version) / "run.json"
    run.unlink()
    if content is not None:
        run.write_text(content)
    code, told = models("list")
    assert code == 0
    assert f"{small.version}  unknown" in told
    assert store.current() in told


def test_rolling_back_does_not_need_the_run_of_other_versions(store, small, models):
    third = shutil.copytree(store.folder(store.current()), store.folder("f" * 12))
    (third / "run.json").write_text("garbage")
    assert models("rollback")[0] == 0
    assert store.current() == small.version


def test_rolling_back_ends_a_candidate_first_and_says_what_serves_on(store, small, models):
    second = store.current()
    assert models("candidate", small.version) == (0, f"version {small.version} is the candidate\n")
    assert "candidate" in models("list")[1].splitlines()[0]
    code, told = models("rollback")
    assert code == 0
    assert told == f"version {small.version} is no longer the candidate; version {second} serves on\n"
    assert store.current() == second


def test_old_versions_are_pruned_but_never_one_that_serves_or_served(store, small, models):
    assert models("prune", "--keep", "0", "--keep-days", "0") == (0, "")
    store.remove_label("previous")
    assert models("prune", "--keep", "0", "--keep-days", "0") == (0, f"version {small.version} is removed\n")
    assert store.versions() == [store.current()]


def test_a_version_is_shown_with_where_it_comes_from_and_what_was_said_of_it(store, small, models):
    second = store.current()
    told = models("show")[1]
    assert f"version {second}, trained at" in told
    assert "seed 1" in told
    assert "labels current" in told
    assert re.search(rf"^code (unknown|[0-9a-f]{{40}}\+?), made while {small.version} served$", told, re.MULTILINE)
    assert "records gate.json" in told
    assert "## The gate" in told
    assert "lightgbm" in told


def test_a_version_is_signed_for_a_service_that_asks_for_it(store, models, tmp_path):
    key = tmp_path / "key.pem"
    assert models("sign")[0] == 2
    assert models("sign", "--key", str(key)) == (2, "the key can't be read: FileNotFoundError\n")
    key.write_bytes(b"nonsense")
    assert models("sign", "--key", str(key))[0] == 2
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    assert models("sign", "--key", str(key)) == (0, f"version {store.current()} is signed\n")
    assert "manifest.sig" in store.records(store.current())


def test_retraining_over_a_damaged_version_makes_it_whole_and_offers_signs_and_prunes(
    store, small, light, tmp_path, capsys
):
    """The folder that is there already is looked at: it isn't said to serve because its name is right."""
    second = store.current()
    (store.folder(second) / "prior.npz").write_bytes(b"damaged")
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    options = [*PATIENT, *light, "--seed", "1", "--candidate", "--sign", str(key), "--keep", "0", "--keep-days", "0"]
    assert main(["retrain", "--data", str(small.data), "--models", str(store.root), *options]) == 0
    assert f"version {second} is published and is the candidate" in capsys.readouterr().out
    store.check(second)
    assert store.labels() == {"current": second, "previous": small.version, "candidate": second}
    assert "manifest.sig" in store.records(second)
    assert store.versions() == sorted([small.version, second])


def test_a_key_that_can_not_be_used_is_told_before_any_work(small, tmp_path, capsys):
    options = ["--models", str(tmp_path / "models"), "--sign", str(tmp_path / "nowhere")]
    assert main(["retrain", "--data", str(small.data), *options]) == 2
    assert "the key can't be read" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
