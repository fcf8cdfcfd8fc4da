"""What operations get: rules that fire when they should, and dashboards whose every query a real Prometheus answers."""

import dataclasses
import importlib.util
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import yaml

from benchmarks.served import Served, serving
from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc
from model.store.job_status import GuardStatus, RetrainStatus, write_status
from model.store.store import CANDIDATE, Store
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
    """Title and query of each graph and of each kind of marked event, as Grafana sends it at first."""
    written = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
    written += [(event["name"], event["expr"]) for event in dashboard["annotations"]["list"]]
    variables = {each["name"]: each.get("allValue", "coldstart") for each in dashboard["templating"]["list"]}
    for title, query in written:
        yield title, re.sub(r"\$(\w+)", lambda name: variables[name[1]], query)


MANY = 400
COMPARED = GuardStatus(
    checked_at=time.time(), members=3, outcomes=7, squared_error=0.9, squared_error_before=0.8, coverage=0.85,
    coverage_before=0.9, went_back_at=time.time() - 2 * 86400,
)  # fmt: skip
EVERY_QUERY = [
    pytest.param(query, id=f"{path.stem}-{title}-{number}")
    for path in DASHBOARDS
    for number, (title, query) in enumerate(queries(json.loads(path.read_text())))
    if title != "Alerts"  # of which a healthy service has none
]


@pytest.fixture(scope="module")
def promtool() -> str:
    return installed_tool("promtool", "prometheus")


@pytest.fixture(scope="module")
def under_traffic(small: Published, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a certificate and a candidate that has answered calls of every kind."""
    folder = tmp_path_factory.mktemp("monitored")
    models = shutil.copytree(small.models, folder / "models")
    (models / CANDIDATE).write_text(small.version + "\n")
    status = RetrainStatus(finished_at=time.time(), seconds=9, version="0" * 12, verdict="serves", gain_percent=3)
    write_status(Store(models), status)
    write_status(Store(models), COMPARED)
    cert, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "90", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    options = ["--workers", "1", "--outcomes", str(folder / "outcomes"), "--shadow-share", "1"]
    options += ["--tls-cert", str(cert), "--tls-key", str(key)]
    credentials = grpc.ssl_channel_credentials(cert.read_bytes())
    with (
        serving(models, folder / "log", *options) as plain,
        grpc.secure_channel(f"localhost:{plain.port}", credentials) as channel,
    ):
        server = dataclasses.replace(plain, stub=pb_grpc.EnjoymentServiceStub(channel))
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
def ask(under_traffic: Served, start_prometheus, eventually) -> Iterator[Callable[[str], list]]:
    """Asks a real Prometheus, with the shipped rules, that scrapes the server."""
    with start_prometheus(MONITORING / "rules.yaml", MONITORING / "alerts.yaml") as prometheus:
        prometheus.scrape(under_traffic.metrics_port)
        eventually(lambda: len(prometheus.ask("up == 1")) == 1)
        for turn in range(2):  # rates need calls between scrapes
            traffic(under_traffic, turn + 1)
            time.sleep(1)
        yield prometheus.ask


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_every_query_of_every_dashboard_returns_data(ask, eventually, query):
    eventually(lambda: any(sample["value"][1] != "NaN" for sample in ask(query)), 20)


@pytest.mark.parametrize("record", RECORDED)
def test_every_recording_rule_returns_data(ask, eventually, record):
    eventually(lambda: bool(ask(record)), 20)


def test_a_healthy_service_fires_no_alert(ask, eventually):
    eventually(lambda: bool(ask("job:coldstart_model_age_seconds:min")), 20)
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


def test_every_metric_is_on_a_dashboard_or_in_an_alert():
    shown = [query for path in DASHBOARDS for _, query in queries(json.loads(path.read_text()))]
    used = " ".join([*shown, *(alert["expr"] for alert in ALERTS)])
    used += " ".join(expression for record, expression in RECORDED.items() if re.search(rf"{record}\b", used))
    for metric in DEFINITIONS:
        assert re.search(rf"\b{metric.name}(_bucket|_count|_sum)?\b", used), metric.name


def test_every_recording_rule_is_used():
    shown = [query for path in DASHBOARDS for _, query in queries(json.loads(path.read_text()))]
    used = " ".join([*shown, *(alert["expr"] for alert in ALERTS)])
    assert [record for record in RECORDED if not re.search(rf"{record}\b", used)] == []


def test_every_graph_shows_the_installation_that_is_chosen():
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                for selector in re.findall(r"[\w:]+\{([^}]*)\}", target["expr"]):
                    assert selector.startswith('job="$job",namespace=~"$namespace"'), (panel["title"], target["expr"])


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(MONITORING)
    spec = importlib.util.spec_from_file_location("generate", MONITORING / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dashboards_link_to_each_other_and_to_the_runbooks_of_the_alerts(script):
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        assert [link["type"] for link in dashboard["links"]] == ["dashboards", "link"]
        assert dashboard["links"][0]["tags"] == dashboard["tags"]
        assert dashboard["links"][1]["url"] == script.RUNBOOKS
    assert {alert["annotations"]["runbook_url"].split("#")[0] for alert in ALERTS} == {script.RUNBOOKS}


def test_the_generated_files_are_those_that_the_script_writes(script):
    assert (MONITORING / "prometheus-rule.yaml").read_text() == script.prometheus_rule()
    assert {path.stem for path in DASHBOARDS} == set(script.DASHBOARDS)
    for path in DASHBOARDS:
        assert path.read_text() == script.text(path.stem), "run python deploy/monitoring/generate.py"


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
    (alertmanager,) = scraped["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert "127.0.0.1:9093:9093" in compose["services"]["alertmanager"]["ports"]
    assert {service["image"] for service in compose["services"].values()} == {
        "coldstart",
        "coldstart-dask",
        "prom/prometheus:v3.13.3",
        "prom/alertmanager:v0.34.2",
        "grafana/grafana:13.2.4",
    }, "releases of 2026"


def test_pages_and_tickets_go_to_receivers_of_their_own():
    settings = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text())
    route = settings["route"]
    (page,) = route["routes"]
    assert page["matchers"] == ["severity = page"]
    assert (page["receiver"], route["receiver"]) == ("page", "ticket")
    assert {each["name"] for each in settings["receivers"]} == {"page", "ticket"}
    assert {alert["labels"]["severity"] for alert in ALERTS} == {"page", "ticket"}
    (rule,) = settings["inhibit_rules"]
    (source,) = rule["source_matchers"]
    names = {alert["alert"]: alert for alert in ALERTS}
    for name in re.findall(r"Coldstart\w+", source):
        assert all(label in names[name]["expr"] for label in rule["equal"]), "an inhibition needs the labels"


def test_the_shipped_prometheus_settings_are_valid(promtool):
    subprocess.run([promtool, "check", "config", str(MONITORING / "prometheus.yaml")], check=True)
