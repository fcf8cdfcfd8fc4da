"""Writes the generated files beside it: `python deploy/monitoring/generate.py`.

Grafana's dashboards come from the graphs in `panels`, a cluster's PrometheusRule from rules.yaml and alerts.yaml.
"""

import json
from pathlib import Path
from typing import Any

from panels.drift_panels import DRIFT_PANELS  # beside this file, where Python looks
from panels.jobs_panels import JOBS_PANELS
from panels.model_panels import MODEL_PANELS
from panels.panel import JOB, PODS, Panel
from panels.pods_panels import PODS_PANELS
from panels.quality_panels import QUALITY_PANELS
from panels.service_panels import SERVICE_PANELS

HERE = Path(__file__).parent
FOLDER = HERE / "dashboards"
WIDTH, HEIGHT, ACROSS = 8, 8, 3
DASHBOARDS = {
    "service": ("coldstart: service", SERVICE_PANELS),
    "pods": ("coldstart: pods", PODS_PANELS),
    "model": ("coldstart: model", MODEL_PANELS),
    "quality": ("coldstart: quality", QUALITY_PANELS),
    "jobs": ("coldstart: jobs", JOBS_PANELS),
    "drift": ("coldstart: drift", DRIFT_PANELS),
}


RUNBOOKS = "https://docs.example.com/coldstart/operations.md"
"""Address of docs/operations.md, as in alerts.yaml."""
SOURCE = {"type": "prometheus", "uid": "${source}"}
ALL_VALUES = {"includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
"""Makes a variable begin with all values, and with those that have none, as without a cluster."""
SERVED = f'coldstart_model_info{{{PODS},model="current"}}'
EVENTS = {
    "New versions": (
        "blue",
        "{{version}} serves",
        f"group by (version) ({SERVED}) unless group by (version) ({SERVED} offset 5m)",
    ),
    "Alerts": ("red", "{{alertname}}", f'ALERTS{{alertname=~"Coldstart.*",alertstate="firing",{JOB}}}'),
}
"""Color, text and query of each kind of event that is marked in all graphs."""


def dashboard(name: str) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"coldstart-{name}",
        "title": title,
        "tags": ["coldstart"],
        "schemaVersion": 38,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": [annotation(event, *EVENTS[event]) for event in EVENTS]},
        "links": [
            {"type": "dashboards", "tags": ["coldstart"], "title": "coldstart", "includeVars": True, "keepTime": True},
            {"type": "link", "title": "Runbooks", "url": RUNBOOKS, "targetBlank": True},
        ],
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                variable("job", "label_values(coldstart_ready, job)"),
                variable("namespace", 'label_values(coldstart_ready{job="$job"}, namespace)') | ALL_VALUES,
                variable("pod", f"label_values(coldstart_ready{{{JOB}}}, pod)") | ALL_VALUES | {"multi": True},
            ]
        },
        "panels": [graph(panel, number) for number, panel in enumerate(panels)],
    }


def annotation(name: str, color: str, words: str, query: str) -> dict[str, Any]:
    """Marks in all graphs when something happened."""
    shown = {"name": name, "enable": True, "iconColor": color, "titleFormat": words}
    return shown | {"datasource": SOURCE, "expr": query, "step": "60s"}


def variable(name: str, query: str) -> dict[str, Any]:
    """What can be chosen above a dashboard."""
    return {"name": name, "type": "query", "datasource": SOURCE, "query": query, "refresh": 2}


def graph(panel: Panel, number: int) -> dict[str, Any]:
    """A graph in its place, the first at the top left."""
    axis = {"unit": panel.unit} | ({} if panel.low is None else {"min": panel.low})
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": SOURCE,
        "gridPos": {"x": number % ACROSS * WIDTH, "y": number // ACROSS * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": axis, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


PROMETHEUS_RULE = """\
# Written by generate.py from rules.yaml and alerts.yaml. `release` is what kube-prometheus-stack selects by.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: coldstart
  labels:
    release: kube-prometheus-stack
spec:
  groups:
"""


def prometheus_rule() -> str:
    """The content of prometheus-rule.yaml: the groups of both files of rules."""
    texts = [(HERE / name).read_text() for name in ("rules.yaml", "alerts.yaml")]
    lines = [line for text in texts for line in text.split("groups:\n", 1)[1].splitlines()]
    return PROMETHEUS_RULE + "".join(f"  {line}\n" for line in lines)


def text(name: str) -> str:
    """The content of a dashboard's file."""
    return json.dumps(dashboard(name), indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in DASHBOARDS:
        (FOLDER / f"{each}.json").write_text(text(each))
    (HERE / "prometheus-rule.yaml").write_text(prometheus_rule())
