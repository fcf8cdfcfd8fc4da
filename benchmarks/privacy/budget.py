"""What differential privacy of members would cost in accuracy, by epsilon and number of members: a lab, no mode.

A small model is fitted with and without noise, and asked about members who never rate: half of their plays and their
attributes are known, and the ratings of the other half are predicted. Neighbouring tables differ in one member with all
that is known of the member. All releases together are (epsilon, delta)-private.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.privacy.lab.accountant import Releases, mu_of
from benchmarks.privacy.lab.private_attack import attacked
from benchmarks.privacy.lab.private_model import (
    BASE,
    PRIVATE,
    SHARES,
    STAGES,
    UNBOUNDED,
    Part,
    PrivateModel,
    bin_of,
    fit_private,
    parts_of,
)
from benchmarks.privacy.lab.worlds import World, made_up_world, movielens_world
from benchmarks.privacy.trainings import MOVIELENS, say

EPSILONS = (float("inf"), 8.0, 4.0, 2.0)
DELTA = 1e-5
PYTHON = Path(__file__).parents[2] / ".venv-accounting" / "bin" / "python"
"""The environment of dp-accounting; `make accounting` installs it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `budget`."""
    parser.add_argument("--data", type=Path, default=MOVIELENS, help="an unpacked MovieLens release")
    parser.add_argument(
        "--worlds", type=int, nargs="*", default=[50_000, 500_000],
        help="numbers of members of made-up worlds (default 50000 500000)",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=3, help="splits and draws of noise on MovieLens (default 3)")
    parser.add_argument("--epsilons", type=float, nargs="+", default=EPSILONS, help="default inf 8 4 2")
    parser.add_argument(
        "--attack",
        type=int,
        default=0,
        metavar="SHADOWS",
        help="attack the models of MovieLens too, by so many of each",
    )
    parser.add_argument("--seed", type=int, default=0, help="of worlds, splits and noise (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Fit and print the figures as JSON; MovieLens is left out where it isn't."""
    report: dict[str, Any] = {"delta": DELTA, "shares": SHARES, "worlds": {}}
    if PYTHON.exists():
        finite = [epsilon for epsilon in arguments.epsilons if np.isfinite(epsilon)]
        report["epsilon_by_dp_accounting"] = {f"{epsilon:g}": by_dp_accounting(epsilon) for epsilon in finite}
    if arguments.data.exists():
        repeats = [
            of_world(movielens_world(arguments.data, arguments.seed + number), arguments.epsilons, number)
            for number in range(arguments.repeats)
        ]
        report["worlds"]["MovieLens"] = {name: _mean([row[name] for row in repeats]) for name in repeats[0]}
        if arguments.attack:
            world = movielens_world(arguments.data, arguments.seed)
            report["attack"] = {
                f"{epsilon:g}": attacked(world, epsilon, DELTA, arguments.attack, arguments.seed)
                for epsilon in arguments.epsilons
            }
    for members in arguments.worlds:
        report["worlds"][f"made up, {members}"] = of_world(
            made_up_world(members, arguments.seed), arguments.epsilons, arguments.seed
        )
    print(json.dumps(report, indent=1))
    return 0


def by_dp_accounting(epsilon: float) -> float:
    """Return what dp-accounting takes for the epsilon of all releases."""
    noise = Releases(mu_of(epsilon, DELTA), SHARES, np.random.default_rng(0)).multipliers().values()
    script = Path(__file__).parent / "lab" / "with_dp_accounting.py"
    command = [str(PYTHON), str(script), "--delta", str(DELTA), "--noise", *map(str, noise)]
    return round(float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout), 4)


def of_world(world: World, epsilons: list[float], seed: int) -> dict[str, dict[str, float]]:
    """Return the scores of models of one world by epsilon."""
    tested = parts_of(world, tested=True)
    scores = {}
    for epsilon in epsilons:
        started = time.monotonic()
        private = np.isfinite(epsilon)
        mu = mu_of(epsilon, DELTA) if private else float("inf")
        learned = parts_of(world, tested=False, bounds=PRIVATE if private else UNBOUNDED)
        releases = Releases(mu, SHARES, np.random.default_rng([seed, 40, int(min(epsilon, 1000) * 10)]))
        scores[f"{epsilon:g}"] = scored(fit_private(world, learned, releases), tested)
        say(f"{len(world.tested)} members, epsilon {epsilon:g}: {time.monotonic() - started:.1f} s")
    return scores


def scored(model: PrivateModel, parts: list[Part]) -> dict[str, float]:
    """Return the RMSE after each stage of the model, and coverage and width of its intervals."""
    truth = np.concatenate([part.rated.data for part in parts]) + BASE
    scores = {}
    for stage in STAGES:
        rating = np.clip(np.concatenate([model.predict(part, stage) for part in parts]) + BASE, 1, 5)
        scores[stage] = round(float(np.sqrt(np.mean((rating - truth) ** 2))), 4)
    low, high = model.intervals[bin_of(rating - BASE)].T
    scores["coverage"] = round(float(np.mean((truth >= low - 1e-6) & (truth <= high + 1e-6))), 4)
    scores["width"] = round(float(np.mean(high - low)), 3)
    return scores


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}
