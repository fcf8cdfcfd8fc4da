"""Contenders under full load, one after the other and round after round, so that other work harms all alike."""

import sys
from collections.abc import Sequence

from benchmarks.speed.contenders import Contender
from benchmarks.speed.h2load import SATURATED, calls_a_second
from benchmarks.speed.processor import processor_seconds

WARM_UP_SECONDS = 0.5


def take_turns(
    contenders: Sequence[Contender], load: list[str], rounds: int, seconds: float
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Calls a second, and microseconds of processor time a call, of each contender in each round, by name."""
    rates: dict[str, list[float]] = {each.name: [] for each in contenders}
    costs: dict[str, list[float]] = {each.name: [] for each in contenders}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for each in contenders:
            before = processor_seconds(each.process)
            rate = calls_a_second(load, each.port, each.method, each.message, SATURATED, seconds)
            used = processor_seconds(each.process) - before
            rates[each.name].append(rate)
            costs[each.name].append(used / (rate * (seconds + WARM_UP_SECONDS)) * 1e6)
    return rates, costs
