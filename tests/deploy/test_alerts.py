"""The shipped rules: each alert fires and stays silent where it should, with the labels that the manifests give."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from service.telemetry.metric_definitions import DEFINITIONS
from tests.conftest import installed_tool

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
KUBERNETES = ROOT / "deploy" / "kubernetes"
RULES = ("rules.yaml", "alerts.yaml")
ALERTS = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
RECORDED = [
    rule["expr"]
    for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
RULE_TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
RUNBOOKS = "https://docs.example.com/coldstart/operations.md"
FRUGAL = os.environ | {"GOGC": "400"}
"""Go collects its garbage less often."""
LABELS = {definition.name: set(definition.labels) for definition in DEFINITIONS} | {"up": set()}


def kubernetes(name: str) -> dict:
    return yaml.safe_load((KUBERNETES / name).read_text())


def labels_by_operator() -> dict[str, str]:
    """Patterns of the labels that the Prometheus operator gives to a target of the PodMonitor.

    As documented for PodMonitor: the job is NAMESPACE/NAME, or else the value of the pod's label `jobLabel`.
    """
    monitor = yaml.safe_load((MONITORING / "pod-monitor.yaml").read_text())
    pod = kubernetes("deployment.yaml")["spec"]["template"]
    labels, name = pod["metadata"]["labels"], kubernetes("deployment.yaml")["metadata"]["name"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    namespace = kubernetes("kustomization.yaml")["namespace"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    ((container, port),) = [
        (container["name"], port["containerPort"])
        for container in pod["spec"]["containers"]
        for port in container["ports"]
        if port["name"] == endpoint["port"]
    ]
    return {
        "job": labels.get(monitor["spec"].get("jobLabel"), f"{namespace}/{monitor['metadata']['name']}"),
        "namespace": rf"{namespace}|staging",
        "pod": rf"{name}-\w+",
        "container": container,
        "endpoint": endpoint["port"],
        "instance": rf"[\d.]+:{port}",
    }


def labels_of_compose() -> dict[str, str]:
    """Patterns of the labels that the shipped prometheus.yaml gives to a target."""
    (scraped,) = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())["scrape_configs"]
    (targets,) = scraped["static_configs"]
    (target,) = targets["targets"]
    return {"job": scraped["job_name"], "instance": rf"\S+:{target.split(':')[1]}"}


def read_tests(path: Path) -> dict:
    """A file of promtool's tests, every value as its text, as promtool reads it: 0x20 is no number there."""
    return yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506 # makes nothing but text


def parsed(series: str) -> tuple[str, dict[str, str]]:
    """The metric and the labels of a series."""
    return series.split("{")[0], dict(re.findall(r'(\w+)="([^"]*)"', series))


def without_pods(rule_tests: dict) -> dict:
    """The same courses of events where Prometheus scrapes addresses and knows no namespaces and pods."""
    dropped = set(labels_by_operator()) - set(labels_of_compose())

    def kept(labels: dict) -> dict:
        return {label: value for label, value in labels.items() if label not in dropped}

    def elsewhere(labels: dict) -> bool:
        return labels.get("job") == "coldstart" and labels.get("namespace", "coldstart") != "coldstart"

    for test in rule_tests["tests"]:
        address, series = {}, []
        for each in test["input_series"]:
            metric, labels = parsed(each["series"])
            address[labels["pod"]] = labels["instance"]
            if not elsewhere(labels):
                text = ",".join(f'{label}="{value}"' for label, value in kept(labels).items())
                series.append({"series": f"{metric}{{{text}}}", "values": each["values"]})
        test["input_series"] = series
        for check in test["alert_rule_test"]:
            check["exp_alerts"] = [each for each in check["exp_alerts"] if not elsewhere(each["exp_labels"])]
            for alert in check["exp_alerts"]:
                alert["exp_labels"] = kept(alert["exp_labels"])
                summary = alert["exp_annotations"]["summary"]
                for pod, instance in address.items():
                    summary = re.sub(rf"\b{pod}\b", instance, summary)
                alert["exp_annotations"]["summary"] = summary
    return rule_tests


def only_for(alerts: set[str], name: str) -> dict:
    """A file of the shipped rules, of which only these alerts and what they look at are left."""
    looked_at = " ".join(alert["expr"] for alert in ALERTS if alert["alert"] in alerts)
    rules = yaml.safe_load((MONITORING / name).read_text())
    for group in rules["groups"]:
        group["rules"] = [
            rule
            for rule in group["rules"]
            if rule.get("alert") in alerts or re.search(rf"{rule.get('record', 'no record')}\b", looked_at)
        ]
    return rules


@pytest.fixture(scope="module")
def promtool() -> str:
    return installed_tool("promtool", "prometheus")


@pytest.fixture(scope="module")
def passes(promtool: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        ended = subprocess.run(
            [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False, env=FRUGAL
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    return run


@pytest.mark.parametrize("name", RULES)
def test_the_shipped_rules_are_valid(promtool, name):
    subprocess.run([promtool, "check", "rules", "--lint-fatal", str(MONITORING / name)], check=True)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_scraped_in_a_cluster(passes, path):
    passes(path)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_scraped_with_compose(passes, path, tmp_path):
    tests = without_pods(read_tests(path))
    checked = {check["alertname"] for test in tests["tests"] for check in test["alert_rule_test"]}
    for name in RULES:  # the whole rules take three times as long, and are read as scraped in a cluster
        (tmp_path / name).write_text(yaml.safe_dump(only_for(checked, name), width=10_000))
    tests["rule_files"] = list(RULES)
    file = tmp_path / f"tests of {path.name}"
    file.write_text(yaml.safe_dump(tests, width=10_000))
    passes(file)


def series_of_tests() -> Iterator[tuple[str, dict[str, str]]]:
    for path in RULE_TESTS:
        for test in read_tests(path)["tests"]:
            yield from (parsed(each["series"]) for each in test["input_series"])


def test_the_series_of_the_tests_have_the_labels_that_the_manifests_give():
    patterns = labels_by_operator()
    for metric, labels in series_of_tests():
        assert patterns.keys() <= labels.keys(), labels
        if labels["job"] != "another":
            for label, pattern in patterns.items():
                assert re.fullmatch(pattern, labels[label]), (metric, label, labels[label])
        base = next(name for name in (metric, re.sub("_(bucket|count|sum)$", "", metric)) if name in LABELS)
        assert labels.keys() - patterns.keys() - {"le"} <= LABELS[base], (metric, labels)


@pytest.mark.parametrize("patterns", [labels_by_operator(), labels_of_compose()], ids=["operator", "compose"])
def test_every_selector_of_a_job_finds_the_one_that_is_scraped(patterns):
    expressions = [alert["expr"] for alert in ALERTS] + RECORDED
    selectors = [pair for text in expressions for pair in re.findall(r'\bjob(=~|!~|!=|=)"([^"]*)"', text)]
    assert selectors
    assert set(selectors) == {("=", patterns["job"])}


def test_installations_in_different_namespaces_are_never_added_up():
    for expression in [alert["expr"] for alert in ALERTS] + RECORDED:
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            assert {"namespace", "job"} <= set(labels.split(", ")), expression
        assert not re.search(r"\b(sum|max|min|avg|count|group) ?\((?! ?by)", expression), expression


def test_every_alert_has_a_test_that_fires_it_and_one_that_does_not():
    tests = [test for path in RULE_TESTS for test in read_tests(path)["tests"]]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    for alert in ALERTS:
        own = [check["exp_alerts"] for check in checks if check["alertname"] == alert["alert"]]
        assert any(own), f"{alert['alert']} is never fired"
        assert not all(own), f"{alert['alert']} is never seen to stay silent"


def test_every_alert_has_a_runbook_and_a_severity():
    headings = re.findall(r"^#+ (Coldstart\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert headings == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["runbook_url"] == f"{RUNBOOKS}#{alert['alert'].lower()}"
