"""What a cluster gets: valid by Kubernetes' own schemas, safe, and with settings and names that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from model.exit_codes import ExitCode
from service.settings import Settings, variable
from service.telemetry.metric_definitions import DEFINITIONS

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
NEWEST, OLDEST = kubernetes_validate.latest_version(), "1.29.0"
MONITORING = FOLDER.parent / "monitoring"
FOREIGN = {"PodMonitor"}
"""Kinds that operators add to a cluster, which Kubernetes' own schemas don't have."""


def documents() -> Iterator[dict]:
    for path in (*sorted(FOLDER.glob("*.yaml")), MONITORING / "pod-monitor.yaml"):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


RESOURCES = list(documents())


def resource(kind: str, name: str = "coldstart") -> dict:
    (named,) = [each for each in RESOURCES if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return named


DEPLOYMENT = resource("Deployment")
JOBS = {name: resource("CronJob", f"coldstart-{name}") for name in ("retrain", "guard", "prune")}
PODS = {"service": DEPLOYMENT["spec"]["template"]}
PODS |= {name: job["spec"]["jobTemplate"]["spec"]["template"] for name, job in JOBS.items()}


def label(resource: dict) -> str:
    return f"{resource['kind']}-{resource['metadata']['name']}"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("resource", [each for each in RESOURCES if each["kind"] not in FOREIGN], ids=label)
def test_every_resource_is_valid_by_the_schema_without_a_field_too_much(resource, version):
    kubernetes_validate.validate(resource, version, strict=True)


def test_every_file_is_part_of_the_kustomization():
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files | {"../monitoring"}
    assert yaml.safe_load((MONITORING / "kustomization.yaml").read_text())["namespace"] == KUSTOMIZATION["namespace"]


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_every_pod_runs_without_rights_on_a_root_that_it_can_not_write(pod):
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == set(container["resources"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_no_service_of_the_cluster_is_taken_for_a_setting(pod):
    assert pod["spec"]["enableServiceLinks"] is False, "a service called coldstart would set COLDSTART_PORT"


@pytest.mark.parametrize(("volume", "writers"), [("models", {"retrain", "guard", "prune"}), ("outcomes", {"service"})])
def test_jobs_write_models_where_the_service_reads_them_and_read_what_it_records(volume, writers):
    for name, pod in PODS.items():
        if (name, volume) == ("prune", "outcomes"):
            continue
        (claim,) = [each for each in pod["spec"]["volumes"] if each["name"] == volume]
        assert claim["persistentVolumeClaim"]["claimName"] == volume
        (mount,) = [each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["name"] == volume]
        assert mount.get("readOnly", False) is (name not in writers)


def test_every_setting_given_to_the_service_is_one_that_it_has():
    known = {variable(name) for name in Settings.model_fields}
    given = {variable["name"] for variable in PODS["service"]["spec"]["containers"][0]["env"]}
    assert {name for name in given if name.startswith("COLDSTART_")} <= known


def test_a_pod_is_given_the_time_that_a_stop_takes():
    environment = {variable["name"]: variable["value"] for variable in PODS["service"]["spec"]["containers"][0]["env"]}
    drain = float(environment["COLDSTART_DRAIN_SECONDS"])
    grace = float(environment.get("COLDSTART_GRACE_SECONDS", Settings(models="m").grace_seconds))
    assert PODS["service"]["spec"]["terminationGracePeriodSeconds"] >= drain + grace + 5


def test_probes_ask_the_health_service_that_the_server_has():
    container, settings = PODS["service"]["spec"]["containers"][0], Settings(models="m")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": settings.port, "metrics": settings.metrics_port}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[name]["grpc"]["port"] == ports["grpc"]
    proto = (FOLDER.parents[1] / "protos/coldstart/v1/enjoyment_service.proto").read_text()
    package, service = re.search(r"^package (.+);", proto, re.M)[1], re.search(r"^service (\w+)", proto, re.M)[1]
    assert container["readinessProbe"]["grpc"]["service"] == f"{package}.{service}"
    assert "service" not in container["livenessProbe"]["grpc"], "a pod without a model isn't dead"


def test_whatever_selects_pods_finds_those_of_the_deployment():
    labels = PODS["service"]["metadata"]["labels"]
    selectors = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        resource("Service")["spec"]["selector"],
        resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        resource("PodMonitor")["spec"]["selector"]["matchLabels"],
        resource("NetworkPolicy", "coldstart-service")["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
    for name in JOBS:
        job, policy = PODS[name]["metadata"]["labels"], resource("NetworkPolicy", f"coldstart-{name}")["spec"]
        assert policy["podSelector"]["matchLabels"].items() <= job.items()
        assert (policy["ingress"], policy["egress"]) == ([], [])
        assert not selectors[0].items() <= job.items(), "the service's selectors must not find the job"
    assert resource("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]


def test_only_named_ports_are_open_and_nothing_goes_out():
    policy = resource("NetworkPolicy", "coldstart-service")["spec"]
    assert policy["egress"] == []
    assert [rule["ports"][0]["port"] for rule in policy["ingress"]] == ["grpc", "metrics"]
    (endpoint,) = resource("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "metrics"


def test_old_versions_are_removed_by_count_and_age_also_where_no_retrain_ends():
    arguments = PODS["prune"]["spec"]["containers"][0]["args"]
    assert arguments[:2] == ["models", "prune"]
    assert {"--keep", "--keep-days"} <= set(arguments)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_runs_the_command_line_as_it_is(name):
    from training.__main__ import main  # only this test needs the job

    container = PODS[name]["spec"]["containers"][0]
    assert container["command"] == ["python", "-m", "training"]
    with pytest.raises(SystemExit) as ended:
        main([*container["args"], "--help"])
    assert ended.value.code == 0


def test_what_can_not_get_better_is_not_tried_again_and_a_version_held_back_is_no_failed_job():
    container = PODS["retrain"]["spec"]["containers"][0]
    assert "--exit-zero-if-held-back" in container["args"]
    (rule,) = JOBS["retrain"]["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [ExitCode.REFUSED]}


def test_the_autoscaler_looks_at_a_gauge_that_the_service_has():
    (metric,) = resource("HorizontalPodAutoscaler")["spec"]["metrics"]
    kinds = {metric.name: metric.kind for metric in DEFINITIONS}
    assert kinds[metric["pods"]["metric"]["name"]] == "gauge (sum)"
