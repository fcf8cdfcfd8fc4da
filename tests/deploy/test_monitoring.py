"""What operations get: rules that fire when they should, and dashboards whose every query a real Prometheus answers."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.served import Served, serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.telemetry.metric_definitions import DEFINITIONS
from tests.conftest import Published, installed_tool

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
ALERTS = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
RECORDED = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
}
NOT_OURS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Metrics that Prometheus and its client library make."""


def queries(dashboard: dict) -> Iterator[tuple[str, str]]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$job", "coldstart")


MANY = 400
FRUGAL = os.environ | {"GOGC": "400"}
"""Go collects its garbage less often."""
EVERY_QUERY = [
    pytest.param(query, id=f"{path.stem}-{title}-{number}")
    for path in DASHBOARDS
    for number, (title, query) in enumerate(queries(json.loads(path.read_text())))
]


@pytest.fixture(scope="module")
def promtool() -> str:
    return installed_tool("promtool", "prometheus")


@pytest.fixture(scope="module")
def under_traffic(small: Published, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that has answered calls of every kind."""
    folder = tmp_path_factory.mktemp("monitored")
    with serving(small.models, folder / "log", "--workers", "1", "--outcomes", str(folder / "outcomes")) as server:
        assert sum(1 for _ in server.stub.StreamPredictEnjoyment(many())) == MANY
        traffic(server, 0)
        yield server


def many() -> Iterator[pb.PredictEnjoymentRequest]:
    """Requests enough for indices of drift."""
    for number in range(MANY):
        member = pb.Member(plays=[pb.Play(movie_id=f"movie-{number % 50 + 1:03}")])
        member.attributes["age"].number = 20 + number % 50
        yield pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-052"])


def traffic(server: Served, turn: int) -> None:
    plays = [pb.Play(movie_id="movie-001")]
    members = [pb.Member(), pb.Member(plays=plays), pb.Member(member_id="nobody")]
    members[1].attributes["no such attribute"].number = 1
    for member in members:
        server.stub.PredictEnjoyment(
            pb.PredictEnjoymentRequest(member=member, movie_ids=["movie-002", "no such movie"])
        )
        server.stub.RankMovies(pb.RankMoviesRequest(member=member))
        server.stub.ExplainEnjoyment(pb.ExplainEnjoymentRequest(member=member, movie_id="movie-002"))
    for number, outcome in enumerate(outcomes(server)):
        outcome.request_id = f"{turn} {number}"
        server.stub.RecordOutcome(outcome)


def outcomes(server: Served) -> Iterator[pb.RecordOutcomeRequest]:
    """Ratings after predictions of each model and evidence."""
    for version in (server.stub.GetModel(pb.GetModelRequest()).model_version, "an earlier one"):
        for evidence in (1, 2, 3, 4):
            outcome = pb.RecordOutcomeRequest(member_id="nobody", movie_id="movie-002", rating=4)
            outcome.shown.model_version, outcome.shown.member_evidence = version, evidence
            shown = outcome.shown.prediction
            shown.rating, shown.lower, shown.upper, shown.probability_enjoyed = 3.9, 2, 5, 0.6
            yield outcome


@pytest.fixture(scope="module")
def ask(under_traffic: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list]]:
    """Asks a real Prometheus, with the shipped rules, that scrapes the server."""
    prometheus = installed_tool("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    target = f"127.0.0.1:{under_traffic.metrics_port}"
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
        "rule_files": [str(MONITORING / name) for name in ("rules.yaml", "alerts.yaml")],
        "scrape_configs": [{"job_name": "coldstart", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [prometheus, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log, env=FRUGAL,
        )  # fmt: skip

    def query(expression: str) -> list:
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:  # not up yet
            return []

    try:
        wait_for(lambda: len(query("up == 1")) == 1)
        for turn in range(2):  # rates need calls between scrapes
            traffic(under_traffic, turn + 1)
            time.sleep(1)
        yield query
    finally:
        process.terminate()
        process.wait(30)


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it didn't come about in time"
        time.sleep(0.2)


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_every_query_of_every_dashboard_returns_data(ask, query):
    wait_for(lambda: any(sample["value"][1] != "NaN" for sample in ask(query)), 20)


@pytest.mark.parametrize("record", RECORDED)
def test_every_recording_rule_returns_data(ask, record):
    wait_for(lambda: bool(ask(record)), 20)


def test_a_healthy_service_fires_no_alert(ask):
    wait_for(lambda: bool(ask("job:coldstart_model_age_seconds:min")), 20)
    assert ask('ALERTS{alertstate="firing"}') == []


def test_metrics_pass_promtools_check(promtool, under_traffic):
    scraped = under_traffic.scrape()
    done = subprocess.run([promtool, "check", "metrics"], input=scraped, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_rules_alerts_and_dashboards_name_only_metrics_that_exist():
    own = {metric.name for metric in DEFINITIONS}
    known = own | {f"{name}_{part}" for name in own for part in ("bucket", "count", "sum")} | NOT_OURS | set(RECORDED)
    expressions = [*RECORDED.values(), *(alert["expr"] for alert in ALERTS)]
    expressions += [query for path in DASHBOARDS for _, query in queries(json.loads(path.read_text()))]
    for expression in expressions:
        plain = re.sub(r'"[^"]*"', '""', expression)
        names = set(re.findall(r"(?<![:\w])(?:coldstart|grpc_server|process|job[a-z_]*:)[a-z0-9_:]*", plain))
        assert names <= known, (names - known, expression)


def test_the_dashboards_are_those_that_their_script_writes(monkeypatch):
    monkeypatch.syspath_prepend(MONITORING)
    spec = importlib.util.spec_from_file_location("dashboards", MONITORING / "dashboards.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert {path.stem for path in DASHBOARDS} == set(script.DASHBOARDS)
    for path in DASHBOARDS:
        assert path.read_text() == script.text(path.stem), "run python deploy/monitoring/dashboards.py"


def test_compose_mounts_what_exists_and_keeps_every_root_read_only():
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service["volumes"]:
            if volume.startswith("./"):
                assert (ROOT / "deploy" / volume.split(":")[0]).exists()
    scraped = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    (job,) = scraped["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["coldstart:9464"]}]
    assert job["job_name"] == "coldstart"
    assert all((MONITORING / name).exists() for name in scraped["rule_files"])
