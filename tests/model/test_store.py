"""The store has whole versions only, and its pointer names one of them or is refused."""

import threading

import pytest

from model.store import Store, StoreError

ONE, TWO = "0123456789ab", "ba9876543210"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "models")
    for version in (ONE, TWO):
        beside = store.root / f".new-{version}"
        beside.mkdir(parents=True)
        (beside / "file").write_text(version)
        store.publish(beside, version)
    return store


def test_a_store_that_is_not_there_has_no_versions(tmp_path):
    assert Store(tmp_path / "nothing").current() is None
    assert Store(tmp_path / "nothing").versions() == []


def test_published_versions_are_there_and_none_serves_before_it_is_promoted(store):
    assert store.versions() == [ONE, TWO]
    assert store.current() is None
    store.promote(TWO)
    assert store.current() == TWO
    assert (store.folder(TWO) / "file").read_text() == TWO


def test_a_version_that_is_there_already_stays(store):
    beside = store.root / ".new"
    beside.mkdir()
    (beside / "file").write_text("changed")
    store.publish(beside, ONE)
    assert (store.folder(ONE) / "file").read_text() == ONE


def test_a_version_that_is_not_there_is_never_promoted(store):
    store.promote(ONE)
    with pytest.raises(StoreError, match="there is no version ffffffffffff"):
        store.promote("f" * 12)
    assert store.current() == ONE


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"latest", b"../../../etc", b"\xff\xfe", b"0" * 5000, ONE[:11].encode(), f"{ONE}\n{TWO}".encode()],
)
def test_a_pointer_that_names_no_version_is_refused(store, content):
    (store.root / "current").write_bytes(content)
    with pytest.raises(StoreError, match="the file current doesn't name a version"):
        store.current()


def test_a_pointer_that_is_a_folder_is_refused(store):
    (store.root / "current").mkdir()
    with pytest.raises(StoreError, match="the file current can't be read"):
        store.current()


def test_other_files_among_the_versions_are_no_versions(store):
    for name in (".new-1", "0123456789AB", "notes.txt"):
        (store.root / "versions" / name).mkdir()
    assert store.versions() == [ONE, TWO]


def test_whoever_reads_the_pointer_finds_a_whole_one(store):
    store.promote(ONE)
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(store.current())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        store.promote(TWO)
        store.promote(ONE)
    done.set()
    reader.join()
    assert seen <= {ONE, TWO}
    assert not list(store.root.glob(".current*"))
