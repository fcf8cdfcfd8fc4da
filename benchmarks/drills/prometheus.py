"""A real Prometheus with the shipped rules, in which a minute is a second."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
DURATION = re.compile(r"(?<=\[)\d+[mhd](?=\])|(?<=offset )\d+[mhd]|(?<=for: )\d+[mhd]")
"""Windows, offsets and waits of rules, but no thresholds."""
SECONDS = {"m": 1, "h": 60, "d": 1440}
START_SECONDS, STOP_SECONDS = 60, 30


def hastened(rules: str, minute_seconds: float = 1) -> str:
    """The rules with every minute of a window or a wait made so many seconds, but none of them shorter than five."""

    def shortened(duration: re.Match[str]) -> str:
        seconds = max(int(duration[0][:-1]) * SECONDS[duration[0][-1]] * minute_seconds, 5)
        return f"{seconds:.0f}s" if seconds == int(seconds) else f"{1000 * seconds:.0f}ms"

    return DURATION.sub(shortened, rules)


class Prometheus:
    """Answers queries."""

    def __init__(self, port: int) -> None:
        self._port = port

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now; nothing before it is up."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                samples: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return samples
        except OSError:
            return []

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        return {sample["metric"]["alertname"] for sample in self.query('ALERTS{alertstate="firing"}')}


@contextmanager
def prometheus(folder: Path, metrics_port: int) -> Iterator[Prometheus]:
    """Prometheus scraping the port every second while the block runs; raises RuntimeError where there is none."""
    program = shutil.which("prometheus")
    if program is None:
        raise RuntimeError("prometheus is missing: on Debian, apt-get install prometheus")
    for name in ("rules.yaml", "alerts.yaml"):
        (folder / name).write_text(hastened((MONITORING / name).read_text()))
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml", "alerts.yaml"],
        "scrape_configs": [{"job_name": "coldstart", "static_configs": [{"targets": [f"127.0.0.1:{metrics_port}"]}]}],
    }
    (folder / "prometheus.yaml").write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data")
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [program, *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        asked = Prometheus(port)
        end = time.monotonic() + START_SECONDS
        while not asked.query("up == 1"):
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError((folder / "prometheus.log").read_text()[-2000:])
            time.sleep(0.2)
        yield asked
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
