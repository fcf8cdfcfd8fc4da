"""Ends server processes."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminated(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """Terminate the process when the block ends, and kill it if it still runs after `seconds`."""
    assert process.stdout is not None  # noqa: S101 # its output is read through a pipe
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(seconds)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
