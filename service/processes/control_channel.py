"""The control channel between the supervisor and a worker: lines of JSON over a pair of sockets.

A socket pair needs no path in the file system, and its other end is closed when a process dies. It is the worker's
standard input. The supervisor sends an order first, then requests for metrics; the worker reports that it serves, its
metrics when asked, and its last metrics when it ends.
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
"""How long a worker waits for a supervisor that doesn't read."""
LONGEST_LINE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Order:
    """What a worker receives when it starts."""

    worker: int
    """Number of the worker, from 0; its replacement gets the same number."""
    alone: bool
    """Whether to listen even without a model, since no other worker serves."""
    settings: dict[str, Any]
    """The service's settings, as JSON values; secrets are not visible here, as they would be on a command line."""


@dataclass(frozen=True)
class Report:
    """A message from a worker."""

    serves: bool = False
    """Whether the worker serves from now on."""
    model_version: str | None = None
    """The version that it then serves, if any."""
    number: int | None = None
    """Number of the request for metrics that this answers."""
    metrics: list[Family] | None = None
    """The worker's metrics, if reported."""
    watched: DriftCounts | None = None
    """Drift counts since the worker's last report of metrics, if it has a model."""


class WorkerEnd:
    """The worker's end of the channel. Its methods block, and may be used from any thread."""

    def __init__(self) -> None:
        """Take the connection from standard input, so that no process started from here holds it open.

        Raises NoSupervisor.
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
        """Report that calls are accepted from now on."""
        self._send({"serves": True, "model_version": model_version})

    def ends(self, metrics: list[Family], watched: DriftCounts | None) -> None:
        """Report the last metrics."""
        self._send({"metrics": metrics, "watched": watched})

    def follow(
        self, snapshot: Callable[[], tuple[list[Family], DriftCounts | None] | None], lost: Callable[[], None]
    ) -> None:
        """Answer requests for metrics until the supervisor is gone, then call `lost`.

        A request for which `snapshot` returns None stays unanswered.
        """
        with contextlib.suppress(OSError):
            for line in self._lines:
                taken = snapshot()
                if taken is not None:
                    metrics, watched = taken
                    self._send({"number": json.loads(line)["number"], "metrics": metrics, "watched": watched})
        lost()

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # the supervisor is gone, which `follow` notices
            self._connection.sendall(json.dumps(message).encode() + b"\n")


class SupervisorEnd:
    """The supervisor's end of the channel to one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, connection: socket.socket, order: Order) -> "SupervisorEnd":
        """The end on an open connection, after sending the order."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST_LINE)
        end = cls(reader, writer)
        end._send(asdict(order))
        return end

    def ask(self, number: int) -> None:
        """Ask for metrics; the response carries the number."""
        self._send({"number": number})

    async def report(self) -> Report | None:
        """The next report, None when the worker is gone; raises ValueError for a malformed line."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("the line is not a worker's report")
        metrics, watched = message.get("metrics"), message.get("watched")
        return Report(
            message.get("serves") is True,
            message.get("model_version"),
            message.get("number"),
            None if metrics is None else parse_snapshot(metrics),
            None if watched is None else parse_drift_counts(watched),
        )

    def close(self) -> None:
        """Close the connection; a worker that is still running then stops."""
        self._writer.close()

    def _send(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")
