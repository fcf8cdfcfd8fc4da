"""The log of outcomes and its memory of requests: what they promise, beneath the service."""

import asyncio
import json
import os

import pytest

from model.errors import BadOutcome
from model.facts.outcome_record import Outcome, from_line, to_line
from service.errors import NotKept, Overloaded
from service.stores.outcome_log import FILE_SECONDS, MAX_WAITING, OutcomeLog
from service.stores.recent_request_ids import BUCKETS, WAYS, KnownRequests

ONE = Outcome("r", "m", "f", 4.0, None, 5.0, 6.0)


def kept(folder):
    return [from_line(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines(True)]


def log_in(folder, now=lambda: 1e9):
    return OutcomeLog(folder, lambda: 0.0, now, lambda _: None)


def test_calls_that_come_together_are_written_together_and_equal_ones_once(tmp_path, monkeypatch):
    syncs = []
    monkeypatch.setattr(os, "fsync", syncs.append)

    async def run():
        log = log_in(tmp_path)
        many = [Outcome(str(number % 50), "m", "f", 1.0, None, 1.0, 1.0) for number in range(100)]
        results = await asyncio.gather(*map(log.append, many))
        await log.close()
        return results

    duplicates = asyncio.run(run())
    assert sum(duplicates) == 50
    assert len(kept(tmp_path)) == 50
    assert len(syncs) < 5


def test_a_failed_write_fails_all_that_wait_for_it_and_the_next_goes_to_another_file(tmp_path, monkeypatch):
    async def run():
        log, works = log_in(tmp_path, iter(range(100)).__next__), os.fsync

        def fails(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fails)
        results = await asyncio.gather(log.append(ONE), log.append(ONE), return_exceptions=True)
        assert [type(error) for error in results] == [NotKept, NotKept]
        monkeypatch.setattr(os, "fsync", works)
        assert await log.append(ONE) is False
        await log.close()

    asyncio.run(run())
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_too_many_that_wait_for_a_slow_disk_are_refused(tmp_path, monkeypatch):
    async def run():
        log = log_in(tmp_path)
        monkeypatch.setattr(log, "_write", lambda *_: None)
        many = [Outcome(str(number), "m", "f", 1.0, None, 1.0, 1.0) for number in range(MAX_WAITING + 5)]
        results = await asyncio.gather(*map(log.append, many), return_exceptions=True)
        assert sum(isinstance(result, Overloaded) for result in results) == 5
        await log.close()

    asyncio.run(run())


def test_files_are_left_for_new_ones_when_they_are_old(tmp_path):
    async def run():
        now = [1e9]
        log = log_in(tmp_path, lambda: now[0])
        for number in range(3):
            await log.append(Outcome(str(number), "m", "f", 1.0, None, 1.0, 1.0))
            now[0] += FILE_SECONDS + 1
        await log.close()

    asyncio.run(run())
    assert len(list(tmp_path.glob("*.jsonl"))) == 3


def test_a_million_ids_are_remembered_and_more_push_out_others(tmp_path):
    ours, other = KnownRequests(tmp_path), KnownRequests(tmp_path)
    ours.add(["a", ""])
    assert other.has("a")
    assert other.has("")
    assert not other.has("b")
    ours._slots[:] = 7
    ours.add(["b"])
    assert other.has("b")
    assert not other.has("a")
    assert (tmp_path / "known-1.bin").stat().st_size == BUCKETS * WAYS * 8


def test_lines_are_read_as_they_were_written():
    for outcome in (ONE, Outcome('"ä\n', "m", "f", None, 0.25, -5.5, 1e9)):
        line = to_line(outcome)
        assert line.count(b"\n") == 1
        assert from_line(line) == outcome


@pytest.mark.parametrize(
    "line",
    [to_line(ONE)[:-2], b"", b"[]", b'{"request_id": "r"}', to_line(ONE).replace(b"4.0", b"NaN"),
     to_line(ONE).replace(b'"m"', b"5"), json.dumps(vars(ONE) | {"completion": 2}).encode(),
     json.dumps(vars(ONE) | {"more": 2}).encode(), json.dumps(vars(ONE) | {"happened_at": None}).encode()],
)  # fmt: skip
def test_lines_that_are_no_outcomes_are_refused(line):
    with pytest.raises(BadOutcome):
        from_line(line)
