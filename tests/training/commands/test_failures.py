"""Which exit code a retrain ends with if reading or writing fails after the data have been checked."""

import errno
import shutil

import pytest

from model.errors import StoreError
from model.store.store import Store
from training.__main__ import main
from training.errors import DataError, Problem

LOCKED = PermissionError(errno.EACCES, "Permission denied", "models/.lock")


@pytest.fixture
def retrain(small, light, tmp_path):
    """Retrains beside a version that serves; returns the exit code and the store."""

    def run() -> tuple[int, Store]:
        models = shutil.copytree(small.models, tmp_path / "models", dirs_exist_ok=True)
        places = ("--data", str(small.data), "--models", str(models), "--seed", "4")
        return main(["retrain", *places, "--keep", "0", "--keep-days", "0", "--force", *light]), Store(models)

    return run


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (
            "publish",
            OSError(errno.EROFS, "Read-only file system", "models/versions"),
            "models/versions: Read-only file",
        ),
        ("keep_key", StoreError("the store can't be written"), "the store can't be written"),
        ("settle", LOCKED, "models/.lock: Permission denied"),
        ("_take_part", DataError([Problem("leaderboard.json", "is broken")]), "leaderboard.json: is broken"),
    ],
)
def test_what_fails_after_training_is_failed_work(small, retrain, monkeypatch, capsys, step, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(f"training.commands.retrain.{step}", fail)
    code, store = retrain()
    assert (code, store.current()) == (1, small.version)
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)


@pytest.mark.parametrize("error", [LOCKED, StoreError("the store can't be reached")])
def test_old_versions_that_can_not_be_removed_do_not_change_the_exit_code(small, retrain, monkeypatch, capsys, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Store, "prune", fail)
    code, store = retrain()
    assert (code, store.label("previous")) == (0, small.version)
    assert capsys.readouterr().err.splitlines()[-1].startswith("old versions aren't removed: ")
