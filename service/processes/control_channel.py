"""The control channel between the supervisor and a worker: lines of JSON over a socket pair.

A socket pair needs no path in the file system, and each side notices when the other process dies. The worker uses its
standard input as its end. The supervisor first sends an order, then requests for metrics. The worker reports when it
begins to serve, sends its metrics on request, and sends its final metrics before it exits.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from service.errors import NoSupervisor
from service.telemetry.drift.drift_index import DriftCounts, parse_drift_counts
from service.telemetry.merging import Family, parse_snapshot

SEND_SECONDS = 2
"""Maximum time that a worker waits for a supervisor that isn't reading."""
LONGEST_LINE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Order:
    """The first message from the supervisor to a worker, sent when its process starts: its number and settings."""

    worker: int
    """Number of the worker, starting from 0. A replacement gets the same number."""
    alone: bool
    """Whether to listen even without a model, because no other worker is serving."""
    settings: dict[str, Any]
    """Settings by name. They aren't passed as arguments, which would show secrets to all users of the machine."""


@dataclass(frozen=True)
class Report:
    """A message from a worker to the supervisor: that it serves, or its metrics."""

    serves: bool = False
    """Whether the worker has begun to accept calls."""
    model_version: str | None = None
    """Model version of a worker that has begun to serve; None if it has no model."""
    number: int | None = None
    """Number of the request for metrics that this report answers; None if it answers no request."""
    metrics: list[Family] | None = None
    """The worker's metrics; None if not included."""
    drift: DriftCounts | None = None
    """Counts of requests and predictions by histogram bin, to detect drift, since the worker's previous report; None if
    not included or without a model."""


class WorkerEnd:
    """The worker's end of the channel to the supervisor. Its methods block and may be called from any thread."""

    def __init__(self) -> None:
        """Take over the connection from standard input, so that child processes don't inherit it.

        Raises NoSupervisor if standard input is not a control channel.
        """
        self._sending = threading.Lock()
        try:
            self._connection = socket.socket(fileno=os.dup(0))
            with open(os.devnull, "rb") as nothing:  # noqa: PTH123 # a path has no file descriptor
                os.dup2(nothing.fileno(), 0)
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
            self._lines = self._connection.makefile("rb")
            self.order = Order(**json.loads(self._lines.readline()))
        except (OSError, ValueError, TypeError) as error:
            raise NoSupervisor("workers are started by `python -m service`") from error

    def serves(self, model_version: str | None) -> None:
        """Tell the supervisor that the worker accepts calls from now on."""
        self._send({"serves": True, "model_version": model_version})

    def ends(self, metrics: list[Family], drift: DriftCounts | None) -> None:
        """Send the worker's final metrics to the supervisor, before the worker exits."""
        self._send({"metrics": metrics, "drift": drift})

    def follow(
        self, snapshot: Callable[[], tuple[list[Family], DriftCounts | None] | None], lost: Callable[[], None]
    ) -> None:
        """Answer the supervisor's requests for metrics until the supervisor is gone, then call `lost`.

        `snapshot` returns the worker's metrics and its counts for drift detection. If `snapshot` returns None, the
        request stays unanswered.
        """
        with contextlib.suppress(OSError):
            for line in self._lines:
                taken = snapshot()
                if taken is not None:
                    metrics, drift = taken
                    self._send({"number": json.loads(line)["number"], "metrics": metrics, "drift": drift})
        lost()

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # if the supervisor is gone, `follow` notices
            self._connection.sendall(json.dumps(message).encode() + b"\n")


class SupervisorEnd:
    """The supervisor's end of the channel to one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, connection: socket.socket, order: Order) -> "SupervisorEnd":
        """Create the supervisor's end of an open connection to a worker and send the worker its number and settings."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST_LINE)
        end = cls(reader, writer)
        end._send(asdict(order))
        return end

    def ask(self, number: int) -> None:
        """Request metrics from the worker. Its response will carry the same number."""
        self._send({"number": number})

    async def report(self) -> Report | None:
        """Wait for the worker's next message. Returns None if the worker is gone.

        Raises ValueError for a malformed line.
        """
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("the line is not a worker's report")
        metrics, drift = message.get("metrics"), message.get("drift")
        return Report(
            message.get("serves") is True,
            message.get("model_version"),
            message.get("number"),
            None if metrics is None else parse_snapshot(metrics),
            None if drift is None else parse_drift_counts(drift),
        )

    def close(self) -> None:
        """Close the connection, which makes a worker stop if it is still running."""
        self._writer.close()

    def _send(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message, default=str).encode() + b"\n")  # `str` is for paths
