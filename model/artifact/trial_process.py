"""Loads a version (one published model) on trial in a disposable process, with limits on memory and time.

The process is `python -m model.artifact.trial_process`. Some malformed LightGBM model files crash the process or make
it loop forever, and the operating system kills processes that use up the memory. In these cases, only the trial process
dies. It is started in advance, since its imports take longer than the trial itself.
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
from model.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Environment variables that limit threads and their memory arenas, since these take up address space."""
REASONS: dict[str, Reason] = {reason: reason for reason in get_args(Reason)}
WHOLE_BYTES = 1 << 30
"""Maximum size in bytes of a table of published members that a trial checks completely; larger ones are verified piece
by piece as members are looked up."""
MAPPED = "members"
"""Folder in a version whose files are memory-mapped; they count towards address space but not towards memory."""


@dataclass(frozen=True)
class Limits:
    """Limits on the memory and time of one trial, which loads a version in a process of its own."""

    memory_bytes: int = 4 << 30
    """Maximum address space in bytes, in addition to that of the libraries and of the published members."""
    seconds: float = 60.0
    """Maximum wall-clock time and processor time in seconds."""


class Trials:
    """Loads versions on trial, each in its own process, before they are loaded in the service.

    The process of the next trial can be started in advance.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: subprocess.Popen[bytes] | None = None
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start the process of the next trial, unless it is already running."""
        with self._lock:
            if self._waiting is None and not self._closed:
                self._waiting = self._start()

    def try_version(self, folder: Path) -> None:
        """Load a version in a process of its own; raise ArtifactError if that fails or exceeds a limit.

        It also fails if the model doesn't repeat the predictions that were stored when it was published.
        """
        process = self._next()
        limit = self._limits.seconds
        memory = self._limits.memory_bytes + _mapped_bytes(folder)
        request = {"folder": str(folder.absolute()), "memory_bytes": memory, "seconds": limit}
        try:
            response, _ = process.communicate(json.dumps(request).encode() + b"\n", limit)
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(f"the trial took more than {limit:g} seconds", "trial") from error
        finally:
            self._running.discard(process)
            _end(process)
        if process.returncode != 0:
            raise ArtifactError(f"the trial ended with code {process.returncode}", "trial")
        refusal = json.loads(response)
        if refusal["reason"] is not None:
            raise ArtifactError(str(refusal["message"]), REASONS.get(refusal["reason"], "other"))

    def close(self) -> None:
        """Kill the process that waits for a trial and all that run one, and start no others."""
        with self._lock:
            self._closed = True
            if self._waiting is not None:
                _end(self._waiting)
            for process in self._running:
                process.kill()

    def _next(self) -> subprocess.Popen[bytes]:
        """Return the process for the next trial: the one started in advance, if it still runs, or else a new one."""
        with self._lock:
            process, self._waiting = self._waiting, None
            if process is not None and process.poll() is not None:
                _end(process)
                process = None
            process = process or self._start()
            self._running.add(process)
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # runs this module only
            [sys.executable, "-m", "model.artifact.trial_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )


def main(requests: IO[str], responses: IO[str]) -> int:
    """Run one trial: read a request, load the version that it names, and write whether it is refused, as JSON.

    The JSON has the reason and message of a refusal, or null for both if the version is accepted. Returns exit code 0
    in both cases.
    """
    import model.artifact.artifact  # noqa: F401 # import before the request arrives

    line = requests.readline()
    if not line:
        return ExitCode.DONE
    request = json.loads(line)
    seconds = int(request["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    memory = _taken_bytes() + request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    refusal: dict[str, str | None] = {"reason": None, "message": None}
    try:
        _load(Path(request["folder"]))
    except ArtifactError as error:
        refusal = {"reason": error.reason, "message": str(error)}
    except MemoryError:
        refusal = {"reason": "trial", "message": "the version needs more memory than a trial may take"}
    json.dump(refusal, responses)
    return ExitCode.DONE


def _load(folder: Path) -> None:
    """Load a version on trial, and check all of its table of published members unless the table is large.

    It is large if it has more than WHOLE_BYTES.
    """
    from model.artifact.artifact import load_model
    from model.files.manifest import check_version

    whole = _mapped_bytes(folder) <= WHOLE_BYTES
    if whole:
        check_version(folder)
    model = load_model(folder, key=None)
    if whole:
        model.members.check(len(model.catalogue))


def _mapped_bytes(folder: Path) -> int:
    with suppress(OSError):
        return sum(path.lstat().st_size for path in (folder / MAPPED).iterdir())
    return 0


def _taken_bytes() -> int:
    """Return the address space of this process in bytes, including gigabytes that libraries reserve but don't use."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, wait for it and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as output:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # LightGBM writes warnings to standard output
        code = main(sys.stdin, output)
    sys.exit(code)
