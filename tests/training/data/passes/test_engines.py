"""Options tell where passes run, and what doesn't go together is refused before any work."""

import argparse
import socket
from pathlib import Path

import pytest

from training.__main__ import main
from training.data.passes import dask_engine
from training.data.passes.engines import add_engine, passes_of
from training.errors import UsageError


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_engine(parser)
    return parser.parse_args(arguments)


def test_without_options_files_are_in_a_temporary_folder_that_is_removed():
    with passes_of(options(), 2) as passes:
        folder = passes.folder
        assert list(folder.iterdir()) == []
        assert passes.collect(pow, [2, 3], [3, 2]) == [8, 9]
    assert not folder.exists()


def test_the_work_folder_is_made_and_stays(tmp_path: Path):
    work = tmp_path / "new" / "work"
    for _ in range(2):
        with passes_of(options("--work", str(work)), 2) as passes:
            assert passes.folder == work
            (work / "kept").touch()
    assert [path.name for path in work.iterdir()] == ["kept"]


def test_a_work_folder_that_can_not_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    for place in ("file", "file/work"):
        with (
            pytest.raises(UsageError, match=r"^--work: .*file.* can't be made: "),
            passes_of(options("--work", str(tmp_path / place)), 1),
        ):
            pass


@pytest.mark.parametrize("command", ["retrain", "evaluate"])
def test_a_cluster_needs_a_work_folder_and_a_scheduler(small, tmp_path, monkeypatch, capsys, command):
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_engine, "CONNECT_SECONDS", 0.5)
    out = ["--models", str(tmp_path / "models")] if command == "retrain" else ["--out", str(tmp_path / "evaluation")]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        call = [command, "--data", str(small.data), *out, "--cluster", address]
        assert main(call) == 2
        assert capsys.readouterr().err.endswith(
            "--cluster needs --work, a folder that all workers have at the same path\n"
        )
        assert main([*call, "--work", str(tmp_path / "work")]) == 1
        assert capsys.readouterr().err.endswith(f"--cluster: no Dask scheduler answers at {address}\n")
    assert not (tmp_path / "evaluation").exists()
    assert not list((tmp_path / "models").glob("versions/*"))
