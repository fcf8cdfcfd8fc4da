"""The store has whole versions only, and its labels name some of them or are refused."""

import os
import threading

import pytest

from model.errors import ArtifactError, StoreError
from model.store.label_log import LabelMove, Reason
from model.store.store import CANDIDATE, CURRENT, LABEL_LOG, LABELS, PREVIOUS, Store

NOWHERE = "f" * 12


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "models")


@pytest.fixture
def first(store, write_version):
    return write_version(store, "one")


@pytest.fixture
def second(store, write_version):
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


def test_published_versions_are_there_and_none_serves_before_it_is_promoted(store, first, second):
    assert store.versions() == sorted([first, second])
    assert store.labels() == {}
    store.promote(second)
    assert store.labels() == {CURRENT: second}
    assert (store.folder(second) / "file").read_text() == "two"
    assert hidden(store) == []


def test_a_whole_version_that_is_there_already_stays(store, first, write_version):
    before = (store.folder(first) / "file").stat().st_ino
    assert write_version(store, "one") == first
    assert (store.folder(first) / "file").stat().st_ino == before


@pytest.mark.parametrize("name", ["file", "manifest.json"])
def test_a_damaged_version_that_is_there_already_is_replaced(store, first, write_version, name):
    (store.folder(first) / name).write_text("damaged")
    assert write_version(store, "one") == first
    store.check(first)
    assert hidden(store) == []


def test_what_served_before_is_previous_and_rolling_back_lets_it_serve_again(store, first, second):
    store.promote(second)
    store.promote(first)
    assert store.labels() == {CURRENT: first, PREVIOUS: second}
    assert store.roll_back() == second
    assert store.labels() == {CURRENT: second}
    with pytest.raises(StoreError, match="promote names one"):
        store.roll_back()


def test_promoting_what_serves_changes_nothing(store, first, second):
    store.promote(second)
    store.promote(first)
    store.promote(first)
    assert store.labels() == {CURRENT: first, PREVIOUS: second}


def test_a_candidate_that_is_promoted_is_none_any_more_and_another_stays(store, first, second):
    store.promote(first)
    store.set_label(CANDIDATE, second)
    store.promote(first)
    assert store.label(CANDIDATE) == second
    store.promote(second)
    assert store.labels() == {CURRENT: second, PREVIOUS: first}
    store.set_label(CANDIDATE, first)
    store.remove_label(CANDIDATE)
    store.remove_label(CANDIDATE)
    assert store.label(CANDIDATE) is None


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("harm", ["gone", "cut", "more", "missing", "link", "manifest"])
def test_a_label_goes_to_a_whole_version_only(store, first, second, tmp_path, label, harm):
    store.set_label(label, first)
    folder = store.folder(second)
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
        (folder / "manifest.json").write_bytes((store.folder(first) / "manifest.json").read_bytes())
    for change in (lambda: store.set_label(label, second), lambda: store.promote(second)):
        with pytest.raises((StoreError, ArtifactError)):
            change()
    assert store.labels() == {label: first}


def test_a_damaged_label_is_reported_and_replaced_by_the_next_promotion(store, first, second):
    store.promote(first)
    (store.root / "current").write_text("garbage")
    assert store.labels() == {}
    assert store.damaged_labels() == ["the file current doesn't name a version"]
    store.promote(second)
    assert store.labels() == {CURRENT: second}


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"latest", b"../../../etc", b"\xff\xfe", b"0" * 5000, b"0123456789a", b"a" * 12 + b"\nb"]
)
def test_a_label_that_names_no_version_is_refused(store, first, content):
    (store.root / "current").write_bytes(content)
    with pytest.raises(StoreError, match="the file current doesn't name a version"):
        store.current()


def test_a_label_that_is_no_plain_file_is_refused_at_once(store, first, tmp_path):
    pointer = store.root / "current"
    for make in (pointer.mkdir, lambda: os.mkfifo(pointer), lambda: pointer.symlink_to(tmp_path / "elsewhere")):
        make()
        with pytest.raises(StoreError, match="the file current can't be read"):
            store.current()
        pointer.rmdir() if pointer.is_dir() else pointer.unlink()


def test_other_files_among_the_versions_are_no_versions(store, first):
    for name in (".new-1", "0123456789AB", "notes.txt"):
        (store.root / "versions" / name).mkdir()
    assert store.versions() == [first]


def test_whoever_reads_a_label_finds_a_whole_one(store, first, second):
    store.promote(first)
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(store.current())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        store.promote(second)
        store.promote(first)
    done.set()
    reader.join()
    assert seen <= {first, second}
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


def test_what_a_failed_job_wrote_is_gone_and_the_store_as_it_was(store, first):
    store.promote(first)

    def fail() -> None:
        with store.workspace() as beside:
            (beside / "half").write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert hidden(store) == []
    assert store.labels() == {CURRENT: first}
    assert store.versions() == [first]


def test_what_a_killed_job_left_is_cleaned_later_and_a_living_job_keeps_its_own(store, first, write_version):
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


def test_a_label_that_can_not_be_written_stays_as_it_was(store, first, second, monkeypatch):
    store.promote(first)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model.files.atomic_write.sync", full)
    with pytest.raises(OSError, match="No space"):
        store.promote(second)
    monkeypatch.undo()
    assert store.labels() == {CURRENT: first}
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


def test_nothing_is_removed_while_a_label_can_not_be_read(store, first, second):
    (store.root / "current").write_text("garbage")
    with pytest.raises(StoreError):
        store.prune(0, 0, 4e9)
    assert store.versions() == sorted([first, second])


def test_records_about_a_version_stand_outside_it(store, first):
    assert store.read_record(first, "gate.json") is None
    store.write_record(first, "gate.json", b"held back")
    store.write_record(first, "gate.json", b"promoted")
    assert store.read_record(first, "gate.json") == b"promoted"
    assert store.records(first) == ["gate.json"]
    store.check(first)


@pytest.mark.parametrize(("version", "name"), [("..", "a"), (NOWHERE, "../a"), (NOWHERE, ".a"), (NOWHERE, "")])
def test_a_record_can_not_be_written_elsewhere(store, version, name):
    with pytest.raises(ValueError, match="a record has"):
        store.write_record(version, name, b"")


def test_each_move_of_a_label_is_logged_with_who_when_why_and_from_what_to_what(store, first, second):
    retrain, alice = Reason("job@host", "2026-01-01T00:00:00+00:00", "retrain"), Reason("alice@host", "", "complaints")
    store.promote(first, retrain)
    store.set_label(CANDIDATE, second, retrain)
    store.promote(second, alice)
    store.promote(second, alice)  # moves nothing
    store.roll_back()
    assert store.moves() == [
        LabelMove(CURRENT, None, first, retrain),
        LabelMove(CANDIDATE, None, second, retrain),
        LabelMove(PREVIOUS, None, first, alice),
        LabelMove(CURRENT, first, second, alice),
        LabelMove(CANDIDATE, second, None, alice),
        LabelMove(CURRENT, second, first, Reason()),
        LabelMove(PREVIOUS, first, None, Reason()),
    ]


def test_a_damaged_line_of_the_log_hides_no_other_and_hinders_no_move(store, first, second):
    store.promote(first)
    log = store.root / LABEL_LOG
    log.write_bytes(b"\xff nonsense\n{}\n" + log.read_bytes())
    store.promote(second)
    assert [(move.label, move.after) for move in store.moves()] == [
        (CURRENT, first), (PREVIOUS, first), (CURRENT, second),
    ]  # fmt: skip


def test_a_label_that_can_not_be_logged_does_not_move(store, first, second):
    store.promote(first)
    (store.root / LABEL_LOG).unlink()
    (store.root / LABEL_LOG).mkdir()
    with pytest.raises(StoreError, match=LABEL_LOG):
        store.promote(second)
    assert store.labels() == {CURRENT: first}


def test_the_log_keeps_its_latest_moves(store, first, second, monkeypatch):
    monkeypatch.setattr("model.store.label_log.MOST_MOVES", 3)
    for version in (first, second, first):
        store.set_label(CANDIDATE, version)
    store.remove_label(CANDIDATE)
    assert [move.after for move in store.moves()] == [second, first, None]
