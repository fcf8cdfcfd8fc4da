"""A data directory at an address is read as in a folder, refused for the same reasons, and leaves no copy behind."""

import sys
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from polars.testing import assert_frame_equal

from training.__main__ import main
from training.data.reading.tables import read_tables
from training.errors import DataError
from training.versions.provenance import fingerprint

NAMES = ("members", "movies", "ratings", "plays")


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def upload():
    """Copies a folder into a bucket in memory, and returns the address."""
    address = f"memory://{uuid.uuid4().hex}/data"

    def put(folder: Path) -> str:
        fsspec.filesystem("memory").put(f"{folder}/", address, recursive=True)
        return address

    yield put
    with suppress(FileNotFoundError):
        fsspec.filesystem("memory").rm(address, recursive=True)


@pytest.fixture
def data(write_data, tables) -> Path:
    """A data directory with CSV files, a folder of Parquet parts, settings, and a file that isn't read."""
    folder = write_data("csv", "[ratings]\nenjoyed_from = 3.5", ratings=None)
    for number, part in enumerate(tables["ratings"].iter_slices(30)):
        place = folder / "ratings" / f"year={number}"
        place.mkdir(parents=True)
        part.write_parquet(place / "part.parquet")
    (folder / "truth.parquet").write_bytes(b"no table")
    return folder


@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_tables_at_an_address_are_those_of_the_folder(data, upload, temporary, protocol):
    near = read_tables(data)
    far = read_tables(upload(data) if protocol == "memory" else f"file://{data}")
    for name in NAMES:
        assert_frame_equal(getattr(far, name), getattr(near, name))
    assert (far.scale, far.files, fingerprint(far)) == (near.scale, near.files, fingerprint(near))
    assert list(temporary.iterdir()) == []


def test_commands_take_an_address(data, upload, temporary, capsys):
    assert main(["validate", "--data", str(data)]) == 0
    near = capsys.readouterr().out
    assert main(["validate", "--data", upload(data)]) == 0
    assert capsys.readouterr().out == near
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "members.csv").rename(folder / "Members.csv"),
        lambda folder: (folder / "schema.toml").rename(folder / "Schema.toml"),
        lambda folder: (folder / "members.parquet").write_bytes(b""),
        lambda folder: (folder / "ratings" / "year=1" / "part.parquet").write_bytes(b"PAR1 and no more"),
        lambda folder: (folder / "movies.csv").unlink(),
    ],
)
def test_what_is_refused_in_a_folder_is_refused_at_an_address(data, upload, temporary, spoil):
    spoil(data)
    messages = []
    for place in (data, upload(data)):
        with pytest.raises(DataError) as refused:
            read_tables(place)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
    assert list(temporary.iterdir()) == []


def test_an_address_where_nothing_is_is_refused(capsys):
    assert main(["validate", "--data", "memory://nowhere/data"]) == 2
    assert capsys.readouterr().err == "memory://nowhere/data: there is no such folder\n"


@pytest.mark.parametrize("module", ["fsspec", "adlfs"])
def test_an_address_whose_package_is_missing_is_refused(monkeypatch, capsys, module):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["validate", "--data", "abfs://bucket/data"]) == 2
    expected = "abfs://bucket/data needs the extra `remote`, and what fsspec needs for this protocol\n"
    assert capsys.readouterr().err == expected


def test_an_unknown_protocol_is_refused(capsys):
    assert main(["validate", "--data", "nothing://bucket/data"]) == 2
    assert capsys.readouterr().err.startswith("nothing://bucket/data can't be opened: ")


class Unsteady(MemoryFileSystem):
    """A store whose connection breaks while a file is copied."""

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("unsteady://", "memory://"))

    def get_file(self, _, lpath, **__):
        Path(lpath).write_bytes(b"half")
        raise ConnectionResetError("the peer has gone")


def test_a_copy_that_breaks_off_fails_the_work_and_leaves_nothing(data, upload, temporary, capsys):
    fsspec.register_implementation("unsteady", Unsteady, clobber=True)
    address = upload(data).replace("memory", "unsteady")
    assert main(["validate", "--data", address]) == 1
    assert capsys.readouterr().err == f"{address} can't be read: ConnectionResetError\n"
    assert list(temporary.iterdir()) == []
