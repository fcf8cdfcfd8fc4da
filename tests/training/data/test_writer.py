"""Data directories are written in bounded memory and appear as a whole, or not at all."""

import os
import resource
import subprocess
import sys
import weakref
from pathlib import Path

import polars as pl
import pytest

from training.data.writer import MARK, write_data_directory, write_table

ROOT = Path(__file__).parents[3]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_parts_of_a_table_become_one_file_in_their_order(tmp_path):
    parts = [
        {"plays": pl.DataFrame({"n": [3, 1]}), "members": pl.DataFrame({"genres": [["a"], None]})},
        {"plays": pl.DataFrame({"n": [2]})},
        {"plays": pl.DataFrame({"n": []}, schema={"n": pl.Int64})},
    ]
    assert write_data_directory(tmp_path / "out", parts, "a test", "") == {"plays": 3, "members": 2}
    assert sorted(contents(tmp_path)) == ["out/members.parquet", "out/plays.parquet", "out/schema.toml"]
    assert pl.read_parquet(tmp_path / "out" / "plays.parquet")["n"].to_list() == [3, 1, 2]
    assert pl.read_parquet(tmp_path / "out" / "members.parquet").equals(parts[0]["members"])


def test_the_rows_of_a_part_are_not_kept_in_memory(tmp_path):
    alive = []

    def parts():
        for number in range(10):
            rows = pl.DataFrame({"n": [number]})
            alive.append(weakref.ref(rows))
            yield {"plays": rows}
            del rows
            assert sum(reference() is not None for reference in alive) <= 1

    assert write_data_directory(tmp_path / "out", parts(), "a test", "") == {"plays": 10}
    assert len(alive) == 10


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_between_parts_leaves_the_folder_as_it_was(tmp_path, error):
    write_data_directory(tmp_path / "out", [{"plays": pl.DataFrame({"n": [1]})}], "a test", "")
    before = contents(tmp_path)

    def parts():
        yield {"plays": pl.DataFrame({"n": [2]})}
        raise error

    with pytest.raises(error):
        write_data_directory(tmp_path / "out", parts(), "a test", "")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_table_of_many_parts_is_written_without_keeping_them(tmp_path, kind):
    alive = []

    def parts():
        for number in range(10):
            rows = pl.DataFrame({"n": [number]})
            alive.append(weakref.ref(rows))
            yield rows
            del rows
            assert sum(reference() is not None for reference in alive) <= 1

    assert write_table(tmp_path / f"out.{kind}", parts()) == 10
    assert [path.name for path in tmp_path.iterdir()] == [f"out.{kind}"]
    written = tmp_path / f"out.{kind}"
    assert (pl.read_csv(written) if kind == "csv" else pl.read_parquet(written))["n"].to_list() == [*range(10)]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_between_parts_leaves_the_file_as_it_was(tmp_path, kind, error):
    out = tmp_path / f"out.{kind}"
    out.write_text("before")

    def parts():
        yield pl.DataFrame({"n": [2]})
        raise error

    with pytest.raises(error):
        write_table(out, parts())
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "before"


@pytest.mark.parametrize("largest_file", [20_000, 60_000], ids=["a part", "all parts of a table"])
def test_a_disk_without_room_for_the_sample_leaves_the_folder_as_it_was(tmp_path, largest_file):
    out = tmp_path / "out"
    out.mkdir()
    (out / "schema.toml").write_text(f"{MARK} sample, before")
    ended = subprocess.run(
        [sys.executable, "-m", "training", "sample", "--out", str(out), "--members", "2100", "--movies", "20"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # Python would leave bytecode cut short
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )  # fmt: skip
    assert ended.returncode == 1
    *steps, problem = ended.stderr.splitlines()
    assert problem == "nothing more can be written: File too large; what was there before is as it was"
    assert all(step.startswith("20") for step in steps)
    assert list(tmp_path.iterdir()) == [out]
    assert contents(out) == {"schema.toml": f"{MARK} sample, before".encode()}
