"""Which movies did a forgotten member rate? From what is published before and after, seen by three attackers.

One has both folders, and compares numbers of ratings. One asks both versions for every movie, with nothing known of the
member who is asked about; the third does so with attributes and plays of somebody else. The controls compare versions
that differ in another member, and versions that differ in the seed alone.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.privacy.likelihood_ratio import INTERVAL, area_under_curve
from benchmarks.privacy.trainings import MOVIELENS, movielens_tables, say, some_members, trained
from features.movies import PRIOR_RATINGS
from features.pair_features import MOVIE_NUMBERS
from model.facts.facts import MemberFacts
from model.prediction.model import Model, Rows
from training.data.reading.tables import Tables

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

COUNTS = "numbers of ratings in the folder"
SEEN = (COUNTS, "predictions, nothing known", "predictions, somebody's plays")
ASKER_PLAYS = 20
"""Number of plays, at random, of the member as whom the third attacker asks."""
RESAMPLES = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `difference`."""
    parser.add_argument("--data", type=Path, default=MOVIELENS, help="an unpacked MovieLens release")
    parser.add_argument("--members", type=int, help="only so many members, drawn at random (default all)")
    parser.add_argument("--forgotten", type=int, default=30, help="members to forget one by one (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="of members and models (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Attack and print the figures as JSON."""
    if not arguments.data.exists():
        print(json.dumps({"skipped": f"{arguments.data.name} isn't beside the project"}))
        return 0
    started = time.monotonic()
    with movielens_tables(arguments.data) as tables:
        report = compare(some_members(tables, arguments.members, arguments.seed), arguments.forgotten, arguments.seed)
    print(json.dumps(report | {"seconds": round(time.monotonic() - started)}, indent=1))
    return 0


def compare(tables: Tables, forgotten: int, seed: int) -> dict[str, Any]:
    """Train before and after each member is forgotten, after all are, and with another seed; score the attacks."""
    random = np.random.default_rng([seed, 22])
    members = random.permutation(tables.play_table.raters)[:forgotten]
    asker = np.sort(random.permutation(len(tables.movies))[:ASKER_PLAYS])
    rows = tables.play_table.collect().drop_nulls("rating")
    owner, movie = rows["member"].to_numpy(), rows["movie"].to_numpy()
    rated = [np.bincount(movie[owner == member], minlength=len(tables.movies)) > 0 for member in members]
    ratings = np.bincount(movie, minlength=len(tables.movies))
    before = Seen.by(trained(tables, seed=seed), asker)
    after = []
    for number, member in enumerate(members.tolist()):
        after.append(Seen.by(trained(tables, _without(tables, [member]), seed), asker))
        say(f"{number + 1} of {len(members)} forgotten")
    together = Seen.by(trained(tables, _without(tables, members.tolist()), seed), asker)
    reseeded = Seen.by(trained(tables, seed=seed + 1), asker)
    compared = {
        "the member is forgotten": after,
        "control: another member is forgotten": [*after[1:], after[0]],
        "control: another seed": [reseeded] * len(after),
        f"all {len(after)} are forgotten together": [together] * len(after),
    }
    once = ratings > 0
    return {
        "members": len(tables.play_table.raters),
        "forgotten": len(members),
        "auc": {
            name: {
                seen: _mean(
                    [
                        area_under_curve(before.change(other, seen, ratings)[once], own[once])
                        for other, own in zip(others, rated, strict=True)
                    ],
                    random,
                )
                for seen in SEEN
            }
            for name, others in compared.items()
        },
    }


class Seen:
    """What attackers see of one version: an array (M,) by attacker."""

    def __init__(self, seen: dict[str, Array]) -> None:
        self._seen = seen

    @staticmethod
    def by(model: Model, asker: NDArray[np.int64]) -> "Seen":
        """Read the folder's numbers of ratings, and ask the model."""
        rows = np.arange(len(model.catalogue))
        unplayed = np.setdiff1d(rows, asker)
        nothing, unknown = MemberFacts.nothing(model.schema), np.full(len(asker), np.nan, np.float32)
        plays = MemberFacts(nothing.attributes, asker.astype(np.int32), unknown, unknown)
        alone, by_plays = model.predict_together([Rows(nothing, rows), Rows(plays, unplayed)])
        of_plays = np.zeros(len(rows))
        of_plays[unplayed] = by_plays.rating
        counts = model.pairs.movies.numbers[:, MOVIE_NUMBERS.index("log_ratings")].astype(np.float64)
        return Seen(dict(zip(SEEN, (np.expm1(counts), alone.rating, of_plays), strict=True)))

    def change(self, other: "Seen", seen: str, ratings: NDArray[np.int64]) -> Array:
        """Return (M,) by how much a movie changes, as a number of ratings: a mean of many changes less by one."""
        difference = np.abs(self._seen[seen] - other._seen[seen])
        return np.round(difference, 2) if seen == COUNTS else difference * (ratings + PRIOR_RATINGS)


def _without(tables: Tables, members: list[int]) -> Mask:
    kept = np.ones(len(tables.member_ids), bool)
    kept[members] = False
    return kept


def _mean(values: list[float], random: np.random.Generator) -> list[float]:
    """Return the mean with its bootstrap interval over members."""
    drawn = random.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    return [round(float(value), 4) for value in (np.mean(values), *np.percentile(drawn, INTERVAL))]
