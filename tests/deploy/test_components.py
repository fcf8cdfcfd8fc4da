"""What goes with deploy/kubernetes: monitoring, and components for TLS, tokens, Redis, traces and remote models."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from service import probe
from service.settings import Settings, variable

DEPLOY = Path(__file__).parents[2] / "deploy"
BASE, SECURE, MONITORING = DEPLOY / "kubernetes", DEPLOY / "secure", DEPLOY / "monitoring"
COMPONENTS = sorted(path.parent for path in (BASE / "components").glob("*/kustomization.yaml"))
FOREIGN = {"PodMonitor", "PrometheusRule"}
STACK_LABEL = ("release", "kube-prometheus-stack")
"""What kube-prometheus-stack selects PodMonitors and PrometheusRules by, if it is installed under its own name."""
DASHBOARD_LABEL = ("grafana_dashboard", "1")
"""What the sidecar of its Grafana selects ConfigMaps by."""
FIELDS = {
    "PodMonitor": {
        "jobLabel",
        "podMetricsEndpoints",
        "selector",
        "namespaceSelector",
        "podTargetLabels",
        "sampleLimit",
    },
    "endpoint": {"port", "path", "interval", "scrapeTimeout", "scheme", "relabelings", "metricRelabelings"},
    "PrometheusRule": {"groups"},
    "group": {"name", "interval", "limit", "rules", "labels", "query_offset", "partial_response_strategy"},
    "alert": {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"},
    "record": {"record", "expr", "labels"},
}
"""Fields of the operator's resources as its API reference documents them, those that are of use here."""


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def resource(documents: list[dict], kind: str, name: str = "coldstart") -> dict:
    (named,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return named


def container_of(documents: list[dict]) -> dict:
    (container,) = resource(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    return container


def environment_of(container: dict) -> dict[str, str | None]:
    return {each["name"]: each.get("value") for each in container["env"]}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds deploy/kubernetes with components as a cluster would get it, by kubectl's own kustomize."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is missing")
    root = tmp_path_factory.mktemp("kustomize")
    shutil.copytree(DEPLOY, root / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "deploy" / "try").mkdir()

    def built(*components: str) -> list[dict]:
        parts = [f"../kubernetes/components/{name}" for name in components]
        kustomization = {"resources": ["../kubernetes"], "components": parts}
        (root / "deploy" / "try" / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return run("try")

    def run(folder: str) -> list[dict]:
        ended = subprocess.run(
            [kubectl, "kustomize", str(root / "deploy" / folder)],
            check=True, capture_output=True, text=True, env=os.environ | {"KUBECONFIG": os.devnull},
        )  # fmt: skip
        return list(yaml.safe_load_all(ended.stdout))

    built.folder = run
    return built


def sound(documents: list[dict]) -> None:
    """Whatever is mounted, claimed and probed is there, and Kubernetes' own schemas have every field."""
    claims = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    for each in documents:
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == "coldstart", each["metadata"]
        if each["kind"] not in FOREIGN:
            kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
    pods = [resource(documents, "Deployment")["spec"]["template"]["spec"]]
    jobs = [each for each in documents if each["kind"] == "CronJob"]
    assert "coldstart-retrain" in {job["metadata"]["name"] for job in jobs}
    pods += [job["spec"]["jobTemplate"]["spec"]["template"]["spec"] for job in jobs]
    for pod in pods:
        (container,) = pod["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        mentioned = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod["volumes"]
            if "persistentVolumeClaim" in volume
        }
        assert mentioned <= claims
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert len({"grpc", "exec", "httpGet"} & set(container_of(documents)[name])) == 1
    known = {variable(name) for name in Settings.model_fields}
    given = {name for name in environment_of(container_of(documents)) if name.startswith("COLDSTART_")}
    assert given <= known


def test_what_is_applied_without_components_is_sound(build):
    sound(build())


@pytest.mark.parametrize("component", [path.name for path in COMPONENTS])
def test_every_component_is_sound(build, component):
    sound(build(component))


def test_all_components_go_together(build):
    documents = build(*(path.name for path in COMPONENTS))
    sound(documents)
    environment = environment_of(container_of(documents))
    for name in ("TLS_CERT", "TLS_KEY", "TOKENS", "MEMBERS", "TRACES", "MODELS_CACHE"):
        assert f"COLDSTART_{name}" in environment


def test_the_guard_runs_where_outcomes_are_recorded(build):
    names = [each["metadata"]["name"] for each in build() if each["kind"] == "CronJob"]
    assert names == ["coldstart-guard", "coldstart-prune", "coldstart-retrain"]
    names = [each["metadata"]["name"] for each in build("object-store") if each["kind"] == "CronJob"]
    assert names == ["coldstart-prune", "coldstart-retrain"]


def test_the_secure_overlay_has_tls_and_tokens(build):
    documents = build.folder("secure")
    sound(documents)
    environment = environment_of(container_of(documents))
    pod = resource(documents, "Deployment")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount for mount in container_of(documents)["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert {name: secret["secretName"] for name, secret in secrets.items()} == {
        "tls": "coldstart-tls",
        "tokens": "coldstart-tokens",
    }
    for name, setting in (("tls", "TLS_CERT"), ("tls", "TLS_KEY"), ("tokens", "TOKENS")):
        assert environment[f"COLDSTART_{setting}"].startswith(f"{mounts[name]['mountPath']}/")
        assert mounts[name]["readOnly"] is True
        assert "subPath" not in mounts[name], "such a file would never be renewed"
        assert secrets[name]["defaultMode"] == 0o440, "for the pod's group only"


def patches(path: Path) -> Iterator[dict]:
    for patch in read(path / "kustomization.yaml").get("patches", []):
        yield yaml.safe_load(patch["patch"])


def test_probes_over_tls_are_commands_that_the_image_has(monkeypatch, capsys):
    (patch,) = patches(BASE / "components" / "tls")
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    environment = environment_of(container)
    asked = {}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        check = container[name]
        python, m, module, *arguments = check["exec"]["command"]
        assert (python, m, module) == ("python", "-m", "service.probe")
        options = probe._parser(environment).parse_args(arguments)
        assert options.timeout_seconds < check["timeoutSeconds"]
        assert (str(options.tls_cert), str(options.tls_key)) == ("/tls/tls.crt", "/tls/tls.key")
        asked[name] = options.service
    assert asked == {"startupProbe": "", "livenessProbe": "", "readinessProbe": probe.ENJOYMENT_SERVICE}


def test_what_goes_out_is_the_name_service_and_one_port_each():
    ports = {}
    for path in COMPONENTS:
        if (path / "egress.yaml").exists():
            policy = read(path / "egress.yaml")
            kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)
            assert policy["spec"]["policyTypes"] == ["Egress"]
            dns, rule = policy["spec"]["egress"]
            assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
            assert dns["to"]
            assert rule["to"]
            (port,) = rule["ports"]
            ports[path.name] = port["port"]
    assert ports == {"object-store": 443, "redis": 6379, "traces": 4318}


def test_what_the_operator_gets_has_documented_fields_and_the_labels_that_it_selects_by():
    monitor, rule = read(MONITORING / "pod-monitor.yaml"), read(MONITORING / "prometheus-rule.yaml")
    for each in (monitor, rule):
        assert each["apiVersion"] == "monitoring.coreos.com/v1"
        assert each["spec"].keys() <= FIELDS[each["kind"]]
        assert STACK_LABEL in each["metadata"]["labels"].items()
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        assert endpoint.keys() <= FIELDS["endpoint"]
    names = [group["name"] for group in rule["spec"]["groups"]]
    assert len(set(names)) == len(names)
    for group in rule["spec"]["groups"]:
        assert group.keys() <= FIELDS["group"]
        for each in group["rules"]:
            assert each.keys() <= FIELDS["alert" if "alert" in each else "record"]


def test_the_cluster_gets_the_same_rules_and_dashboards_as_compose():
    groups = [group for name in ("rules.yaml", "alerts.yaml") for group in read(MONITORING / name)["groups"]]
    assert read(MONITORING / "prometheus-rule.yaml")["spec"]["groups"] == groups
    kustomization = read(MONITORING / "kustomization.yaml")
    assert set(kustomization["resources"]) == {"pod-monitor.yaml", "prometheus-rule.yaml"}
    (dashboards,) = kustomization["configMapGenerator"]
    assert DASHBOARD_LABEL in dashboards["options"]["labels"].items()
    files = dict(entry.split("=") for entry in dashboards["files"])
    assert set(files.values()) == {f"dashboards/{path.name}" for path in (MONITORING / "dashboards").glob("*.json")}
    assert all(name == f"coldstart-{Path(file).name}" for name, file in files.items()), "the folder is shared"
    assert sum((MONITORING / file).stat().st_size for file in files.values()) < 200_000, "kubectl applies 256 KiB"


def test_monitoring_is_part_of_what_is_applied(build):
    documents = build()
    assert {"PodMonitor", "PrometheusRule", "ConfigMap"} <= {each["kind"] for each in documents}
    assert len(resource(documents, "ConfigMap", "coldstart-dashboards")["data"]) == 6
