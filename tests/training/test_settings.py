"""A settings file is read whole or refused with all its faults; a published model records its settings."""

import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import DataError
from training.settings import FIELDS, FitSettings, fit_settings_table, read_fit_settings, to_dict, to_toml, with_value

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "training.md"

SMALLER = """\
folds = 3
[prior]
rank = 4
sweeps = 3
[prior.with_plays]
ridges = [16, 64.0]
[trees]
trees = 20
learning_rate = 0.2
"""


@pytest.fixture
def file(tmp_path):
    """Writes a settings file."""

    def write(text: str):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def test_what_a_file_says_counts_and_all_else_stays_as_it_is(file):
    settings, usual = read_fit_settings(file(SMALLER)), FitSettings()
    assert (settings.folds, settings.prior.rank, settings.trees.trees) == (3, 4, 20)
    assert settings.prior.with_plays.ridges == (16.0, 64.0)
    assert settings.prior.embedding == usual.prior.embedding
    assert settings.prior.attributes_only == usual.prior.attributes_only
    assert settings.trees.leaves == usual.trees.leaves


def test_what_is_written_is_read_as_the_same(file):
    settings = with_value(with_value(FitSettings(), "prior.rank", 7), "trees.ridge", 12.5)
    text = to_toml(settings, "made by hand")
    assert text.startswith("# made by hand\n")
    assert read_fit_settings(file(text)) == settings


def test_every_setting_has_a_sentence_and_a_range_that_its_default_is_in(file):
    for place, schema in FIELDS.items():
        assert schema["description"].endswith("."), place
        bounds = schema.get("items", schema)
        assert bounds["minimum"] < bounds["maximum"], place
    assert read_fit_settings(file(to_toml(FitSettings(), "the defaults"))) == FitSettings()


def test_the_documentation_has_the_current_table_of_settings():
    assert f"\n{fit_settings_table()}\n" in DOCUMENTATION.read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[prior]\nrang = 3", "prior.rang is no setting; there are prior.rank"),
        ("[tree]\ntrees = 3", r"tree is no setting; there are folds, \[prior\], .*\[trees\]"),
        ("[prior.plays]\ngamma = 3", r"prior.plays is no setting; there are .*\[prior.with_plays\]"),
        ("reweight = true", "reweight is no setting"),
        ("[prior]\nrank = 0", "prior.rank must be a whole number from 1 to 64"),
        ("[prior]\nrank = 2.5", "prior.rank must be a whole number"),
        ("[prior]\nrank = true", "prior.rank must be a whole number"),
        ("[prior]\nrank = '3'", "prior.rank must be a whole number"),
        ("[trees]\nlearning_rate = nan", "trees.learning_rate must be a number from 0.001 to 1"),
        ("[prior.with_plays]\nridges = []", "ridges must be a list of 1 to 20 numbers"),
        ("[prior.with_plays]\nridges = 6", "ridges must be a list"),
        (
            "[prior.with_plays]\nridges = [6, true]",
            "prior.with_plays.ridges must be a list of 1 to 20 numbers, each from 0.001",
        ),
        ("prior = 3", "prior is no setting"),
        ("rank = ", "can't be read"),
    ],
)
def test_what_can_not_be_meant_is_refused(text, message, file):
    with pytest.raises(DataError, match=message):
        read_fit_settings(file(text))


def test_every_problem_is_reported_at_once(file):
    path = file("[prior]\nrank = 0\nrang = 1\n[prior.with_plays]\nridges = [0, 0]\n[trees]\nleaves = 1")
    with pytest.raises(DataError) as refused:
        read_fit_settings(path)
    texts = [problem.text for problem in refused.value.problems]
    assert [text.split()[0] for text in texts] == [
        "prior.rank",
        "prior.with_plays.ridges",
        "prior.rang",
        "trees.leaves",
    ]
    assert {problem.table for problem in refused.value.problems} == {str(path)}


def test_retrain_uses_the_file_and_the_manifest_tells_it(small, file, tmp_path):
    path = file(SMALLER)
    models = tmp_path / "models"
    assert main(["retrain", "--data", str(small.data), "--models", str(models), "--settings", str(path)]) == 0
    version = (models / "current").read_text().strip()
    manifest = json.loads((models / "versions" / version / "manifest.json").read_text())
    assert manifest["settings"] == to_dict(read_fit_settings(path))
    assert manifest["settings"]["prior.rank"] == 4
    assert version != small.version
    assert (models / "versions" / version / "trees.txt").read_text().count("Tree=") == 20
    assert small.model.manifest.settings == to_dict(FitSettings())


@pytest.mark.parametrize("command", ["retrain", "evaluate", "tune"])
def test_a_wrong_file_ends_with_exit_code_2_before_any_work(command, small, file, tmp_path, capsys):
    out = ["--models", str(tmp_path / "out")] if command == "retrain" else ["--out", str(tmp_path / "out")]
    for path in (file("[prior]\nrank = 0"), tmp_path / "nowhere.toml"):
        assert main([command, "--data", str(small.data), *out, "--settings", str(path)]) == 2
        assert str(path) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
