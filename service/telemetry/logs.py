"""JSON logs: one object per line, without personal data."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

LONGEST_CHAIN = 10
"""Maximum number of errors to log from a chain of causes."""
_LOG = logging.getLogger("coldstart")


class JsonLines(logging.Formatter):
    """Formats the service's own events in full, but only the origin of other libraries' records.

    Messages of other libraries and of exceptions are never written, because they may contain request data. Of an
    exception, only the type and the stack are written.
    """

    def __init__(self, **facts: object) -> None:
        """Create a formatter that adds `facts`, such as the number of the worker, to each line."""
        super().__init__()
        self._facts = facts

    def format(self, record: logging.LogRecord) -> str:
        """Format a log record as one line of JSON."""
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
    """Write all log records of this process to the stream as JSON, with `facts` added to each line."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(**facts))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)


def log_event(level: int, event: str, error: BaseException | None = None, **facts: object) -> None:
    """Log a named event with `facts` as its fields, and with the error that caused it, if any."""
    _LOG.log(level, event, exc_info=error, extra={"facts": facts})


def error_chain(error: BaseException) -> list[dict[str, Any]]:
    """Return the type and stack, but not the message, of an error and its causes, the root cause last."""
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
