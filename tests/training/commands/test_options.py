"""Options that can't be meant, and places that can't be written to, are refused before any work, with exit code 2."""

import os

import pytest

from training.__main__ import main

RETRAIN = ["retrain", "--data", "nowhere", "--models", "nowhere"]
EVALUATE = ["evaluate", "--data", "nowhere"]
SAMPLE = ["sample", "--out", "nowhere"]


@pytest.mark.parametrize(
    ("command", "option", "value", "told"),
    [
        *[(command, "--seed", "-1", "must be 0 or more") for command in (RETRAIN, EVALUATE, SAMPLE)],
        *[(command, "--seed", str(10**30), f"must be {2**63 - 1} at most") for command in (RETRAIN, EVALUATE, SAMPLE)],
        *[(command, "--seed", "one", "must be a whole number, 0 or more") for command in (RETRAIN, EVALUATE, SAMPLE)],
        *[(command, "--min-holders", "-1", "must be 1 or more") for command in (RETRAIN, EVALUATE)],
        *[(command, "--min-holders", "2.5", "must be a whole number, 1 or more") for command in (RETRAIN, EVALUATE)],
        (EVALUATE, "--folds", "1", "must be 2 or more"),
        (SAMPLE, "--members", "-1", "must be 40 or more"),
        (SAMPLE, "--movies", "0", "must be 20 or more"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused_in_one_clear_line(capsys, command, option, value, told):
    with pytest.raises(SystemExit) as stop:
        main([*command, option, value])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: argument {option}: {told}")


@pytest.mark.parametrize("place", ["file", "file/models", "broken"])
def test_models_that_could_not_be_published_are_refused_before_the_data_is_read(tmp_path, capsys, place):
    (tmp_path / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "versions").touch()
    before = sorted(tmp_path.rglob("*"))
    assert main(["retrain", "--data", str(tmp_path / "no data"), "--models", str(tmp_path / place)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("--models: ")
    assert "is no folder" in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", [["evaluate", "--data", "nowhere"], ["sample"], ["import", "movielens", "nowhere"]])
def test_a_folder_that_could_not_be_written_is_refused_before_any_work(tmp_path, capsys, command):
    (tmp_path / "file").touch()
    assert main([*command, "--out", str(tmp_path / "file" / "out")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"--out: {tmp_path / 'file'} is no folder: name another place"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused_before_any_work(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["retrain", "--data", "nowhere", "--models", str(tmp_path / "models")]) == 2
    assert f"--models: {tmp_path} can't be written to" in capsys.readouterr().err


def test_predictions_that_could_not_be_written_are_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "out.csv").mkdir()
    arguments = ["predict", "--data", "nowhere", "--models", "nowhere", "--out", str(tmp_path / "out.csv")]
    assert main(arguments) == 2
    assert capsys.readouterr().err == "--out is a folder\n"
