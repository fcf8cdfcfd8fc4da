"""A real Prometheus that scrapes servers of the tests."""

import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.conftest import installed_tool

FRUGAL = os.environ | {"GOGC": "400"}
"""Go collects its garbage less often."""


class Prometheus:
    """A running Prometheus whose targets may change."""

    def __init__(self, folder: Path, rule_files: Sequence[Path]) -> None:
        self._targets = folder / "targets.json"
        self.scrape()
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "500ms"},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [
                {
                    "job_name": "coldstart",
                    "file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}],
                }
            ],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [installed_tool("prometheus", "prometheus"), f"--config.file={folder}/prometheus.yaml",
                 f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self._port}"],
                stdout=log, stderr=log, env=FRUGAL,
            )  # fmt: skip

    def scrape(self, *metrics_ports: int) -> None:
        """Scrape these servers from now on, and no others."""
        new = self._targets.with_suffix(".new")
        new.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}" for port in metrics_ports]}]))
        new.replace(self._targets)

    def ask(self, expression: str) -> list:
        """The series that a query returns; none while Prometheus isn't up yet."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []


def wait_for(true: Callable[[], bool], seconds: float = 60, what: str = "it") -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} didn't come about in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def eventually() -> Callable[..., None]:
    """Waits until something is true."""
    return wait_for


@pytest.fixture(scope="module")
def start_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Iterator[Prometheus]]:
    """Starts a Prometheus with files of rules, for the time of a `with` block."""

    @contextmanager
    def start(*rule_files: Path) -> Iterator[Prometheus]:
        prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), rule_files)
        try:
            yield prometheus
        finally:
            prometheus.process.terminate()
            prometheus.process.wait(30)

    return start
