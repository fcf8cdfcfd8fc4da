"""What a command may not read is refused in one line with exit code 2, and never taken for something empty."""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from model.facts.outcome_record import Outcome, to_line
from model.store.open import open_store
from training.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@contextmanager
def without_rights() -> Iterator[None]:
    """As root, act as a user who may read only what everybody may."""
    for _, module, _ in (*COMMANDS, ("", "model.store.remote", "")):
        import_module(module)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder that everybody may enter and write to, which pytest's own isn't."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def refused(capsys) -> Callable[..., str]:
    """Runs a command without rights; it must end with exit code 2 and one line, which is returned, after its steps."""

    def run(*arguments: object) -> str:
        with without_rights():
            code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert (code, captured.out) == (2, ""), captured
        [line] = [line for line in captured.err.splitlines() if not line.endswith("s  reading and checking")]
        return line

    return run


@pytest.fixture
def data(folder, write_data) -> Path:
    return shutil.copytree(write_data("parquet"), folder / "data")


@pytest.fixture
def models(folder, small) -> Path:
    return shutil.copytree(small.models, folder / "models")


def lock(path: Path) -> None:
    path.chmod(0)


@pytest.mark.parametrize("place", ["", "members.parquet"])
@pytest.mark.parametrize(
    "command", [["validate"], ["evaluate"], ["retrain", "--models", "{}/m"], ["challenge", "make", "--out", "{}/new"]]
)
def test_tables(refused, folder, data, command, place):
    lock(data / place)
    command = [argument.format(folder) for argument in command]
    if command[0] == "evaluate":
        command += ["--out", str(folder / "out")]
    told = refused(*command, "--data", data)
    assert "can't be read" in told
    assert "Permission denied" in told
    assert {path.name for path in folder.iterdir()} == {"data"}


def test_a_folder_of_parts_and_one_inside_it(refused, data):
    parts = data / "plays"
    (parts / "year=2024").mkdir(parents=True)
    (data / "plays.parquet").rename(parts / "a.parquet")
    lock(parts / "year=2024")
    assert refused("validate", "--data", data).startswith("plays: can't be read: ")
    lock(parts)
    assert refused("validate", "--data", data).startswith("plays: can't be read: ")


def test_a_schema_file(refused, data):
    (data / "schema.toml").write_text("[ratings]\nscale = [1, 5]\n")
    lock(data / "schema.toml")
    assert refused("validate", "--data", data).startswith("schema.toml: can't be read: ")
    (data / "schema.toml").unlink()
    (data / "schema.toml").symlink_to("nowhere")
    assert refused("validate", "--data", data).startswith("schema.toml: can't be read: ")


@pytest.mark.parametrize("place", ["", "deep", "a.jsonl"])
def test_outcomes(refused, folder, data, place):
    outcomes = folder / "outcomes"
    (outcomes / "deep").mkdir(parents=True)
    (outcomes / "a.jsonl").write_bytes(to_line(Outcome("a", "r01", "m1", 4.0, None, 2e9, 2e9)))
    lock(outcomes / place)
    told = refused("retrain", "--data", data, "--models", folder / "models", "--outcomes", outcomes)
    assert told.startswith("outcomes: can't be read: ")
    assert not (folder / "models").exists()


@pytest.mark.parametrize("place", ["", "versions", "current"])
@pytest.mark.parametrize(
    "command", [["list"], ["show"], ["promote", "{}"], ["candidate", "{}"], ["prune"], ["diff", "{}"]]
)
def test_the_store(refused, models, small, command, place):
    lock(models / place)
    told = refused("models", *(argument.format(small.version) for argument in command), "--models", models)
    assert re.search("can't be read|Permission denied", told), told


@pytest.mark.parametrize("place", ["", "versions", "current"])
def test_a_model_to_predict_with(refused, folder, data, models, place):
    lock(models / place)
    assert "can't be read" in refused(
        "predict", "--data", data, "--models", models, "--out", folder / "predictions.csv"
    )


def test_a_store_that_is_a_file_or_is_not_there(refused, folder):
    (folder / "file").touch()
    assert refused("models", "list", "--models", folder / "file") == "--models: is a file, not a folder"
    assert refused("models", "list", "--models", folder / "nowhere") == "--models: there is no such folder"


@pytest.mark.parametrize("command", ["models list", "models show", "predict --data {0} --out {0}/p.csv"])
@pytest.mark.parametrize("address", ["nowhere://models", "s3a+b://x"])
def test_an_address_that_can_not_be_opened(refused, data, command, address):
    data.chmod(0o777)
    told = refused(*command.format(data).split(), "--models", address)
    assert told.startswith(address)


def test_an_address_without_the_right_to_read(refused, models):
    address = f"file://{models}"
    lock(models / "versions")
    assert "PermissionError" in refused("models", "list", "--models", address)


def test_a_path_that_is_too_long(refused, folder):
    assert "File name too long" in refused("validate", "--data", folder / ("x" * 5000))


def test_a_data_directory_that_is_a_loop_or_a_file(refused, folder):
    (folder / "loop").symlink_to("loop")
    assert "Too many levels of symbolic links" in refused("validate", "--data", folder / "loop")
    (folder / "file").touch()
    assert refused("validate", "--data", folder / "file") == f"{folder / 'file'}: is a file, not a folder"


def test_a_release_of_movielens(refused, folder):
    (folder / "ml").mkdir()
    lock(folder / "ml")
    told = refused("import", "movielens", folder / "ml", "--out", folder / "out")
    assert told == f"{folder / 'ml'}: can't be read: Permission denied"


def test_the_folder_of_a_challenge(refused, folder):
    lock(folder)
    assert "PermissionError" in refused("challenge", "score", "--challenge", folder, "--answers", folder / "a.csv")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "ratings.csv"])
def test_outcomes_in_other_files_are_not_passed_over(refused, folder, data, name):
    (folder / "outcomes").mkdir()
    (folder / "outcomes" / "known-1.bin").touch()
    (folder / "outcomes" / name).touch()
    told = refused("retrain", "--data", data, "--models", folder / "m", "--outcomes", folder / "outcomes")
    assert told.startswith(f"outcomes: the folder holds files that are no logs of the service, *.jsonl: {name}")


def test_a_damaged_record_or_report_is_no_crash(models, small, capsys):
    for content in ("{", "[]", '{"checks": [{}]}'):
        (models / "records" / small.version / "gate.json").write_text(content)
        for action in ("show", "promote", "candidate"):
            assert main(["models", action, small.version, "--models", str(models)]) == 2
            assert "the record gate.json of version" in capsys.readouterr().err
    assert not (models / "candidate").exists()
    (models / "versions" / small.version / "report.md").unlink()
    assert main(["models", "show", "--models", str(models)]) == 1
    assert "report.md can't be read" in capsys.readouterr().err


def test_pruning_at_an_address_does_not_need_a_local_copy(small, tmp_path):
    far = shutil.copytree(small.models, tmp_path / "far")
    shutil.copytree(far / "versions" / small.version, far / "versions" / ("a" * 12))
    assert open_store(f"file://{far}", tmp_path / "near").prune(0, 0, 1e12) == ["a" * 12]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "training", "--help"],
        ["-m", "training", "validate", "--data", "{}"],
        ["-m", "training", "models", "show", "--models", "{}"],
        ["-m", "service", "doctor", "--models", "{}"],
        ["-m", "service", "--help"],
        ["-m", "service.probe", "--help"],
        ["-m", "coldstart_client", "--help"],
    ],
)
def test_a_reader_that_goes_away_is_no_crash(small, arguments):
    place = small.models if "--models" in arguments else small.data
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        ended = subprocess.run(
            [sys.executable, *(argument.format(place) for argument in arguments)],
            cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
            env=os.environ | {"PYTHONPATH": "client"},
        )  # fmt: skip
    assert ended.stderr == ""
    assert ended.returncode == 1 or "--help" in arguments  # argparse ignores errors of its output


@pytest.mark.parametrize(("kind", "largest_file"), [("parquet", 4_000), ("csv", 4_000), ("csv", 160_000)])
def test_a_full_disk_fails_the_work(small, tmp_path, kind, largest_file):
    """While a part is written, or the whole file, which is larger as CSV."""
    arguments = ["--data", str(small.data), "--models", str(small.models), "--out", str(tmp_path / f"all.{kind}")]
    ended = subprocess.run(
        [sys.executable, "-m", "training", "predict", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # Python would leave bytecode cut short
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )  # fmt: skip
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stderr
    last = ended.stderr.splitlines()[-1]  # gRPC, which other tests load, may say before that it was forked
    assert last.startswith("nothing more can be written")
    assert list(tmp_path.iterdir()) == []
