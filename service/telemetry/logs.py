"""Log lines: one JSON object each, with nothing personal in it."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

_LOG = logging.getLogger("coldstart")


class JsonLines(logging.Formatter):
    """Writes the service's own events in full, and of other libraries' lines only where they come from.

    Texts of other libraries and messages of exceptions may hold what a caller sent, so neither is ever written; the
    type of an exception and its stack are.
    """

    def __init__(self, **facts: object) -> None:
        """Facts about the process that each line begins with."""
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
            line["errors"] = described(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str, stream: TextIO, **facts: object) -> None:
    """Send all log lines of this process to the stream, in JSON, with facts about the process in each."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(**facts))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)


def log_event(level: int, event: str, error: BaseException | None = None, **facts: object) -> None:
    """Log an event by its name, with facts about the service and, where there is one, the error behind it."""
    _LOG.log(level, event, exc_info=error, extra={"facts": facts})


def described(error: BaseException) -> list[dict[str, Any]]:
    """Type and stack of an error and of those it came from, the first cause last; no messages."""
    found: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(found) < 10:
        stack = traceback.extract_tb(current.__traceback__)
        found.append(
            {
                "type": f"{type(current).__module__}.{type(current).__qualname__}",
                "stack": [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in stack],
            }
        )
        current = current.__cause__ or current.__context__
    return found
