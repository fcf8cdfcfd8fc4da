"""Membership inference by likelihood ratio, by kind of evidence and by number of ratings, beside a positive control.

Each shadow model is trained on a random half of the members. The attacker knows a target's attributes, plays and
ratings and may ask a model anything; it has all other models to learn from. Three statistics are measured of each
target at each model: the error of the predictions of the target's ratings, how far these are shifted towards the
ratings, and how unusual the model takes the target to be (extrapolation). A target's score is the sum of the three log
likelihood ratios.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.privacy.likelihood_ratio import directed_shift, log_likelihood_ratios, memberships, success
from benchmarks.privacy.questions_of_targets import IN_SAMPLE, KINDS, Asking, Targets
from benchmarks.privacy.trainings import (
    MOVIELENS,
    add_views_per_landmark,
    movielens_tables,
    say,
    some_members,
    trained,
    with_landmarks_of,
)
from features.movies import PRIOR_RATINGS
from training.data.reading.tables import Tables

Array = NDArray[np.float64]
Answers = dict[str, dict[str, Array]]

CONTROL, CONTROL_AUC = "plays and attributes", 0.95
"""Kind of evidence of the control for targets outside of the training data, and the AUC that the control must reach."""
FEWEST_MODELS = 4
RATING_BINS = (0, 50, 100, 200)
"""Lower ends of the groups of targets by number of ratings."""
NAMES = ("rating", "prior", "extrapolation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `attack`."""
    parser.add_argument("--data", type=Path, default=MOVIELENS, help="an unpacked MovieLens release")
    parser.add_argument("--members", type=int, help="only so many members, drawn at random (default all)")
    parser.add_argument("--shadows", type=int, default=16, help="models to train, an even number (default 16)")
    parser.add_argument(
        "--minutes", type=float, default=25, help="begin no further two models after so long (default 25)"
    )
    parser.add_argument("--targets", type=int, default=1000, help="members to attack (default 1000)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="what is shown (default all)")
    add_views_per_landmark(parser)
    parser.add_argument("--seed", type=int, default=0, help="of members, halves and models (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Attack and print the figures as JSON; 1 if the control fails."""
    if not arguments.data.exists():
        print(json.dumps({"skipped": f"{arguments.data.name} isn't beside the project"}))
        return 0
    started = time.monotonic()
    with movielens_tables(arguments.data) as tables:
        report = attack(some_members(tables, arguments.members, arguments.seed), arguments)
    report["seconds"] = round(time.monotonic() - started)
    print(json.dumps(report, indent=1))
    return int(report["control"]["auc"][0] < CONTROL_AUC)


def attack(tables: Tables, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train the shadow models, ask all of them about all targets, and score the attacks."""
    random = np.random.default_rng([arguments.seed, 21])
    raters = tables.play_table.raters
    targets = Targets.drawn(tables, arguments.targets, random)
    everyone = memberships(arguments.shadows, len(raters), random)
    member = everyone[:, np.searchsorted(raters, targets.members)]
    answers: list[Answers] = []
    end = time.monotonic() + 60 * arguments.minutes
    for number, kept in enumerate(everyone):
        if number % 2 == 0 and number >= FEWEST_MODELS and time.monotonic() > end:
            break
        mask = np.zeros(len(tables.member_ids), bool)
        mask[raters[kept]] = True
        answers.append(_ask(tables, targets, mask, member[number], arguments))
        say(f"model {number + 1} of {len(everyone)}: {answers[-1].pop('seconds')}")
    return _scored(tables, targets, member[: len(answers)], answers, random) | {
        "members": len(raters), "shadows": len(answers), "targets": len(targets.members),
    }  # fmt: skip


def _ask(
    tables: Tables, targets: Targets, mask: NDArray[np.bool_], member: NDArray[np.bool_], arguments: argparse.Namespace
) -> Answers:
    """Train one model on the members in a mask, and return what it predicts with each kind of evidence."""
    started = time.monotonic()
    model = trained(tables, mask, arguments.seed, with_landmarks_of(arguments.views_per_landmark))
    fitted = time.monotonic()
    asking = Asking(tables, targets, model)
    answers = {kind: asking.predictions(kind) for kind in arguments.kinds}
    outside = answers.get(CONTROL) or asking.predictions(CONTROL)
    inside = asking.predictions(IN_SAMPLE, np.flatnonzero(member).tolist())
    answers[IN_SAMPLE] = {name: np.where(member[targets.target], inside[name], outside[name]) for name in NAMES}
    means = _movie_means(tables.of_members(mask), targets)
    answers["movie mean alone"] = {"rating": means, "prior": means, "extrapolation": np.zeros_like(means)}
    return answers | {"seconds": {"training": fitted - started, "asking": time.monotonic() - fitted}}


def _movie_means(tables: Tables, targets: Targets) -> Array:
    """Return (N,) the shrunk mean of each rating's movie in these tables, as if it alone was served."""
    count, total = (np.zeros(len(tables.movies)) for _ in range(2))
    rows = tables.play_table.collect().drop_nulls("rating")
    np.add.at(count, rows["movie"].to_numpy(), 1)
    np.add.at(total, rows["movie"].to_numpy(), rows["rating"].to_numpy())
    mean = total.sum() / count.sum()
    return ((total + PRIOR_RATINGS * mean) / (count + PRIOR_RATINGS))[targets.movie]


def _scored(
    tables: Tables, targets: Targets, member: NDArray[np.bool_], answers: list[Answers], random: np.random.Generator
) -> dict[str, Any]:
    ratings = np.bincount(
        tables.play_table.collect().drop_nulls("rating")["movie"].to_numpy(), minlength=len(tables.movies)
    )
    attacked = {
        kind: Attacked(
            targets, member, {name: np.stack([of_model[kind][name] for of_model in answers]) for name in NAMES},
            ratings[targets.movie] / 2,
        )
        for kind in answers[0]
    }  # fmt: skip
    report: dict[str, Any] = {"control": success(attacked[IN_SAMPLE].scores()["all"], member, random).to_dict()}
    report["kinds"] = {
        kind: {name: success(score, member, random).to_dict() for name, score in own.scores().items()}
        for kind, own in attacked.items()
        if kind != IN_SAMPLE
    }
    strongest = max(report["kinds"], key=lambda kind: report["kinds"][kind]["all"]["auc"][0])
    report["by_ratings"] = {"kind": strongest} | _by_ratings(
        targets, attacked[strongest].scores()["all"], member, random
    )
    return report


def _by_ratings(
    targets: Targets, score: Array, member: NDArray[np.bool_], random: np.random.Generator
) -> dict[str, Any]:
    """Return the success with targets of few and many ratings."""
    groups = {}
    for low, high in zip(RATING_BINS, (*RATING_BINS[1:], 10**9), strict=True):
        own = (targets.counts >= low) & (targets.counts < high)
        if own.sum() > 1:
            groups[f"{low} or more" if high == 10**9 else f"{low} to {high - 1}"] = {
                "targets": int(own.sum()), **success(score[:, own], member[:, own], random).to_dict(),
            }  # fmt: skip
    return groups


class Attacked:
    """Answers of K models about N ratings of T targets, and the scores that an attacker makes of them."""

    def __init__(self, targets: Targets, member: NDArray[np.bool_], answers: dict[str, Array], ratings: Array) -> None:
        """`member` (K, T) is the truth, `answers` are (K, N), and `ratings` (N,) are those of each movie in a half."""
        self._targets, self._member, self._answers, self._ratings = targets, member, answers, ratings

    def scores(self) -> dict[str, Array]:
        """Return (K, T) log likelihood ratios by statistic, those without trees, and the sum of the first three."""
        error = log_likelihood_ratios(self._error(), self._member)
        shift = log_likelihood_ratios(self._shift("rating"), self._member)
        near = log_likelihood_ratios(self._nearness(), self._member)
        return {
            "error": error, "shift": shift, "extrapolation": near, "all": error + shift + near,
            "shift, without trees": log_likelihood_ratios(self._shift("prior"), self._member),
        }  # fmt: skip

    def _error(self) -> Array:
        squares = (self._answers["rating"] - self._targets.rating) ** 2
        return -np.sqrt(self._by_target(squares))

    def _shift(self, name: str) -> Array:
        predictions = self._answers[name]
        expected = (self._targets.rating - predictions.mean(axis=0)) / (self._ratings + PRIOR_RATINGS)
        return directed_shift(predictions, expected, self._targets.target, len(self._targets.members))

    def _nearness(self) -> Array:
        """Return (K, T) the negative of the lowest extrapolation."""
        lowest = np.full((len(self._member), len(self._targets.members)), np.inf)
        for own, row in zip(lowest, self._answers["extrapolation"], strict=True):
            np.minimum.at(own, self._targets.target, row)
        return -lowest

    def _by_target(self, values: Array) -> Array:
        """Return (K, T) means of (K, N) values over each target's ratings."""
        counts = self._targets.counts
        return np.stack([np.bincount(self._targets.target, row, len(counts)) / counts for row in values])
