"""A store at an address: the same promises as a folder's, over what fsspec can reach."""

import shutil

import fsspec
import pytest

from model.errors import ArtifactError, StoreError
from model.store.open import open_store
from model.store.store import CANDIDATE, CURRENT, PREVIOUS, Store


@pytest.fixture(params=["memory", "file"])
def address(request, tmp_path):
    if request.param == "file":
        yield f"file://{tmp_path}/far"
    else:
        yield "memory://bucket/models"
        fsspec.filesystem("memory").rm("/bucket", recursive=True) if fsspec.filesystem("memory").exists(
            "/bucket"
        ) else 0


@pytest.fixture
def store(address, tmp_path):
    return open_store(address, tmp_path / "near")


@pytest.fixture
def far(address):
    """The files of the address themselves."""
    files, place = fsspec.core.url_to_fs(address)
    return lambda name: (files, f"{place}/{name}")


def test_a_folder_is_opened_as_one_and_an_address_that_nobody_knows_is_refused(tmp_path):
    assert type(open_store(str(tmp_path))) is Store
    with pytest.raises((StoreError, ValueError)):
        open_store("nosuchprotocol://x").versions()


def test_nothing_is_there_before_something_is_published(store):
    assert store.versions() == []
    assert store.labels() == {}
    assert store.current() is None


def test_labels_move_as_in_a_folder(store, address, tmp_path, write_version):
    one, two = write_version(store, "one"), write_version(store, "two")
    assert store.versions() == sorted([one, two])
    store.promote(one)
    store.set_label(CANDIDATE, two)
    store.promote(two)
    assert store.labels() == {CURRENT: two, PREVIOUS: one}
    other = open_store(address, tmp_path / "elsewhere")
    assert other.labels() == {CURRENT: two, PREVIOUS: one}
    assert (other.fetch(one) / "file").read_text() == "one"
    assert other.roll_back() == one
    assert store.labels() == {CURRENT: one}
    with pytest.raises(StoreError, match="there is no version"):
        store.promote("f" * 12)


def test_what_is_said_later_is_kept_at_the_address(store, address, tmp_path, write_version):
    one = write_version(store, "one")
    assert store.read_record(one, "gate.json") is None
    store.write_record(one, "gate.json", b"held back")
    other = open_store(address, tmp_path / "elsewhere")
    assert other.read_record(one, "gate.json") == b"held back"
    assert other.records(one) == ["gate.json"]


@pytest.mark.parametrize("content", [b"tw", b"owt", b"two more"])
def test_a_file_that_was_damaged_at_the_address_is_refused(store, address, far, tmp_path, write_version, content):
    two = write_version(store, "two")
    files, place = far(f"versions/{two}/file")
    files.pipe_file(place, content)
    other = open_store(address, tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="file"):
        other.fetch(two)
    with pytest.raises(ArtifactError, match="file"):
        other.promote(two)
    assert not list((tmp_path / "elsewhere" / "versions").glob("*"))
    write_version(store, "two")
    assert (other.fetch(two) / "file").read_text() == "two"


def test_an_upload_that_did_not_end_is_no_version(store, far, write_version):
    one = write_version(store, "one")
    files, place = far(f"versions/{one}/manifest.json")
    files.rm_file(place)
    assert store.versions() == []
    with pytest.raises(StoreError, match="there is no version"):
        store.promote(one)


def test_a_copy_is_kept_while_a_label_names_it(store, address, tmp_path, write_version):
    versions = [write_version(store, name) for name in ("one", "two", "three")]
    store.promote(versions[0])
    store.promote(versions[1])
    other = open_store(address, tmp_path / "elsewhere")
    for version in versions:
        other.fetch(version)
    copies = {path.name for path in (tmp_path / "elsewhere" / "versions").iterdir()}
    assert copies == set(versions), "two that have a label, and the last"
    for version in versions[:2]:
        shutil.rmtree(tmp_path / "elsewhere" / "versions" / version)
        other.fetch(version)
    copies = {path.name for path in (tmp_path / "elsewhere" / "versions").iterdir()}
    assert copies == {versions[0], versions[1]}


def test_old_versions_go(store, write_version):
    one, two = write_version(store, "one"), write_version(store, "two")
    store.write_record(one, "notes.txt", b"notes")
    store.promote(two)
    assert store.prune(0, 0, 4e9) == [one]
    assert store.versions() == [two]
    assert store.records(one) == []


def test_a_fault_of_the_address_is_told_as_one_of_the_store(tmp_path, write_version):
    store = open_store(f"file://{tmp_path}/far", tmp_path / "near")
    version = write_version(store, "one")
    store.promote(version)
    pointer = tmp_path / "far" / "current"
    pointer.unlink()
    pointer.mkdir()
    with pytest.raises(StoreError, match="can't be reached"):
        store.current()
    assert store.versions() == [version]
