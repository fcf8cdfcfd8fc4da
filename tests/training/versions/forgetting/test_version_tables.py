"""Members leave the tables of published versions, which get new names, with all that names them."""

import json
import shutil

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model.artifact.artifact import load_model
from model.facts.member_key import PLAIN, MemberKey
from model.files.manifest import check_version
from model.store.job_status import RetrainStatus, read_status, write_status
from model.store.signature import SIGNATURE, sign, signed_by
from model.store.store import CANDIDATE, CURRENT, Store
from training.errors import UsageError
from training.versions.forgetting.version_tables import rows_of, take_out

KEYS = (PLAIN, MemberKey(b"k" * 32))


@pytest.fixture
def store(small, tmp_path):
    """A store with the small version, which is current and the parent of a copy, the candidate."""
    shutil.copytree(small.models, tmp_path / "models")
    store = Store(tmp_path / "models")
    store.set_label(CANDIDATE, small.version)
    status = RetrainStatus(finished_at=1.0, seconds=1, version=small.version, verdict="serves", gain_percent=1)
    write_status(store, status)
    return store


def forget(store, version, member_ids, sign_with=None):
    return take_out(store, version, rows_of(store, version, member_ids, KEYS), sign_with)


def text_of(store):
    """All small files of the store in one text."""
    paths = [
        path for path in store.root.rglob("*") if path.is_file() and path.suffix in ("", ".json", ".jsonl", ".html")
    ]
    return "".join(path.read_text() for path in paths)


def some_members(small, count):
    return small.tables.member_ids.sample(count, seed=3).to_list()


def test_a_version_without_some_members_answers_as_before_for_all_others(store, small):
    gone = some_members(small, 20)
    change = forget(store, small.version, gone)
    check_version(store.folder(change.after))
    before, after = small.model, load_model(store.folder(change.after))
    assert change.rows == 20
    assert len(after.members) == len(before.members) - 20
    assert after.manifest.data["members"] == before.manifest.data["members"] - 20
    for member_id in small.tables.member_ids:
        facts, was = after.members.find(member_id), before.members.find(member_id)
        if member_id in gone:
            assert facts is None
        else:
            for name in ("attributes", "movies", "completion", "age_days"):
                np.testing.assert_array_equal(getattr(facts, name), getattr(was, name))
    others = [name for name in before.manifest.files if not name.startswith("members/")]
    assert all(after.manifest.files[name] == before.manifest.files[name] for name in others)


def test_labels_log_records_and_jobs_name_the_version_that_takes_its_place(store, small):
    records, moves = store.records(small.version), len(store.moves())
    written = store.written(small.version)
    change = forget(store, small.version, some_members(small, 1))
    assert store.versions() == [change.after]
    assert store.labels() == {CURRENT: change.after, CANDIDATE: change.after}
    assert store.records(change.after) == records
    assert json.loads(store.read_record(change.after, "gate.json"))["version"] == change.after
    assert read_status(store, RetrainStatus).version == change.after
    assert [move.after for move in store.moves()] == [change.after] * moves
    assert store.written(change.after) == written, "a version doesn't get younger"
    assert small.version not in text_of(store)


def test_a_version_that_has_none_of_them_stays(store, small):
    assert forget(store, small.version, ["nobody"]).after == small.version
    assert store.versions() == [small.version]


def test_the_parent_of_another_version_follows(store, small, retrained, light):
    later = retrained(small.data, *light, "--force", name="models")
    (other,) = set(later.versions()) - {small.version}
    change = forget(store, small.version, some_members(small, 1))
    run = json.loads((store.folder(other) / "run.json").read_bytes())
    assert run["parent"] == change.after
    check_version(store.folder(other))


def test_a_signed_version_needs_the_key_before_anything_changes(store, small):
    key = Ed25519PrivateKey.generate()
    sign(store, small.version, key)
    with pytest.raises(UsageError, match="is signed: give --sign"):
        forget(store, small.version, some_members(small, 1))
    assert store.versions() == [small.version]
    change = forget(store, small.version, some_members(small, 1), lambda store, version: sign(store, version, key))
    manifest = (store.folder(change.after) / "manifest.json").read_bytes()
    signed_by(store, key.public_key())(change.after)(manifest)
    assert SIGNATURE in store.records(change.after)


class Killed(BaseException):
    """The process ends here."""


class Countdown:
    """Ends the process before the change of the store with this number."""

    def __init__(self, left):
        self.left = left

    def before(self, change):
        def counted(*arguments, **options):
            self.left -= 1
            if not self.left:
                raise Killed
            return change(*arguments, **options)

        return counted


def test_interrupted_before_any_change_it_is_made_again_and_ends_the_same(store, small, tmp_path, monkeypatch):
    gone = some_members(small, 10)
    wanted = forget(Store(shutil.copytree(store.root, tmp_path / "whole")), small.version, gone).after
    pristine, number, killed = shutil.copytree(store.root, tmp_path / "pristine"), -2, True
    while killed:
        number += 3  # each would take long
        shutil.rmtree(store.root)
        shutil.copytree(pristine, store.root)
        countdown = Countdown(number)
        with monkeypatch.context() as patched:
            for name in ("_replace", "_remove_version", "publish"):
                patched.setattr(Store, name, countdown.before(getattr(Store, name)))
            try:
                forget(store, small.version, gone)
                killed = False
            except Killed:
                assert store.current() in store.versions()
        for version in store.versions():
            forget(store, version, gone)
        assert store.versions() == [wanted]
        assert set(store.labels().values()) == {wanted}
        assert small.version not in text_of(store)
    assert number > 5
