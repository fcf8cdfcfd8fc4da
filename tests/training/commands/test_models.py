"""Published versions are listed, shown, promoted and rolled back from the command line."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts
from model.store.store import Store
from training.__main__ import main

NOTED = ("--note", "of another seed")
PATIENT = ("--gate-most-latency-ratio", "100")
"""A busy machine holds no version back."""


@pytest.fixture(scope="module")
def two_versions(small, light, tmp_path_factory) -> Path:
    """A store of two versions, of which the second serves."""
    models = shutil.copytree(small.models, tmp_path_factory.mktemp("two") / "models")
    assert (
        main(["retrain", "--data", str(small.data), "--models", str(models), "--seed", "1", *NOTED, *PATIENT, *light])
        == 0
    )
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
    scores = small.model.manifest.scores["attributes_and_ratings"]
    assert lines[0].split() == ["version", "trained", "gain", "%", "RMSE", "gate", "seed", "labels", "note"]
    gain, rmse = f"{scores['gain_percent']:.2f}", f"{scores['rmse']:.4f}"
    trained = ["2024-01-01", "01:00"]
    assert lines[1].split() == [small.version, *trained, gain, rmse, "passed", "0", "previous"]
    assert lines[2].startswith(f"{store.current()}  2024-01-01 02:00")
    assert lines[2].endswith("1  serves    of another seed")


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
    assert "candidate" in models("list")[1].splitlines()[1]
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
    assert "note of another seed" in told
    assert "labels serves" in told
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


def test_so_much_of_a_name_as_no_other_version_has_is_enough(store, small, models):
    second = store.current()
    shared = next(length for length in range(12) if small.version[: length + 1] != second[: length + 1])
    assert models("promote", small.version[: shared + 1]) == (0, f"version {small.version} serves\n")
    shutil.copytree(store.folder(second), store.folder(f"{second[:11]}{'0' if second[11] != '0' else '1'}"))
    code, told = models("show", second[:11])
    assert code == 2
    assert told.startswith(f"{second[:11]} is the beginning of several versions: ")
    assert models("show", "")[0] == 2


def test_a_damaged_version_is_called_damaged_with_what_to_do(store, small, models):
    (store.folder(small.version) / "prior.npz").write_bytes(b"")
    assert models("list")[1].splitlines()[1].endswith("  damaged: prior.npz isn't as it was written")
    [row] = [row for row in json.loads(models("list", "--json")[1]) if row["version"] == small.version]
    assert row["damaged"] == "prior.npz isn't as it was written"
    code, told = models("promote", small.version)
    assert code == 1
    assert told.startswith(f"version {small.version} can't serve: prior.npz isn't as it was written; promote another")
    code, told = models("show", small.version)
    assert code == 1
    assert told.startswith(f"version {small.version} is damaged: prior.npz")
    shutil.rmtree(store.folder(small.version) / "members")
    assert "damaged: " in models("list")[1].splitlines()[1]


def held_back(store: Store, version: str) -> None:
    """Let the gate's record of a version say that it was held back."""
    record = json.loads(store.read_record(version, "gate.json"))
    failed = record["checks"][0] | {"passed": False, "told": "the RMSE is too high"}
    record |= {"passed": False, "serves": False, "checks": [failed, *record["checks"][1:]]}
    store.write_record(version, "gate.json", json.dumps(record).encode())


@pytest.mark.parametrize("action", ["promote", "candidate", "rollback"])
def test_a_version_that_was_held_back_gets_a_label_by_force_only(store, small, models, action):
    held_back(store, small.version)
    before = store.labels()
    code, told = models(action, small.version)
    assert code == 3
    assert f"version {small.version} was held back by the gate; --force overrules this" in told
    assert "The RMSE is too high" in told
    assert store.labels() == before
    assert " held back " in models("list")[1].splitlines()[1]
    code, told = models(action, small.version, "--force", "--why", "the limit is wrong")
    assert code == 0
    assert "overruled: The RMSE is too high" in told
    assert store.moves()[-1].reason.why == f"models {action} --force: the limit is wrong"


def test_each_move_of_a_label_is_shown_with_who_when_and_why(store, small, models):
    second = store.current()
    models("promote", small.version, "--why", "complaints")
    *_, line = models("log")[1].splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00  current ", line)
    assert f"{second} -> {small.version}  " in line
    assert line.endswith(": models promote: complaints")
    *_, move = json.loads(models("log", "--json")[1])
    assert (move["label"], move["from"], move["to"]) == ("current", second, small.version)
    assert "@" in move["by"]
    moves = [move for move in store.moves() if move.after == second]
    assert [move.reason.why for move in moves if move.label == "current"] == ["retrain"]


def test_every_action_answers_programs_in_json(store, small, models, tmp_path):
    second, key = store.current(), tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    shown = json.loads(models("show", "--json")[1])
    assert (shown["version"], shown["note"], shown["labels"]) == (second, "of another seed", ["serves"])
    assert shown["gate"]["passed"] is True
    assert shown["manifest"]["seed"] == 1
    for action, *arguments in (
        ("diff", small.version), ("diff", small.version, second, small.version), ("candidate", small.version),
        ("rollback",), ("promote", small.version), ("sign", "--key", str(key)), ("prune",),
        ("export", "--out", str(tmp_path / "export")),
    ):  # fmt: skip
        code, told = models(action, *arguments, "--json")
        assert code == 0, (action, told)
        assert isinstance(json.loads(told), dict), action


def test_movies_and_factors_are_exported_as_tables(small, models, tmp_path):
    out = tmp_path / "export"
    assert models("export", small.version, "--out", str(out))[0] == 0
    movies, factors = (pl.read_parquet(out / f"{name}.parquet") for name in ("movies", "factors"))
    own = small.tables.movies.sort("movie_id")
    for name in ("movie_id", "title"):
        assert movies[name].to_list() == own[name].to_list()
    known = {*small.model.schema.genres}
    assert movies["genres"].to_list() == [
        None if genres is None else sorted({genre if genre in known else "other" for genre in genres})
        for genres in own["genres"]
    ]
    assert movies["release_year"].to_list() == own["release_year"].cast(pl.Int32).to_list()
    rated = own["movie_id"].is_in(small.tables.ratings["movie_id"].unique().implode())
    assert movies.filter(~rated)["rated"].any() is False
    for attribute in small.model.schema.movie_attributes:
        assert set(movies[attribute.name].drop_nulls()) <= {*own[attribute.name], "other value"}
    assert factors["movie_id"].to_list() == movies["movie_id"].to_list()
    model = small.model
    *taste, generosity = model.prior.average_member
    nothing = MemberFacts.nothing(model.schema)
    for row in factors.head(5).iter_rows(named=True):
        place = model.catalogue.row(row["movie_id"])
        rating = row["mean"] + row["quality"] + generosity + np.dot(row["taste"], taste)
        offset = model.offsets[MemberEvidence.NOTHING].movies[0, place]
        assert model.predict(nothing, [place]).prior_rating[0] == pytest.approx(rating + offset)


def test_export_needs_a_place(models):
    assert models("export") == (2, "export needs --out, a folder to write tables into\n")
