"""A graph of a dashboard: what it shows, what is normal, and its queries."""

from dataclasses import dataclass

JOB = 'job="$job",namespace=~"$namespace"'
"""Selects the installation that is chosen above the dashboard."""
PODS = f'{JOB},pod=~"$pod"'
"""Selects its pods that are chosen."""
SERVICE = f'{PODS},grpc_service="coldstart.v1.EnjoymentService"'
POD = "{{pod}} {{instance}}"
"""Legend for a pod; without a cluster, there is only its address."""


@dataclass(frozen=True)
class Panel:
    """One graph."""

    title: str
    """What it shows."""
    meaning: str
    """What is normal, and what to do when it isn't."""
    unit: str
    """Grafana's name of the unit."""
    queries: dict[str, str]
    """PromQL by legend; `{{label}}` in a legend stands for the label's value."""
    kind: str = "timeseries"
    """Grafana's name of the kind of graph."""
    low: float | None = 0
    """Low end of the axis; None if values may be negative."""


def quantile(share: int, metric: str, selector: str, by: str = "", window: str = "5m") -> str:
    """A quantile of a histogram, in percent, for each value of a label."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share / 100}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[{window}])))"


def quantiles(metric: str, selector: str, by: str) -> dict[str, str]:
    """The median and the 99th percentile of a histogram of seconds."""
    return {f"{{{{{by}}}}} p{share}": quantile(share, metric, selector, by) for share in (50, 99)}
