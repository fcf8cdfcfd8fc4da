"""A checkout of the project that trains and serves with its own code alone, whatever is installed beside it."""

import json
import os
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import terminated

STOP_SECONDS = 30
OPTIONS = ("--host", "127.0.0.1", "--port", "0", "--metrics-port", "0", "--workers", "1", "--drain-seconds", "0")
FOLDERS = """
from importlib.util import find_spec
for found in filter(None, map(find_spec, ("features", "model", "training", "service"))):
    print(*found.submodule_search_locations, sep="\\n")
"""
"""Prints which folders the packages are imported from."""


class Checkout:
    """A checkout and an interpreter that finds nothing but its code and our installed libraries.

    The interpreter is that of a new virtual environment, since an editable install in ours would win over the checkout:
    a folder that a .pth file names is searched for packages, but the .pth files in it aren't read.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        """Make its environment in a new folder; raises SystemExit where other code than its own would run."""
        self.root = root.resolve()
        venv.create(folder, symlinks=True, with_pip=False)
        libraries = sysconfig.get_path("purelib", "venv", {"base": str(folder)})
        Path(libraries, "libraries.pth").write_text(f"{self.root / 'client'}\n{sysconfig.get_path('purelib')}\n")
        self._python = str(folder / "bin" / "python")
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._environment["PYTHONDONTWRITEBYTECODE"] = "1"
        called = [self._python, "-c", FOLDERS]
        folders = subprocess.check_output(called, cwd=self.root, env=self._environment, text=True).splitlines()
        foreign = [path for path in folders if not Path(path).resolve().is_relative_to(self.root)]
        if foreign:
            raise SystemExit(f"{self.root} would run code of {', '.join(foreign)}")

    def training(self, *arguments: str | Path) -> None:
        """Run a command of the job; raises SystemExit if it fails."""
        called = [self._python, "-m", "training", *map(str, arguments)]
        done = subprocess.run(called, cwd=self.root, env=self._environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise SystemExit(f"training {arguments[0]} of {self.root} ended with exit code {done.returncode}")

    @contextmanager
    def serving(self, models: Path) -> Iterator[int]:
        """The port of a service of the models while the block runs; raises SystemExit if it doesn't start."""
        log = models.parent / f"{models.name}.log"
        called = [self._python, "-m", "service", "--models", str(models), *OPTIONS]
        with log.open("w") as errors:
            process = subprocess.Popen(
                called, cwd=self.root, env=self._environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert process.stdout is not None  # noqa: S101 # that is what PIPE says
        with terminated(process, STOP_SECONDS):
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"the service of {self.root} didn't start:\n{log.read_text()}")
            yield json.loads(line)["port"]
