"""How often the guard takes back versions that are as good as the one before, and how soon those that are worse.

Versions are simulated: errors of the ratings, of the movie, of the member and of each version, with ratings in whole
stars and several ratings of a member. The guard looks after every member. Prints one JSON object.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import Scale
from training.versions.guard.guard_settings import GuardSettings
from training.versions.guard.judgement import Replay, VersionPredictions, judge

Array = NDArray[np.float64]
SCALE = Scale(1.0, 5.0, 4.0)
RATING_DEVIATION, MEMBER_DEVIATION, TASTE_DEVIATION = 0.85, 0.35, 0.51
"""Standard deviations of ratings of the same movie by the same member, of what no version knows of a member, and of
predictions for a member, in stars."""
VERSION_DEVIATION = 0.055
"""Standard deviation of what depends on the seed in a version's predictions. On MovieLens 100K, predictions of two
versions that differ in the seed differ by 0.078, half of it (in variance) by the same for all movies of a member."""
INTERVAL_DEVIATIONS = 1.6449
RATINGS_A_MEMBER = 2.0
CHOICE = 20
"""Number of movies of which members are shown the best by the current version, in the last kind."""


@dataclass(frozen=True)
class Kind:
    """How a simulated current version differs from the one before."""

    more_error_percent: float = 0.0
    """Percentage by which its mean squared error is larger."""
    less_coverage: float = 0.0
    """Share of ratings by which its intervals cover less."""
    chosen: bool = False
    """Whether members rate only movies that the current version ranks first."""


KINDS = {
    "as good": Kind(),
    "as good, and members rate what it recommends": Kind(chosen=True),
    "3 % more squared error": Kind(more_error_percent=3.0),
    "10 % more squared error": Kind(more_error_percent=10.0),
    "5 points less coverage": Kind(less_coverage=0.05),
}


def simulated(kind: Kind, members: int, chance: np.random.Generator) -> Replay:
    """Ratings of so many members, predicted by a version and by the one before."""
    counts = np.minimum(chance.geometric(1 / RATINGS_A_MEMBER, members), 10)
    member = np.repeat(np.arange(members), counts)
    shape = (len(member), CHOICE if kind.chosen else 1)
    unexplained = RATING_DEVIATION**2 + MEMBER_DEVIATION**2
    before = VERSION_DEVIATION * _noise(member, shape, chance)
    more = kind.more_error_percent / 100 * (unexplained + VERSION_DEVIATION**2)
    current = np.sqrt(VERSION_DEVIATION**2 + more) * _noise(member, shape, chance)
    expected = 3.5 + TASTE_DEVIATION * chance.normal(size=shape)
    shown = np.argmax(expected + current, axis=1)
    expected, before, current = (
        np.take_along_axis(each, shown[:, None], 1)[:, 0] for each in (expected, before, current)
    )
    noise = MEMBER_DEVIATION * chance.normal(size=members)[member] + RATING_DEVIATION * chance.normal(size=len(member))
    rating = SCALE.cut(np.rint(expected + noise))
    half = INTERVAL_DEVIATIONS * np.sqrt(unexplained + 1 / 12)
    narrow = half * (1 - 2.3 * kind.less_coverage)
    return Replay(
        member, rating, _version(SCALE.cut(expected + current), narrow), _version(SCALE.cut(expected + before), half)
    )


def _noise(member: NDArray[np.int64], shape: tuple[int, int], chance: np.random.Generator) -> Array:
    """Standard normal noise, of which half is the same for all ratings of a member."""
    own = chance.normal(size=(member.max() + 1, 1))[member]
    return np.sqrt(0.5) * own + np.sqrt(0.5) * chance.normal(size=shape)


def _version(rating: Array, half: float) -> VersionPredictions:
    return VersionPredictions(rating, rating - half, rating + half)


def measured(kind: Kind, simulations: int, members: int, seed: int) -> dict[str, Any]:
    """How many simulated versions of a kind were taken back, and after how many ratings."""
    settings = GuardSettings()
    outcomes, errors, coverage = [], [], []
    for number in range(simulations):
        replay = simulated(kind, members, np.random.default_rng((seed, number)))
        judgement = judge(replay, SCALE, settings)
        if judgement.is_worse:
            outcomes.append(judgement.outcomes)
        current, before = (np.mean((each.rating - replay.rating) ** 2) for each in (replay.current, replay.before))
        errors.append(100 * (current / before - 1))
        coverage.append(
            np.mean(np.abs(replay.current.rating - replay.rating) <= replay.current.upper - replay.current.rating)
        )
    report: dict[str, Any] = {
        "simulations": simulations, "most_members": members, "taken_back": len(outcomes),
        "share_taken_back": len(outcomes) / simulations,
        "more_squared_error_percent": round(float(np.mean(errors)), 2), "coverage": round(float(np.mean(coverage)), 4),
    }  # fmt: skip
    if outcomes:
        report["outcomes_until_taken_back"] = {
            name: int(np.percentile(outcomes, percent)) for name, percent in (("p5", 5), ("median", 50), ("p95", 95))
        }
    return report


def main() -> int:
    """Print, as JSON, what became of the simulated versions of each kind; 1 if too many or too few were taken back."""
    parser = argparse.ArgumentParser("python -m benchmarks.guard", description=__doc__)
    parser.add_argument(
        "--good", type=int, default=1000, help="simulations of each kind that is as good (default 1000)"
    )
    parser.add_argument("--worse", type=int, default=200, help="simulations of each kind that is worse (default 200)")
    parser.add_argument("--members", type=int, default=20_000, help="members who rate (default 20000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulations (default 0)")
    arguments = parser.parse_args()
    report = {}
    for name, kind in KINDS.items():
        good = kind.more_error_percent == kind.less_coverage == 0
        report[name] = measured(kind, arguments.good if good else arguments.worse, arguments.members, arguments.seed)
        print(f"{name}: {report[name]}", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))
    shares = {name: outcome["share_taken_back"] for name, outcome in report.items()}
    return int(any(share > 0.01 if name.startswith("as good") else share < 0.95 for name, share in shares.items()))


if __name__ == "__main__":
    sys.exit(main())
