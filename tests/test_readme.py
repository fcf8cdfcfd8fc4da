"""What the README and the documentation show works and is current."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import json_format

from benchmarks.documentation import DOCUMENTS, renewed
from benchmarks.served import serving
from coldstart.__main__ import run
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from training.__main__ import ENVIRONMENT

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_LINES = 200
ADDRESS = "127.0.0.1:50051"
RELEASE = ROOT / "tests" / "training" / "data" / "datasets" / "fixtures" / "ml-100k"
ROOMS = "features|model|training|service|client|coldstart|protos|tests|benchmarks|deploy|docs"
SETTINGS = "folds = 2\n[prior]\nrank = 4\nsweeps = 3\nembedding = 20\nsight = 10\n[trees]\ntrees = 10\n"
LIGHT = ["--settings", "light.toml"]
SMALL = {
    "sample --out data": ["--members", "120", "--movies", "100"],
    "retrain": LIGHT,
    "evaluate": LIGHT,
}
"""Options that make the README's commands quick, by how a command begins."""


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every command that the README shows in a terminal, without its comment."""
    lines = "".join(blocks("sh")).splitlines()
    return [line.split(" # ")[0].strip() for line in lines]


def coldstart_here(arguments: list[str], folder: Path) -> str:
    """What the command `coldstart` prints, run in a folder but in this process, whose imports it need not repeat."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(folder)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        assert run(arguments) == 0
    return printed.getvalue()


def coldstart(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command `coldstart` of this checkout in a folder."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")]),
    }
    return subprocess.run(
        [sys.executable, "-m", "coldstart", *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the README's commands of the job have run, one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "light.toml").write_text(SETTINGS)
    for command in commands():
        name, *arguments = shlex.split(command)
        if name == ".venv/bin/coldstart" and arguments[0] not in ("serve", "ask"):
            further = [
                option
                for begin, options in SMALL.items()
                if " ".join(arguments).startswith(begin)
                for option in options
            ]
            assert coldstart_here([str(RELEASE) if word == "SOURCE" else word for word in arguments] + further, folder)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    """A server of the model that those commands made, which lies where the command that starts one expects it."""
    [shown] = [command for command in commands() if " serve " in command]
    _, serve, option, models, *further = shown.split()
    assert (serve, option, further[0]) == ("serve", "--models", "--outcomes")
    shutil.copytree(folder / "models", folder / models)
    with serving(folder / models, folder / "log", further[0], str(folder / further[1])) as served:
        yield served


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES


def test_every_command_of_the_readme_is_one_that_is_tested():
    for command in commands():
        assert re.match(r"(\.venv/bin/coldstart|make) [a-z]+", command), command


def test_the_commands_of_the_job_do_what_they_say(folder):
    made = {path.name for path in folder.iterdir()}
    assert made >= {"data", "movielens", "models", "evaluation", "predictions.parquet"}
    assert (folder / "evaluation" / "report.html").is_file()
    assert (folder / "models" / "current").is_file()


def test_the_server_is_started_as_it_is_shown(server):
    assert server.port


def test_the_questions_are_answered_as_they_are_shown(server, folder):
    asked = [shlex.split(command)[1:] for command in commands() if " ask " in command]
    assert len(asked) == 4
    for arguments in asked:
        answer = coldstart([*arguments, "--address", f"127.0.0.1:{server.port}"], folder).stdout
        assert len(answer.splitlines()) > 3


def test_the_python_client_runs_as_it_is_shown(server):
    [client] = blocks("python")
    assert ADDRESS in client
    done = subprocess.run(
        [sys.executable, "-c", client.replace(ADDRESS, f"127.0.0.1:{server.port}")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    evidence, first, second, best = done.stdout.splitlines()
    assert evidence == "attributes and ratings"
    shown = re.compile(r"movie-00[12]: \d\.\d\d, \d\.\d\d to \d\.\d\d, \d+%")
    assert shown.fullmatch(first)
    assert shown.fullmatch(second)
    assert best.count("movie-") == 3


def test_the_grpcurl_call_names_a_real_method_and_its_fields(server):
    calls = blocks("sh", (ROOT / "docs" / "calling.md").read_text(encoding="utf-8"))
    methods = [call.split()[-1] for call in calls]
    assert methods == [
        f"{pb.DESCRIPTOR.package}.EnjoymentService/{name}" for name in ("PredictEnjoyment", "SuggestMoviesToRate")
    ]
    predict, suggest = (re.findall(r"-d '(.*?)'", call, re.DOTALL) for call in calls)
    request = json_format.Parse(*predict, pb.PredictEnjoymentRequest())
    answer = server.stub.PredictEnjoyment(request)
    assert [prediction.movie_id for prediction in answer.predictions] == list(request.movie_ids)
    assert server.stub.SuggestMoviesToRate(json_format.Parse(*suggest, pb.SuggestMoviesToRateRequest())).movies


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {command.split()[1] for command in commands() if command.startswith("make ")}
    assert named | set(re.findall(r"`make ([a-z]+)", README)) <= targets


def test_the_tables_that_come_from_the_code_are_current():
    for path, tables in DOCUMENTS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert renewed(text, tables) == text, f"make docs renews {path}"


def test_every_rpc_of_the_contract_is_listed():
    methods = pb.DESCRIPTOR.services_by_name["EnjoymentService"].methods_by_name
    assert all(f"| `{name}` |" in README for name in methods)


def documents() -> list[Path]:
    return [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]


def test_every_link_to_a_file_leads_to_one():
    for document in documents():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[a-z-]+)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_link_to_a_heading_leads_to_one():
    for document in documents():
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([a-z0-9-]+)\)", document.read_text(encoding="utf-8")):
            text = (document.parent / target if target else document).read_text(encoding="utf-8")
            headings = [
                re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
                for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            ]
            assert anchor in headings or f'id="{anchor}"' in text, f"{document.name}: {target}#{anchor}"


def test_every_file_that_the_documentation_names_exists():
    for document in documents():
        named = re.findall(rf"`((?:{ROOMS})/(?:[a-z_0-9]+/)*[a-z_0-9]+\.[a-z]+)`", document.read_text(encoding="utf-8"))
        for path in named:
            assert (ROOT / path).is_file() or (document.parent / path).is_file(), f"{document.name}: {path}"


def test_the_ways_of_a_request_and_of_a_retrain_are_short():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    way = re.search(r"^## The way of one request$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert way
    files = dict.fromkeys(re.findall(r"^\d+\. `([a-z_/0-9]+\.py)`", way[1], re.MULTILINE))
    assert 5 <= len(files) <= 8
