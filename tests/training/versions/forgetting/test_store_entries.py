"""What a store of members holds of one is shown and deleted, whatever the store and the key of its hashes."""

import subprocess
import time

import pytest

from model.facts.live_ratings import LIVE_PREFIX, LiveRating
from model.facts.member_key import PLAIN, MemberKey
from model.facts.member_record import KEY_PREFIX, MemberRecord, RecordedPlay, record_key
from tests.conftest import installed_tool
from training.errors import UsageError, WorkFailed
from training.versions.exports.store_writers import open_store_writer, push_records
from training.versions.forgetting.store_entries import open_entries

KEY = MemberKey(b"k" * 32)
KEEP_SECONDS = 1e6


@pytest.fixture(params=["sqlite", "redis"])
def address(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'members.db'}"
        return
    installed_tool("redis-server", "redis-server")
    socket = tmp_path / "redis.sock"
    called = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen(called, cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not socket.exists():
        time.sleep(0.02)
    yield f"unix://{socket}"
    process.terminate()
    process.wait()


def fill(address, *member_ids, keys=(PLAIN, KEY)):
    store = open_store_writer(address, KEY, KEEP_SECONDS)
    record = MemberRecord({"age": 34.0}, [RecordedPlay("a movie of a few")])
    now = time.time()
    for member_id in member_ids:
        push_records(store, iter([(record_key(member_id, key), record) for key in keys]), keep_existing=False)
        store.write_ratings([(member_id, LiveRating(f"rated by {member_id}", 4.0, now, now))])
    store.close()


def test_all_entries_of_a_member_are_shown_and_deleted_and_those_of_others_stay(address):
    fill(address, "a", "b")
    with open_entries(address, [PLAIN, KEY]) as entries:
        shown = entries.of("a")
        assert [name.rpartition(":")[0] + ":" for name in shown] == [KEY_PREFIX, KEY_PREFIX, LIVE_PREFIX]
        assert all(value["attributes"] == {"age": 34} for name, value in shown.items() if name.startswith(KEY_PREFIX))
        assert "rated by a" in str(shown)
        assert entries.delete(["a", "nobody"]) == 3
        assert entries.of("a") == {}
        assert len(entries.of("b")) == 3
        assert entries.delete(["a"]) == 0


def test_a_file_keeps_no_deleted_value_while_a_service_has_it_open(tmp_path):
    path = tmp_path / "members.db"
    fill(f"sqlite:{path}", "a", "b")
    service = open_store_writer(f"sqlite:{path}", KEY, KEEP_SECONDS)
    with open_entries(f"sqlite:{path}", [PLAIN, KEY]) as entries:
        entries.delete(["a"])
    content = b"".join(each.read_bytes() for each in tmp_path.glob("members.db*"))
    assert b"rated by a" not in content
    assert b"rated by b" in content
    service.close()


def test_a_file_with_a_secret_of_its_own_is_asked_under_that(tmp_path):
    address = f"sqlite:{tmp_path / 'members.db'}"
    store = open_store_writer(address, PLAIN, KEEP_SECONDS)
    now = time.time()
    store.write_ratings([("a", LiveRating("m", 4.0, now, now))])
    store.close()
    with open_entries(address, [PLAIN]) as entries:
        assert entries.delete(["a"]) == 1


def test_a_store_that_is_not_there_is_named_and_none_is_made(tmp_path):
    with pytest.raises(UsageError, match="there is no file"), open_entries(f"sqlite:{tmp_path / 'no.db'}", [PLAIN]):
        pass
    with pytest.raises(WorkFailed, match="the store of members failed"), open_entries(f"unix://{tmp_path}/no", [PLAIN]):
        pass
    assert list(tmp_path.iterdir()) == []
