"""Loads a version first in a process that may die of it, `python -m model.artifact.trial`, with limits on memory, time.

LightGBM ends the process that hands it a text it can't bear, and so does the system where there is no more memory.
Both then happen to this process. It is started before it is needed, since its imports take longer than the trial.
"""

import json
import os
import resource
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, get_args

from model.errors import ArtifactError, Reason

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Each thread would take address space, which is what is limited."""
REASONS: dict[str, Reason] = {reason: reason for reason in get_args(Reason)}
WHOLE_BYTES = 1 << 30
"""A larger table of members is checked piece by piece, when a piece is looked at."""
MAPPED = "members"
"""The folder of a version whose files are mapped and count as address space, though not as memory."""


@dataclass(frozen=True)
class Limits:
    """What a trial may take."""

    memory_bytes: int = 4 << 30
    """Of address space, beside the libraries and the table of members."""
    seconds: float = 60.0
    """Until it must have ended, and of processor time."""


class Trials:
    """Tries versions, each in a process of its own of which the next is kept waiting."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: subprocess.Popen[bytes] | None = None
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start the process of the next trial, unless it waits already."""
        with self._lock:
            if self._waiting is None and not self._closed:
                self._waiting = self._start()

    def try_version(self, folder: Path) -> None:
        """Raises ArtifactError where the version can't be loaded, predicts something else or breaks a limit."""
        process = self._next()
        limit = self._limits.seconds
        asked = {"folder": str(folder.absolute()), "memory_bytes": self._limits.memory_bytes + _mapped_bytes(folder)}
        try:
            told, _ = process.communicate(json.dumps(asked | {"seconds": limit}).encode() + b"\n", limit)
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(f"the trial took more than {limit:g} seconds", "trial") from error
        finally:
            self._running.discard(process)
            _end(process)
        if process.returncode != 0:
            raise ArtifactError(f"the trial ended with code {process.returncode}", "trial")
        answer = json.loads(told)
        if answer["reason"] is not None:
            raise ArtifactError(str(answer["message"]), REASONS.get(answer["reason"], "other"))

    def close(self) -> None:
        """End what waits and what runs, and start no more."""
        with self._lock:
            self._closed = True
            if self._waiting is not None:
                _end(self._waiting)
            for process in self._running:
                process.kill()

    def _next(self) -> subprocess.Popen[bytes]:
        """The process that waits, or a new one where none does or somebody ended it."""
        with self._lock:
            process, self._waiting = self._waiting, None
            if process is not None and process.poll() is not None:
                _end(process)
                process = None
            process = process or self._start()
            self._running.add(process)
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # it runs this file and nothing that anybody gave
            [sys.executable, "-m", "model.artifact.trial"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )


def main(asked: IO[str], told: IO[str]) -> int:
    """Wait for a version, load it, and tell why it is refused; exit code 0 however that ends."""
    import model.artifact.artifact  # noqa: F401 # while nobody waits yet

    line = asked.readline()
    if not line:
        return 0
    given = json.loads(line)
    seconds = int(given["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    memory = _taken_bytes() + given["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    answer: dict[str, str | None] = {"reason": None, "message": None}
    try:
        _load(Path(given["folder"]))
    except ArtifactError as error:
        answer = {"reason": error.reason, "message": str(error)}
    except MemoryError:
        answer = {"reason": "trial", "message": "the version needs more memory than a trial may take"}
    json.dump(answer, told)
    return 0


def _load(folder: Path) -> None:
    """Load a version, and look at the whole table of members if that takes a few seconds at most."""
    from model.artifact.artifact import load_model
    from model.files.manifest import check_version

    whole = _mapped_bytes(folder) <= WHOLE_BYTES
    if whole:
        check_version(folder)
    model = load_model(folder)
    if whole:
        model.members.check(len(model.catalogue))


def _mapped_bytes(folder: Path) -> int:
    with suppress(OSError):
        return sum(path.lstat().st_size for path in (folder / MAPPED).iterdir())
    return 0


def _taken_bytes() -> int:
    """Address space of this process, of which libraries reserve gigabytes that they don't use."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever it is doing, it ends now; nothing of it is left, nor its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    sys.exit(main(sys.stdin, sys.stdout))
