"""Arrays come back from files as they were, from memory as long as there is room, and damage is named."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from training.data.passes import array_files
from training.data.passes.array_files import forget_arrays, read_arrays, write_arrays
from training.errors import DamagedPartition

ARRAYS = {"stars": np.linspace(1, 5, 1000, dtype=np.float32), "movie": np.arange(12, dtype=np.int32).reshape(3, 4)}
SIZE = sum(array.nbytes for array in ARRAYS.values())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    forget_arrays(tmp_path)


@pytest.fixture
def files(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.arrays" for number in range(3)]
    for path in paths:
        write_arrays(path, ARRAYS)
    return paths


def kept(path: Path) -> bool:
    """Whether what was made of a file is in memory."""
    return read_arrays(path, dict) is read_arrays(path, dict)


def test_arrays_come_back_with_names_types_and_shapes(files):
    arrays = read_arrays(files[0], dict)
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape, arrays[name].tobytes()) == (
            array.dtype, array.shape, array.tobytes(),
        )  # fmt: skip
    assert [path.name for path in sorted(files[0].parent.iterdir())] == ["0.arrays", "1.arrays", "2.arrays"]


def test_as_many_files_stay_in_memory_as_there_is_room_for(files, monkeypatch):
    others = sum(array_files._bytes.values())
    monkeypatch.setattr(array_files, "MOST_BYTES", others + 2 * SIZE)
    assert [kept(path) for path in files] == [True, True, False]
    assert [kept(path) for path in files] == [True, True, False], "what was first there stays"


def test_a_folder_is_forgotten_and_leaves_room_for_another(files, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other") / "0.arrays"
    write_arrays(other, ARRAYS)
    monkeypatch.setattr(array_files, "MOST_BYTES", sum(array_files._bytes.values()) + 3 * SIZE)
    first = read_arrays(files[0], dict)
    assert all(map(kept, files))
    assert not kept(other)
    forget_arrays(files[0].parent)
    assert kept(other)
    assert read_arrays(files[0], dict) is not first
    forget_arrays(other.parent)


def test_reading_needs_no_file_once_it_is_in_memory(files):
    first = read_arrays(files[0], dict)
    files[0].unlink()
    assert read_arrays(files[0], dict) is first


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "not an archive", "another array"])
def test_a_file_that_is_missing_or_damaged_is_named(files, damage):
    path, content = files[1], files[1].read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "flipped":
            path.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
        case "not an archive":
            path.write_bytes(b"x" * len(content))
        case "another array":
            write_arrays(path, {"stars": ARRAYS["stars"]})
    with pytest.raises(DamagedPartition, match=r"^1\.arrays holds a part of the data"):
        read_arrays(path, lambda arrays: (arrays["stars"], arrays["movie"]))


def test_every_flipped_byte_is_noticed_or_changes_no_array(files):
    path, content = files[2], files[2].read_bytes()
    for place in range(0, len(content), 61):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            arrays = read_arrays(path, lambda stored: {name: stored[name] for name in ARRAYS})
        except DamagedPartition:
            continue
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in ARRAYS.items()
        }, place
        forget_arrays(path.parent)
