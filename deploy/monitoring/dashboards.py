"""Writes the Grafana dashboards beside it from the graphs in `panels`: `python deploy/monitoring/dashboards.py`."""

import json
from pathlib import Path
from typing import Any

from panels import DRIFT_PANELS, MODEL_PANELS, QUALITY_PANELS, SERVICE_PANELS  # beside this file, where Python looks

FOLDER = Path(__file__).parent / "dashboards"
WIDTH, HEIGHT, ACROSS = 8, 8, 3
DASHBOARDS = {
    "service": ("coldstart: service", SERVICE_PANELS),
    "model": ("coldstart: model", MODEL_PANELS),
    "quality": ("coldstart: quality", QUALITY_PANELS),
    "drift": ("coldstart: drift", DRIFT_PANELS),
}


def dashboard(name: str) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    title, panels = DASHBOARDS[name]
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "uid": f"coldstart-{name}",
        "title": title,
        "tags": ["coldstart"],
        "schemaVersion": 38,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                {
                    "name": "job",
                    "type": "query",
                    "datasource": source,
                    "query": "label_values(coldstart_ready, job)",
                    "refresh": 2,
                },
            ]
        },
        "panels": [
            {
                "id": number + 1,
                "type": panel.kind,
                "title": panel.title,
                "description": panel.meaning,
                "datasource": source,
                "gridPos": {
                    "x": number % ACROSS * WIDTH,
                    "y": number // ACROSS * HEIGHT,
                    "w": WIDTH,
                    "h": HEIGHT,
                },
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                "targets": [
                    {"refId": chr(ord("A") + place), "datasource": source, "expr": query, "legendFormat": legend}
                    for place, (legend, query) in enumerate(panel.queries.items())
                ],
            }
            for number, panel in enumerate(panels)
        ],
    }


def text(name: str) -> str:
    """The content of a dashboard's file."""
    return json.dumps(dashboard(name), indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in DASHBOARDS:
        (FOLDER / f"{each}.json").write_text(text(each))
