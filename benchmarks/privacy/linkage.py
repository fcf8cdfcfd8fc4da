"""What a stolen folder of a version tells someone who knows some plays of a member, by what of members it publishes.

One member in five never rates, and half of what they rated stays as plays. `all` publishes attributes and plays of
everybody, `never-raters` those of members without ratings, `none` nobody's. Whatever is published of members, the
regressions of a version hold landmarks, means over the facts of a few raters, from which plays are reconstructed.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.privacy.landmarks import landmark_report
from benchmarks.privacy.trainings import (
    MOVIELENS,
    add_views_per_landmark,
    dataset_of,
    movielens_tables,
    some_members,
    trained,
    with_landmarks_of,
)
from features.columns import MEMBER_ID, MOVIE_ID
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from training.data.dataset import encode_columns
from training.data.reading.tables import Tables

Mask = NDArray[np.bool_]

KNOWN = tuple(range(1, 11))
"""Numbers of plays that are known of a member."""
WRONG = 2
"""How many of the most known plays are wrong in the last attack."""
ERROR = 0.2
"""Share of wrong plays that guesses reckon with."""
NEVER_RATERS = 0.2
MOST_TARGETS = 1000
PUBLISHED = ("all", "never-raters", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linkage`."""
    parser.add_argument("--data", type=Path, default=MOVIELENS, help="an unpacked MovieLens release")
    parser.add_argument("--members", type=int, help="only so many members, drawn at random (default all)")
    parser.add_argument("--landmarks", type=int, default=200, help="landmarks to reconstruct (default 200)")
    add_views_per_landmark(parser)
    parser.add_argument("--seed", type=int, default=0, help="of members and known plays (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Attack and print the figures as JSON."""
    if not arguments.data.exists():
        print(json.dumps({"skipped": f"{arguments.data.name} isn't beside the project"}))
        return 0
    started = time.monotonic()
    random = np.random.default_rng([arguments.seed, 23])
    with movielens_tables(arguments.data) as whole:
        tables, never = with_never_raters(some_members(whole, arguments.members, arguments.seed), random)
        plays, truth = _plays(tables), tables.member_ids
        attributes = _attributes(tables)
        report: dict[str, Any] = {"members": len(truth), "never_raters": int(never.sum())}
        for name, mask in zip(PUBLISHED, (np.ones_like(never), never, np.zeros_like(never)), strict=True):
            report[name] = members_table(plays, attributes, mask, np.random.default_rng([arguments.seed, 24]))
        model = trained(tables, settings=with_landmarks_of(arguments.views_per_landmark))
        report["rmse_of_never_raters"] = _rmse(whole, tables, never, model)
        report["landmarks"] = landmark_report(model, tables, plays, arguments.landmarks, random)
    print(json.dumps(report | {"seconds": round(time.monotonic() - started)}, indent=1))
    return 0


def with_never_raters(tables: Tables, random: np.random.Generator) -> tuple[Tables, Mask]:
    """Make one member in five a never-rater with half of the plays; return the tables and (N,) who never rates."""
    drawn = tables.member_ids.filter(pl.Series(random.random(len(tables.member_ids)) < NEVER_RATERS))
    ratings = tables.ratings
    hidden = ratings[MEMBER_ID].is_in(drawn.implode())
    kept = ratings.filter(~hidden)
    plays = tables.plays.filter(~hidden | pl.Series(random.random(len(ratings)) < 0.5))
    changed = Tables.of(tables.members, tables.movies, kept, plays, tables.scale)
    return changed, changed.member_ids.is_in(drawn.implode()).to_numpy()


def _plays(tables: Tables) -> Mask:
    """Return (N, M) who played what."""
    rows = tables.play_table.collect()
    plays = np.zeros((len(tables.member_ids), len(tables.movies)), bool)
    plays[rows["member"].to_numpy(), rows["movie"].to_numpy()] = True
    return plays


def _attributes(tables: Tables) -> NDArray[np.float32]:
    """Return (N, A) attributes as a version publishes them."""
    rows = tables.member_ids.to_frame(MEMBER_ID).join(tables.members, on=MEMBER_ID, how="left", maintain_order="left")
    return encode_columns(rows, dataset_of(tables).schema.member_attributes)


def _rmse(whole: Tables, tables: Tables, never: Mask, model: Model) -> float:
    """Return the RMSE of the ratings of never-raters that aren't shown as plays."""
    asked = whole.ratings.filter(pl.col(MEMBER_ID).is_in(tables.member_ids.filter(pl.Series(never)).implode()))
    asked = asked.join(tables.plays, on=[MEMBER_ID, MOVIE_ID], how="anti", maintain_order="left")
    squares, count = 0.0, 0
    for (member_id,), rows in asked.group_by(MEMBER_ID, maintain_order=True):
        movies = [model.catalogue.row(movie_id) for movie_id in rows[MOVIE_ID]]
        known = model.members.find(str(member_id)) or MemberFacts.nothing(model.schema)
        error = model.predict(known, movies).rating - rows["rating"].to_numpy()
        squares, count = squares + float(error @ error), count + len(error)
    return round(float(np.sqrt(squares / count)), 4)


def members_table(
    plays: Mask, attributes: NDArray[np.float32], published: Mask, random: np.random.Generator
) -> dict[str, Any]:
    """Return how many members are singled out in the published rows by so many known plays, and what their row says."""
    rows, table = np.flatnonzero(published), plays[published]
    place = np.full(len(plays), -1)
    place[rows] = np.arange(len(rows))
    targets = random.permutation(np.flatnonzero(plays.sum(axis=1) >= KNOWN[-1]))[:MOST_TARGETS]
    right, wrong, guessed = (np.zeros(len(KNOWN)) for _ in range(3))
    tolerant = 0
    for target in targets:
        known = random.permutation(np.flatnonzero(plays[target]))[: KNOWN[-1]]
        for number, matching in enumerate(_matching(table, known)):
            right[number] += len(matching) == 1 and matching[0] == place[target]
            wrong[number] += len(matching) == 1 and matching[0] != place[target]
        if len(table):
            guessed += best_matches(table, known) == place[target]
            tolerant += best_matches(table, _with_wrong(known, plays[target], random))[-1] == place[target]
    alone = _share_alone(attributes[published])
    return {
        "targets": len(targets),
        "singled_out_percent": dict(zip(KNOWN, np.round(100 * right / len(targets), 1).tolist(), strict=True)),
        "wrong_person_percent": dict(zip(KNOWN, np.round(100 * wrong / len(targets), 1).tolist(), strict=True)),
        "guessed_right_percent": dict(zip(KNOWN, np.round(100 * guessed / len(targets), 1).tolist(), strict=True)),
        f"guessed_right_percent_with_{WRONG}_of_{KNOWN[-1]}_wrong": round(100 * tolerant / len(targets), 1),
        "further_plays_of_a_row": float(np.median(table.sum(axis=1) - KNOWN[-1])) if len(table) else 0.0,
        "alone_by_attributes_percent": round(100 * alone, 1),
    }


def _matching(table: Mask, known: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows that hold the first known play, the first two, and so on."""
    rows = np.arange(len(table))
    for movie in known.tolist():
        rows = rows[table[rows, movie]]
        yield rows


def _with_wrong(known: NDArray[np.int64], own: Mask, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the known plays with the last ones replaced by movies that the member didn't play."""
    return np.append(known[:-WRONG], random.choice(np.flatnonzero(~own), WRONG, replace=False))


def best_matches(table: Mask, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (K,) the most likely row, given the first known play, the first two, and so on, some of them wrong.

    A right one is drawn from the row's plays, so that short rows are likelier than long ones that hold as many.
    """
    gain = np.log1p((1 - ERROR) / ERROR * table.shape[1] / np.maximum(table.sum(axis=1), 1))
    best: NDArray[np.int64] = (np.cumsum(table[:, known], axis=1) * gain[:, None]).argmax(axis=0)
    return best


def _share_alone(attributes: NDArray[np.float32]) -> float:
    """Return the share of rows whose attributes no other row has."""
    if not len(attributes):
        return 0.0
    _, counts = np.unique(np.nan_to_num(attributes, nan=-1), axis=0, return_counts=True)
    return float((counts == 1).sum() / len(attributes))
