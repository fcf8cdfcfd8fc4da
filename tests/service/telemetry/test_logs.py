"""Logs are JSON lines with events and errors, without anything that a caller sent."""

import io
import json
import logging
import warnings

import pytest

from service.telemetry.logs import configure_logging, log_event


@pytest.fixture
def lines():
    """Everything logged so far, parsed."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def fail():
    raise ValueError("CANARY")


def test_an_event_has_its_name_time_level_and_facts(lines):
    log_event(logging.WARNING, "tried", version="abc", seconds=1.5)
    [line] = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "event": "tried", "version": "abc", "seconds": 1.5}


def test_an_error_is_logged_with_type_and_stack_of_its_whole_chain_but_without_its_message(lines):
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError("CANARY") from error
    except RuntimeError as error:
        log_event(logging.ERROR, "failed", error)
    [line] = lines()
    assert [error["type"] for error in line["errors"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert line["errors"][1]["stack"][-1].endswith(" in fail")
    assert "CANARY" not in json.dumps(line)


def test_of_other_libraries_only_the_place_is_logged(lines):
    logging.getLogger("asyncio").error("CANARY %s", "CANARY", exc_info=ValueError("CANARY"))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("CANARY", stacklevel=1)
    error, warning = lines()
    assert error["event"] == warning["event"] == "library"
    assert error["logger"] == "asyncio"
    assert error["place"].startswith("test_logs:")
    assert error["errors"] == [{"type": "builtins.ValueError", "stack": []}]
    assert "CANARY" not in json.dumps([error, warning])


def test_events_below_the_level_are_not_logged(lines):
    log_event(logging.DEBUG, "detail")
    assert lines() == []
