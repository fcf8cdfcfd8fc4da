"""The cluster of the Compose file: its own commands start a scheduler and workers, on which a retrain runs."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from training.__main__ import main

SCHEDULER = "tcp://scheduler:8786"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def cluster(tmp_path) -> Iterator[str]:
    """The address of a scheduler with two workers, started by the commands of the Compose file."""
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    environment = os.environ | services["worker"]["environment"] | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    with ExitStack() as stack:
        for name in ("scheduler", "worker", "worker"):
            words = [*services[name]["entrypoint"], *services[name]["command"]]
            command = [sys.executable, *(address if word == SCHEDULER else word for word in words[1:])]
            command += ["--host", "127.0.0.1", "--port", str(port)] if name == "scheduler" else []
            process = subprocess.Popen(
                [str(tmp_path) if word == "/tmp" else word for word in command], env=environment,  # noqa: S108
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield address


@pytest.mark.skipif(not os.environ.get("CI"), reason="needs a minute")
def test_a_retrain_on_the_cluster_of_the_compose_file_publishes_the_version_of_this_process(
    cluster, small, light, retrained, tmp_path
):
    plain = retrained(small.data, *light, name="plain")
    models, work = tmp_path / "models", tmp_path / "work"
    call = ["retrain", "--data", str(small.data), "--models", str(models), "--work", str(work), "--cluster", cluster]
    assert main([*call, *light, "--gate-most-latency-ratio", "100"]) == 0
    assert [path.name for path in Path(models / "versions").iterdir()] == [plain.current()]
