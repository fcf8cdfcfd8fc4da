"""Finds members' lines in the logs of outcomes, and blanks them where they stand, while the service goes on writing."""

import os
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.errors import BadOutcome
from model.facts.outcome_record import Outcome, from_line
from training.data.files.table_files import readable
from training.data.reading.recorded_outcomes import log_files

SETTLED_SECONDS = 60.0
"""Seconds after the last write from which an incomplete last line isn't completed any more."""


def outcomes_of(folder: Path, member_id: str) -> list[dict[str, Any]]:
    """Return the recorded outcomes of a member, without unknown values. Raises DataError if a log can't be read."""
    return [
        {name: value for name, value in asdict(outcome).items() if value is not None and value is not False}
        for path in log_files(folder)
        for _, _, outcome in _lines(path)
        if outcome is not None and outcome.member_id == member_id
    ]


def blank_lines_of(path: Path, member_ids: Collection[str], now: float) -> int:
    """Overwrite the lines of members in a log by spaces, and return their number.

    The file is not replaced, since a service may be appending to it. An incomplete last line that nobody will complete,
    and a line that an interrupted call has begun to overwrite, are overwritten too. `now` is in seconds since 1970.
    """
    is_settled = now - path.stat().st_mtime > SETTLED_SECONDS
    lines = list(_lines(path))
    theirs = [(start, line) for start, line, outcome in lines if outcome and outcome.member_id in member_ids]
    rests = [(start, line) for start, line, outcome in lines if outcome is None and _is_rest(line, is_settled)]
    if theirs or rests:
        with path.open("r+b") as file:
            for start, line in (*theirs, *rests):
                os.pwrite(file.fileno(), b" " * len(line.rstrip(b"\n")), start)
            os.fsync(file.fileno())
    return len(theirs)


def _is_rest(line: bytes, is_settled: bool) -> bool:
    """Return whether a line that is no outcome was left by a service or by a call of this command that was killed."""
    return line.startswith(b" ") if line.endswith(b"\n") else is_settled


def _lines(path: Path) -> Iterator[tuple[int, bytes, Outcome | None]]:
    """Yield the place and the content of each line that isn't blank, and its outcome; None if it isn't one."""
    with readable("outcomes", path.name):
        content = path.read_bytes()
    start = 0
    for line in content.splitlines(keepends=True):
        if not line.isspace():
            yield start, line, _outcome(line)
        start += len(line)


def _outcome(line: bytes) -> Outcome | None:
    try:
        return from_line(line) if line.endswith(b"\n") else None
    except BadOutcome:
        return None
