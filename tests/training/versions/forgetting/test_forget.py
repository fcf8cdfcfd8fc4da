"""Forgetting as a whole: nothing is left of a member in any folder, and a retrain is as if there had never been one."""

import json
import shutil

import polars as pl
import pytest

from benchmarks.drills import forget as drill
from model.facts.outcome_record import Outcome, to_line
from tests.conftest import installed_tool
from training.__main__ import main
from training.data.files.forgotten_list import FORGOTTEN


@pytest.fixture
def places(small, tmp_path):
    """Options for copies of the small data and store, an outcome of a member, and a key; and the ids of two members."""
    shutil.copytree(small.data, tmp_path / "data")
    shutil.copytree(small.models, tmp_path / "models")
    (tmp_path / "outcomes").mkdir()
    known = [pl.read_parquet(small.data / f"{name}.parquet")["member_id"] for name in ("members", "plays", "ratings")]
    ids = sorted(set.intersection(*map(set, known)))[:2]
    movie_id = small.tables.movies["movie_id"][0]
    (tmp_path / "outcomes" / "1-1.jsonl").write_bytes(
        to_line(Outcome("1", ids[0], movie_id, 3.0, None, 1.6e9, 1.6e9))
        + to_line(Outcome("2", "another", movie_id, 3.0, None, 1.6e9, 1.6e9))
    )
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "ids").write_text("\n".join(ids) + "\r\n\n")
    names = ("data", "outcomes", "models")
    options = [text for name in names for text in (f"--{name}", str(tmp_path / name))]
    return [*options, "--member-key", str(tmp_path / "key")], ids


def shown(capsys, *arguments):
    assert main(["members", "show", *arguments]) == 0
    return json.loads(capsys.readouterr().out)["members"]


def test_a_member_is_shown_all_that_is_kept_and_nothing_of_others(places, small, capsys):
    options, (member_id, _) = places
    (member,) = shown(capsys, "--id", member_id, *options)
    tables = {name: pl.read_parquet(small.data / name) for name in member["tables"]}
    assert {"members.parquet", "plays.parquet", "ratings.parquet"} <= set(tables)
    for name, rows in tables.items():
        own = rows.filter(pl.col("member_id") == member_id)
        assert len(member["tables"][name]) == len(own)
        assert {row["member_id"] for row in member["tables"][name]} == {member_id}
    assert [outcome["request_id"] for outcome in member["outcomes"]] == ["1"]
    assert set(member["versions"][small.version]) == {"version", "attributes", "plays", "ratings"}
    assert member["on_list_of_forgotten"] is False


def test_who_is_forgotten_is_shown_nothing_and_the_receipt_has_counts_and_no_ids(places, small, capsys, tmp_path):
    options, ids = places
    receipt_file = tmp_path / "receipt.json"
    call = ["members", "forget", "--ids", str(tmp_path / "ids"), *options, "--receipt", str(receipt_file)]
    assert main(call) == 0
    told = capsys.readouterr()
    receipt = json.loads(receipt_file.read_text())
    (version,) = receipt["versions"]
    assert version["before"] == small.version
    assert version["rows"] == receipt["members"] == receipt["list"]["members"] == 2
    assert receipt["outcomes"][0]["lines"] == 1
    assert all(len(file["sha256"]) == 64 for file in (*receipt["tables"], *receipt["outcomes"], receipt["list"]))
    assert f"version {version['after']} was trained with them; kept until" in told.err
    assert "serves, among the newest" in told.err
    assert not any(member_id in text for member_id in ids for text in (told.out, told.err, receipt_file.read_text()))
    for member in shown(capsys, "--ids", str(tmp_path / "ids"), *options):
        assert (member["tables"], member["outcomes"], member["versions"]) == ({}, [], {})
        assert member["on_list_of_forgotten"] is True
    assert main(call) == 0
    again = json.loads(receipt_file.read_text())
    assert [file["sha256"] for file in again["tables"]] == [file["sha256"] for file in receipt["tables"]]
    assert again["list"] == receipt["list"]
    assert again["trained_with_them"] == receipt["trained_with_them"]


def test_undo_takes_off_the_list_and_brings_nothing_back(places, capsys, tmp_path):
    options, ids = places
    call = ["members", "forget", "--ids", str(tmp_path / "ids"), *options]
    assert main(call) == 0
    assert main([*call, "--undo"]) == 0
    assert capsys.readouterr().out.endswith("2 members are taken off the list\n")
    assert main(["validate", "--data", str(tmp_path / "data")]) == 0, "an empty list needs no key"
    capsys.readouterr()
    assert shown(capsys, "--id", ids[0], "--data", str(tmp_path / "data"))[0]["tables"] == {}


def test_what_can_not_be_done_is_refused_before_anything_changes(places, small, capsys, tmp_path):
    options, _ = places
    forget = ["members", "forget", "--ids", str(tmp_path / "ids")]
    assert main([*forget, "--data", str(tmp_path / "data")]) == 2
    assert "--data needs --member-key" in capsys.readouterr().err
    assert main(forget) == 2
    assert "name a place to look into" in capsys.readouterr().err
    (tmp_path / "none").touch()
    assert main(["members", "forget", "--ids", str(tmp_path / "none"), *options]) == 2
    assert "no member's id" in capsys.readouterr().err
    assert main([*forget, *options, "--to", f"unix://{tmp_path / 'no.sock'}"]) == 1
    assert "the store of members failed" in capsys.readouterr().err
    assert not (tmp_path / "data" / FORGOTTEN).exists()


def test_a_retrain_that_runs_meanwhile_publishes_nothing(places, small, light, capsys, tmp_path, monkeypatch):
    from training.commands import retrain

    options, _ = places
    publish = retrain.publish

    def publish_late(*arguments):
        assert main(["members", "forget", "--ids", str(tmp_path / "ids"), *options]) == 0
        return publish(*arguments)

    monkeypatch.setattr(retrain, "publish", publish_late)
    assert main(["retrain", *options, *light, "--seed", "7", "--force"]) == 1
    assert "members were forgotten while this ran" in capsys.readouterr().err
    assert len(list((tmp_path / "models" / "versions").iterdir())) == 1


def test_nothing_is_left_of_the_forgotten_beside_a_running_service(small, light):
    """At length and on larger data: `python -m benchmarks.drills.forget`."""
    installed_tool("redis-server", "redis-server")
    seen = drill.drill(small.data, [0.1], kills=1, seed=1, options=light, seeds=("0",))
    assert drill.is_clean(seen), seen
    assert [group["forgotten"] for group in seen["groups"]] == [round(0.1 * seen["members"])]
