"""Lines of members leave the logs of outcomes while a service writes, and the rest is read as before."""

import os

import pytest

from model.facts.outcome_record import Outcome, to_line
from training.data.reading.recorded_outcomes import read_outcomes
from training.versions.forgetting.outcome_lines import SETTLED_SECONDS, blank_lines_of, outcomes_of


def line(number, member_id):
    return to_line(Outcome(f"request {number}", member_id, "m1", 4.0, None, 1e9, 1e9))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "1-1.jsonl"
    path.write_bytes(line(1, "a") + line(2, "Ümläut") + line(3, "a") + line(4, "b"))
    return path


def members(log):
    return [outcome.member_id for outcome in read_outcomes(log.parent)]


def test_a_service_that_goes_on_writing_loses_nothing(log):
    with log.open("ab") as service:
        assert blank_lines_of(log, {"a"}, log.stat().st_mtime) == 2
        service.write(line(5, "c"))
    assert members(log) == ["Ümläut", "b", "c"]
    assert b'"a"' not in log.read_bytes()
    assert blank_lines_of(log, {"Ümläut", "a"}, log.stat().st_mtime) == 1
    assert members(log) == ["b", "c"]


def test_a_line_that_was_cut_short_is_left_to_its_writer_until_nobody_writes_any_more(log):
    with log.open("ab") as service:
        service.write(line(5, "a")[:-10])
    assert blank_lines_of(log, {"b"}, log.stat().st_mtime) == 1
    assert b'"member_id": "a"' in log.read_bytes().splitlines()[-1]
    assert blank_lines_of(log, {"b"}, log.stat().st_mtime + 2 * SETTLED_SECONDS) == 0
    assert log.read_bytes().splitlines()[-1].isspace()
    assert members(log) == ["a", "Ümläut", "a"]


def test_a_call_made_again_ends_what_an_interrupted_one_has_begun(log):
    with log.open("r+b") as file:
        os.pwrite(file.fileno(), b" " * 30, 0)
    assert blank_lines_of(log, {"a"}, log.stat().st_mtime) == 1
    assert members(log) == ["Ümläut", "b"]


def test_a_member_is_shown_all_outcomes_without_unknown_values(log):
    shown = outcomes_of(log.parent, "b")
    assert shown == [
        {
            "request_id": "request 4",
            "member_id": "b",
            "movie_id": "m1",
            "rating": 4.0,
            "happened_at": 1e9,
            "received_at": 1e9,
        }
    ]
