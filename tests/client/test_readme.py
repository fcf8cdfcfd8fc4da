"""The examples in the client's README run as they are shown."""

import re
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import coldstart_client
from coldstart_client import CallFailed
from service.rpc.security.tokens import entry_text, new_token

ROOT = Path(__file__).parents[2]
README = (ROOT / "client" / "README.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:50051"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


EXAMPLES = blocks("python")
ENCRYPTED = [example for example in EXAMPLES if "tls=" in example]
PLAIN = [example for example in EXAMPLES if "tls=" not in example]


def run(example: str, address: str, folder: Path) -> list[str]:
    """The lines that an example prints."""
    assert ADDRESS in example
    done = subprocess.run(
        [sys.executable, "-c", example.replace(ADDRESS, address)],
        cwd=folder, env={"PYTHONPATH": str(ROOT / "client")}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.parametrize("example", PLAIN, ids=range(len(PLAIN)))
def test_an_example_runs(world, tmp_path, example):
    lines = run(example, world.server.address, tmp_path)
    assert lines or "record_outcome" in example


def test_the_example_of_a_malformed_request_prints_the_field(world, tmp_path):
    [example] = [example for example in PLAIN if "violations" in example]
    assert run(example, world.server.address, tmp_path) == [
        "member.plays[0].completion must be a number from 0 to 1"
    ]  # fmt: skip


def test_the_example_with_tls_and_a_token_runs(world, start_server, certificates, tmp_path):
    [example] = ENCRYPTED
    token = new_token()
    (certificates / "token").write_text(token + "\n")
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(entry_text("test", token, ["PredictEnjoyment"], bytes(16)))
    server = start_server(
        world.models, "--tokens", str(tokens), "--tls-cert", str(certificates / "server.pem"),
        "--tls-key", str(certificates / "server.key"), "--tls-client-ca", str(certificates / "ca.pem"),
    )  # fmt: skip
    assert run(example, server.address, certificates) == ["1"]


def test_the_commands_run(world):
    [block] = [block for block in blocks("sh") if "coldstart-client" in block]
    commands = block.splitlines()
    assert len(commands) == 6
    for command in commands:
        program, *arguments = command.split()
        assert program == "coldstart-client"
        called = [sys.executable, "-m", "coldstart_client", *arguments, "--address", world.server.address]
        done = subprocess.run(called, cwd=ROOT / "client", stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout


def test_every_exception_is_listed_and_retries_are_those_of_the_service_config():
    kinds = {name for name in coldstart_client.__all__ if issubclass_of_failure(name)}
    assert {name for name in kinds if f"| `{name}`" in README} == kinds
    codes = re.search(r"([A-Z_, ]+ and [A-Z_]+) are retried", README)[1]
    config = (ROOT / "client" / "coldstart_client" / "service_config.json").read_text()
    retried = set(re.findall(r'"retryableStatusCodes": \[(.*)\]', config)[0].replace('"', "").split(", "))
    assert set(re.findall(r"[A-Z_]{3,}", codes)) == retried <= {code.name for code in grpc.StatusCode}


def issubclass_of_failure(name: str) -> bool:
    kind = getattr(coldstart_client, name)
    return isinstance(kind, type) and issubclass(kind, CallFailed)
