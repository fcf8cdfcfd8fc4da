"""Runs the commands `retrain` and `evaluate` for a notebook, in a process of their own, on frames or a folder.

A process of its own has the environment of the job, so that the same data give the same version as the command, and
frees its memory when it ends.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

import coldstart
from coldstart.errors import InvalidTables, JobFailed
from coldstart.frames import FrameKind, write_tables
from model.exit_codes import ExitCode

PROJECT = Path(coldstart.__file__).parents[1]


class DataDirectory:
    """The data directory of a job: a folder of the user's, or a temporary one with the user's frames."""

    def __init__(self, data: str | Path | None, tables: dict[str, Any], schema: str | None) -> None:
        """Check and write the tables. Raises InvalidTables unless either a folder or frames are given."""
        given = [name for name, frame in tables.items() if frame is not None]
        if data is not None and (given or schema is not None):
            raise InvalidTables("give either a folder or frames: a folder has its tables and its schema.toml")
        self.frames: FrameKind = "polars"
        """The library of the frames that were given."""
        if data is not None:
            self.folder = Path(data)
            return
        self.folder = temporary_folder(self)
        self.frames = write_tables(self.folder, tables, schema)


def temporary_folder(owner: object) -> Path:
    """Return a new temporary folder, which is removed when `owner` is."""
    folder = Path(tempfile.mkdtemp(prefix="coldstart-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_job(command: str, options: dict[str, Any], *, show: TextIO | None) -> None:
    """Run a command of the job with options by their names, such as `min_holders`, and show its progress.

    An option that is True is a flag, and one that is None or False is left out. Raises JobFailed if the command fails;
    a version that the gate holds back is no failure.
    """
    arguments = [command]
    for name, value in options.items():
        if value is not None and value is not False:
            arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(  # noqa: S603 # our own command; options are separate arguments
        [sys.executable, "-P", "-m", "training", *arguments],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    assert process.stderr is not None  # noqa: S101 # that is what PIPE says
    with process:
        try:
            lines = _follow(process.stderr, Progress(show))
        except BaseException:
            process.kill()
            raise
    if process.returncode not in (ExitCode.DONE, ExitCode.HELD_BACK):
        raise JobFailed("\n".join(lines) or f"{command} ended with exit code {process.returncode}", process.returncode)


class Progress:
    """Shows the steps of a job: in place on a terminal and in a notebook, and as lines with their times elsewhere."""

    def __init__(self, out: TextIO | None) -> None:
        """`out` is where to show them; None shows nothing."""
        self._out = out
        self._place = None if out is None else _notebook_place(out)
        self._width = 0

    def step(self, line: str) -> None:
        """Show a step that begins, a line of time, seconds and its name."""
        text = line.partition(" ")[2].strip()
        if self._place is not None:
            self._place({"text/plain": text})
        elif self._out is not None and self._out.isatty():
            self._out.write(f"\r{text.ljust(self._width)}")
            self._out.flush()
            self._width = len(text)
        else:
            self._write(line)

    def warn(self, line: str) -> None:
        """Show a warning, on a line of its own."""
        self.end()
        self._write(line)

    def end(self) -> None:
        """End the line that is shown in place on a terminal."""
        if self._width:
            self._write("")
            self._width = 0

    def _write(self, line: str) -> None:
        if self._out is not None:
            self._out.write(f"{line}\n")
            self._out.flush()


def _notebook_place(out: TextIO) -> Callable[[dict[str, str]], None] | None:
    """Return a function that replaces what one output of the notebook's cell shows; None outside of notebooks."""
    if "ipykernel" not in type(out).__module__:
        return None
    from IPython.display import display

    handle: Any = display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call,unused-ignore]
    return lambda shown: handle.update(shown, raw=True)


def _follow(lines: Iterable[str], progress: Progress) -> list[str]:
    """Show what a job writes to stderr until it ends, and return the lines that are neither progress nor warnings."""
    others = []
    for line in map(str.rstrip, lines):
        if line[:4].isdigit() and line[19:20] == "Z":
            progress.step(line)
        elif line.startswith("warning: "):
            progress.warn(line)
        else:
            others.append(line)
    progress.end()
    return others
