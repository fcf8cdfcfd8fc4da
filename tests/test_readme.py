"""What the README shows works and is current."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import json_format

from benchmarks.readme_tables import DOCUMENTS, renewed
from benchmarks.served import serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from training import __main__ as job

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:50051"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def train(*arguments: str) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "training", *arguments], cwd=ROOT, check=True, env=environment)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of a small sample whose ids look like those of the demo."""
    folder = tmp_path_factory.mktemp("readme")
    data, models = folder / "data", folder / "models"
    train("sample", "--out", str(data), "--members", "120", "--movies", "100")
    train("retrain", "--data", str(data), "--models", str(models))
    with serving(models, folder / "log", "--outcomes", str(folder / "outcomes")) as served:
        yield served


def test_the_tables_that_come_from_the_code_are_current():
    for path, tables in DOCUMENTS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert renewed(text, tables) == text, f"make docs renews {path}"


def test_the_python_client_runs_as_it_is_shown(server):
    [client] = blocks("python")
    assert ADDRESS in client
    done = subprocess.run(
        [sys.executable, "-c", client.replace(ADDRESS, f"127.0.0.1:{server.port}")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    evidence, first, second, best = done.stdout.splitlines()
    assert evidence == "attributes and plays"
    shown = re.compile(r"movie-00[12]: \d\.\d\d, \d\.\d\d to \d\.\d\d, \d+%")
    assert shown.fullmatch(first)
    assert shown.fullmatch(second)
    assert best.count("movie-") == 3


def test_the_commands_of_the_client_run_as_they_are_shown(server):
    [block] = [block for block in blocks("sh") if "coldstart_client" in block]
    commands = block.splitlines()
    assert len(commands) == 5
    for command in commands:
        called = [sys.executable, *command.split()[1:], "--address", f"127.0.0.1:{server.port}"]
        done = subprocess.run(called, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        assert len(done.stdout.splitlines()) > 3 or (done.stdout.endswith(" is recorded\n") and "outcome" in called)


def test_the_grpcurl_call_names_a_real_method_and_its_fields(server):
    [call] = [block for block in blocks("sh") if "grpcurl" in block]
    [data] = re.findall(r"-d '(.*?)'", call, re.DOTALL)
    request = json_format.Parse(data, pb.PredictEnjoymentRequest())
    answer = server.stub.PredictEnjoyment(request)
    assert [one.movie_id for one in answer.predictions] == list(request.movie_ids)
    assert call.split()[-1] == f"{pb.DESCRIPTOR.package}.EnjoymentService/PredictEnjoyment"


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)|^make ([a-z]+)", README, re.MULTILINE))
    assert {first or second for first, second in named} <= targets


def test_every_command_and_option_of_the_job_exists(capsys):
    calls = [
        line.split("#")[0].split()[3:] for block in blocks("sh") for line in block.splitlines() if "-m training" in line
    ]
    assert len(calls) >= 7
    for call in calls:
        with pytest.raises(SystemExit) as ended:
            job.main([call[0], "--help"])
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert all(word in told for word in call if word.startswith("--"))


def test_every_rpc_of_the_contract_is_listed():
    methods = pb.DESCRIPTOR.services_by_name["EnjoymentService"].methods_by_name
    assert all(f"| `{name}` |" in README for name in methods)


def test_every_link_to_a_file_leads_to_one():
    for document in (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[a-z-]+)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_module_that_the_documentation_names_exists():
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", (ROOT / "docs" / "model.md").read_text(encoding="utf-8"))
    assert named
    assert all((ROOT / path).is_file() for path in named)
