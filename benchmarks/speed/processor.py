"""Processor time of a process and its children, which is steadier than a clock on a shared machine."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
USER, SYSTEM = 11, 12
"""Places in /proc/PID/stat after the command's name."""


def processor_seconds(process: int) -> float:
    """Seconds of processor time so far, of the process with this id and of all that it started and that still run."""
    return sum(_own_seconds(member) for member in family(process))


def family(process: int) -> list[int]:
    """Return the ids of the process and of all that it started and that still run."""
    members = [process]
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            members += family(int(child))
    return members


def _own_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[USER]) + int(fields[SYSTEM])) / TICKS
