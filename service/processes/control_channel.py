"""What the supervisor and a worker say to each other: lines of JSON over a pair of sockets.

A socket pair needs no place in the file system, and its other end tells when a process has died. It is the worker's
standard input. The supervisor begins with an order; a worker tells when it serves, and its metrics when asked for them
and when it ends.
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
"""A worker waits no longer for a supervisor that doesn't read."""
LONGEST_LINE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Order:
    """What a worker is told when it starts, beside its settings."""

    worker: int
    """Its number, from 0; one that takes a dead one's place gets the same."""
    alone: bool
    """Whether to listen even without a model, since no other worker serves."""


@dataclass(frozen=True)
class Report:
    """What a worker tells."""

    serves: bool = False
    """Whether it tells that it serves from now on."""
    model_version: str | None = None
    """The version that it serves then, if there is one."""
    number: int | None = None
    """Which asking for metrics this answers."""
    metrics: list[Family] | None = None
    """Its metrics, where it tells them."""
    watched: DriftCounts | None = None
    """What it has counted of requests since it last told metrics, where there is a model."""


class WorkerEnd:
    """The worker's end. Its methods block, and may be used from any thread."""

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
        """Tell that calls are taken from now on."""
        self._send({"serves": True, "model_version": model_version})

    def ends(self, metrics: list[Family], watched: DriftCounts | None) -> None:
        """Tell the last metrics."""
        self._send({"metrics": metrics, "watched": watched})

    def follow(
        self, told: Callable[[], tuple[list[Family], DriftCounts | None] | None], lost: Callable[[], None]
    ) -> None:
        """Answer until the supervisor is gone, then call `lost`; no answer where nothing is told."""
        with contextlib.suppress(OSError):
            for line in self._lines:
                answer = told()
                if answer is not None:
                    metrics, watched = answer
                    self._send({"number": json.loads(line)["number"], "metrics": metrics, "watched": watched})
        lost()

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # the supervisor is gone, which `follow` tells
            self._connection.sendall(json.dumps(message).encode() + b"\n")


class SupervisorEnd:
    """The supervisor's end of the connection with one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, connection: socket.socket, order: Order) -> "SupervisorEnd":
        """The end on an open connection, over which the order has gone."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST_LINE)
        end = cls(reader, writer)
        end._send(asdict(order))
        return end

    def ask(self, number: int) -> None:
        """Ask for the metrics; the answer bears the number."""
        self._send({"number": number})

    async def report(self) -> Report | None:
        """The next report, None when the worker is gone; raises ValueError for a line that is none."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError("that is no report of a worker")
        metrics, watched = told.get("metrics"), told.get("watched")
        return Report(
            told.get("serves") is True,
            told.get("model_version"),
            told.get("number"),
            None if metrics is None else parse_snapshot(metrics),
            None if watched is None else parse_drift_counts(watched),
        )

    def close(self) -> None:
        """End the connection; a worker that still lives then stops."""
        self._writer.close()

    def _send(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")
