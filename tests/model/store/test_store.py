"""The store has whole versions only, and its labels name some of them or are refused."""

import os
import threading

import pytest

from model.errors import ArtifactError, StoreError
from model.store.store import CANDIDATE, CURRENT, LABELS, PREVIOUS, Store

NOWHERE = "f" * 12


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "models")


@pytest.fixture
def one(store, write_version):
    return write_version(store, "one")


@pytest.fixture
def two(store, write_version):
    return write_version(store, "two")


def hidden(store):
    """What is there beside labels, versions, records and the lock."""
    return sorted(path.name for path in store.root.iterdir() if path.name.startswith(".tmp-"))


def test_a_store_that_is_not_there_has_nothing(tmp_path):
    store = Store(tmp_path / "nothing")
    assert store.current() is None
    assert store.labels() == {}
    assert store.versions() == []
    assert store.prune(0, 0, 0) == []
    assert not store.root.exists()


def test_published_versions_are_there_and_none_serves_before_it_is_promoted(store, one, two):
    assert store.versions() == sorted([one, two])
    assert store.labels() == {}
    store.promote(two)
    assert store.labels() == {CURRENT: two}
    assert (store.folder(two) / "file").read_text() == "two"
    assert hidden(store) == []


def test_a_whole_version_that_is_there_already_stays(store, one, write_version):
    before = (store.folder(one) / "file").stat().st_ino
    assert write_version(store, "one") == one
    assert (store.folder(one) / "file").stat().st_ino == before


@pytest.mark.parametrize("name", ["file", "manifest.json"])
def test_a_damaged_version_that_is_there_already_is_replaced(store, one, write_version, name):
    (store.folder(one) / name).write_text("damaged")
    assert write_version(store, "one") == one
    store.check(one)
    assert hidden(store) == []


def test_what_served_before_is_previous_and_rolling_back_lets_it_serve_again(store, one, two):
    store.promote(two)
    store.promote(one)
    assert store.labels() == {CURRENT: one, PREVIOUS: two}
    assert store.roll_back() == two
    assert store.labels() == {CURRENT: two}
    with pytest.raises(StoreError, match="promote names one"):
        store.roll_back()


def test_promoting_what_serves_changes_nothing(store, one, two):
    store.promote(two)
    store.promote(one)
    store.promote(one)
    assert store.labels() == {CURRENT: one, PREVIOUS: two}


def test_a_candidate_that_is_promoted_is_none_any_more_and_another_stays(store, one, two):
    store.promote(one)
    store.set_label(CANDIDATE, two)
    store.promote(one)
    assert store.label(CANDIDATE) == two
    store.promote(two)
    assert store.labels() == {CURRENT: two, PREVIOUS: one}
    store.set_label(CANDIDATE, one)
    store.remove_label(CANDIDATE)
    store.remove_label(CANDIDATE)
    assert store.label(CANDIDATE) is None


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("harm", ["gone", "cut", "more", "missing", "link", "manifest"])
def test_a_label_goes_to_a_whole_version_only(store, one, two, tmp_path, label, harm):
    store.set_label(label, one)
    folder = store.folder(two)
    if harm == "gone":
        folder.rename(tmp_path / "away")
    elif harm == "cut":
        (folder / "file").write_text("tw")
    elif harm == "more":
        (folder / "more").write_text("more")
    elif harm == "missing":
        (folder / "file").unlink()
    elif harm == "link":
        (folder / "file").rename(tmp_path / "file")
        (folder / "file").symlink_to(tmp_path / "file")
    else:
        (folder / "manifest.json").write_bytes((store.folder(one) / "manifest.json").read_bytes())
    for change in (lambda: store.set_label(label, two), lambda: store.promote(two)):
        with pytest.raises((StoreError, ArtifactError)):
            change()
    assert store.labels() == {label: one}


def test_a_damaged_label_is_told_and_replaced_by_the_next_promotion(store, one, two):
    store.promote(one)
    (store.root / "current").write_text("garbage")
    assert store.labels() == {}
    assert store.damaged_labels() == ["the file current doesn't name a version"]
    store.promote(two)
    assert store.labels() == {CURRENT: two}


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"latest", b"../../../etc", b"\xff\xfe", b"0" * 5000, b"0123456789a", b"a" * 12 + b"\nb"]
)
def test_a_label_that_names_no_version_is_refused(store, one, content):
    (store.root / "current").write_bytes(content)
    with pytest.raises(StoreError, match="the file current doesn't name a version"):
        store.current()


def test_a_label_that_is_no_plain_file_is_refused_at_once(store, one, tmp_path):
    pointer = store.root / "current"
    for make in (pointer.mkdir, lambda: os.mkfifo(pointer), lambda: pointer.symlink_to(tmp_path / "elsewhere")):
        make()
        with pytest.raises(StoreError, match="the file current can't be read"):
            store.current()
        pointer.rmdir() if pointer.is_dir() else pointer.unlink()


def test_other_files_among_the_versions_are_no_versions(store, one):
    for name in (".new-1", "0123456789AB", "notes.txt"):
        (store.root / "versions" / name).mkdir()
    assert store.versions() == [one]


def test_whoever_reads_a_label_finds_a_whole_one(store, one, two):
    store.promote(one)
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(store.current())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        store.promote(two)
        store.promote(one)
    done.set()
    reader.join()
    assert seen <= {one, two}
    assert hidden(store) == []


def test_jobs_that_publish_and_promote_at_once_do_no_harm(store, write_version):
    failed = []

    def work(number: int) -> None:
        try:
            for round_ in range(5):
                store.promote(write_version(store, f"{(number + round_) % 3}"))
                store.prune(1, 0, 4e9)
        except (StoreError, ArtifactError) as error:
            if error.reason not in ("missing", "store"):  # it was pruned by another before it had a label
                failed.append(error)

    jobs = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert failed == []
    assert hidden(store) == []
    for version in store.labels().values():
        store.check(version)


def test_what_a_failed_job_wrote_is_gone_and_the_store_as_it_was(store, one):
    store.promote(one)

    def fail() -> None:
        with store.workspace() as beside:
            (beside / "half").write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert hidden(store) == []
    assert store.labels() == {CURRENT: one}
    assert store.versions() == [one]


def test_what_a_killed_job_left_is_cleaned_later_and_a_living_job_keeps_its_own(store, one, write_version):
    dead = store.root / ".tmp-dead"
    dead.mkdir()
    (dead / "half").write_text("half")
    (store.root / ".tmp-pointer").write_text("half")
    with store.workspace() as living:
        (living / "mine").write_text("mine")
        write_version(store, "two")
        assert hidden(store) == [living.name]
        assert (living / "mine").read_text() == "mine"
    assert hidden(store) == []


def test_a_label_that_can_not_be_written_stays_as_it_was(store, one, two, monkeypatch):
    store.promote(one)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model.files.atomic_write.sync", full)
    with pytest.raises(OSError, match="No space"):
        store.promote(two)
    monkeypatch.undo()
    assert store.labels() == {CURRENT: one}
    assert hidden(store) == []


def test_old_versions_go_by_count_and_age_and_never_one_with_a_label(store, write_version):
    versions = [write_version(store, str(number)) for number in range(6)]
    now, day = 1_000_000_000.0, 86_400.0
    for age, version in zip((60, 50, 40, 35, 20, 10), versions, strict=True):
        os.utime(store.folder(version) / "manifest.json", (now - age * day,) * 2)
        store.write_record(version, "notes.txt", b"notes")
    store.set_label(PREVIOUS, versions[0])
    assert store.prune(4, 30, now) == [versions[1]]
    assert store.prune(0, 30, now) == [versions[3], versions[2]]
    assert store.prune(0, 0, now) == [versions[5], versions[4]]
    assert store.versions() == [versions[0]]
    assert store.records(versions[0]) == ["notes.txt"]
    assert [path.name for path in (store.root / "records").iterdir()] == [versions[0]]


def test_nothing_is_removed_while_a_label_can_not_be_read(store, one, two):
    (store.root / "current").write_text("garbage")
    with pytest.raises(StoreError):
        store.prune(0, 0, 4e9)
    assert store.versions() == sorted([one, two])


def test_what_is_said_of_a_version_later_stands_outside_it(store, one):
    assert store.read_record(one, "gate.json") is None
    store.write_record(one, "gate.json", b"held back")
    store.write_record(one, "gate.json", b"promoted")
    assert store.read_record(one, "gate.json") == b"promoted"
    assert store.records(one) == ["gate.json"]
    store.check(one)


@pytest.mark.parametrize(("version", "name"), [("..", "a"), (NOWHERE, "../a"), (NOWHERE, ".a"), (NOWHERE, "")])
def test_a_record_can_not_be_written_elsewhere(store, version, name):
    with pytest.raises(ValueError, match="a record has"):
        store.write_record(version, name, b"")
