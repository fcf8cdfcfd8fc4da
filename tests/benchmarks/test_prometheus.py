"""The drill of the alerts runs the shipped rules, sixty times as fast."""

import re
import subprocess

import yaml

from benchmarks.drills.prometheus import MONITORING, hastened
from benchmarks.series import measure
from tests.conftest import installed_tool


def test_windows_and_waits_are_shortened_and_thresholds_are_not(tmp_path):
    promtool = installed_tool("promtool", "prometheus")
    for name in ("rules.yaml", "alerts.yaml"):
        shipped = (MONITORING / name).read_text()
        fast = hastened(shipped)
        assert not re.search(r"\[\d+[mhd]\]|offset \d+[mhd]|for: \d+[mhd]", fast)
        (tmp_path / name).write_text(fast)
        subprocess.run([promtool, "check", "rules", str(tmp_path / name)], check=True, capture_output=True)
        counts = [sum(len(group["rules"]) for group in yaml.safe_load(text)["groups"]) for text in (shipped, fast)]
        assert counts[0] == counts[1]
    assert hastened("for: 30m [1d] offset 6h [1m] > 26 * 3600") == "for: 30s [1440s] offset 360s [5s] > 26 * 3600"


def test_hostile_requests_add_no_series(small):
    seen = measure(small.models, requests=300, seed=1, workers=1)
    assert seen["series_added"] == []
    assert seen["metrics_bytes"] < 200_000
    assert seen["scrape_milliseconds"]["median"] < 500, "15 on a quiet machine"
