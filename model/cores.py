"""The number of CPU cores that this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Return the number of CPU cores that this process may use.

    The number is the size of the process's CPU affinity mask, but at most the CPU limit of the container, rounded up.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = _limit(cgroup)
    return cores if limit is None else max(1, min(cores, math.ceil(limit)))


def _limit(cgroup: Path) -> float | None:
    """Return the CPU limit in cores, from cgroup version 2 or 1; None if there is no limit."""
    for quota_and_period in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroup / name).read_text(encoding="ascii") for name in quota_and_period).split()
            if float(quota) > 0:
                return float(quota) / float(period)
        except (OSError, ValueError):  # the file is missing, or the quota is "max": no limit
            continue
    return None
