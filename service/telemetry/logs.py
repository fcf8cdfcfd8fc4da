"""JSON logs: one object a line, without personal data."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

LONGEST_CHAIN = 10
"""Errors of a chain of causes that are logged."""
_LOG = logging.getLogger("coldstart")


class JsonLines(logging.Formatter):
    """Formats the service's own events in full, and of other libraries' records only their origin.

    Messages of other libraries and of exceptions may contain what a caller sent, so neither is ever written; the type
    of an exception and its stack are.
    """

    def __init__(self, **facts: object) -> None:
        """`facts` about the process are part of each line."""
        super().__init__()
        self._facts = facts

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self._facts,
        }
        if record.name == _LOG.name:
            line |= {"event": record.msg, **getattr(record, "facts", {})}
        else:
            line |= {"event": "library", "logger": record.name, "place": f"{record.module}:{record.lineno}"}
        if record.exc_info and record.exc_info[1]:
            line["errors"] = error_chain(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str, stream: TextIO, **facts: object) -> None:
    """Write all log records of this process to the stream as JSON, each with `facts` about the process."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(**facts))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)


def log_event(level: int, event: str, error: BaseException | None = None, **facts: object) -> None:
    """Log an event by its name, with facts about it and the error that caused it, if any."""
    _LOG.log(level, event, exc_info=error, extra={"facts": facts})


def error_chain(error: BaseException) -> list[dict[str, Any]]:
    """Type and stack of an error and of its causes, the first cause last; no messages."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < LONGEST_CHAIN:
        stack = traceback.extract_tb(current.__traceback__)
        chain.append(
            {
                "type": f"{type(current).__module__}.{type(current).__qualname__}",
                "stack": [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in stack],
            }
        )
        current = current.__cause__ or current.__context__
    return chain
