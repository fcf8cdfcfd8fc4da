"""How far members who never rate differ from those who rate, on what is known of both."""

from typing import Any

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.attributes import owners
from features.movies import MEMBER, MOVIE
from features.plays import VIEW, names, of_table
from model.inputs import MovieColumns, of_attributes
from training.dataset import Dataset
from training.scores import area_under_curve

Array = NDArray[np.float64]

FEWEST = 50
"""Fewer never-raters, or raters, tell nothing."""
MOST = 20_000
"""Beyond so many of each, some are drawn at random."""
TOLD = 10
"""How many of the largest differences are told."""


def difference(data: Dataset, columns: MovieColumns, seed: int) -> dict[str, Any]:
    """What tells raters and never-raters apart; empty where there are too few of either.

    `auc` is that of a classifier on members it did not see: 0.5 where they are alike, 1 where they are told apart for
    sure. `differences` are those of means over standard deviation, the largest first.
    """
    random = np.random.default_rng([seed, 10])
    rates = np.zeros(len(data.member_ids), bool)
    rates[data.raters] = True
    raters, others = np.flatnonzero(rates), np.flatnonzero(~rates)
    if min(len(raters), len(others)) < FEWEST:
        return {}
    members = np.sort(np.concatenate([random.permutation(raters)[:MOST], random.permutation(others)[:MOST]]))
    facts, fact_names = _facts(data, columns, members)
    never = ~rates[members]
    return {
        "raters": float(len(raters)),
        "never_raters": float(len(others)),
        "auc": _told_apart(facts, never, random, seed),
        "differences": _differences(facts, fact_names, never),
    }


def _facts(data: Dataset, columns: MovieColumns, members: NDArray[np.int64]) -> tuple[Array, list[str]]:
    """(N, F) attributes and features of plays, NaN where unknown, with their names."""
    movies = pl.LazyFrame(columns.columns, schema=list(columns.names)).with_row_index(MOVIE)
    plays = data.plays.lazy().rename({MEMBER: VIEW})
    table = of_table(plays, movies.with_columns(pl.col(MOVIE).cast(pl.Int32)), columns.names).collect(
        engine="streaming"
    )
    features = np.full((len(data.member_ids), len(names(columns.names))), np.nan)
    features[table[VIEW].to_numpy()] = table.drop(VIEW).to_numpy()
    attributes = of_attributes(data.attributes[members], data.schema)
    encoded: list[str] = []
    for place, attribute in enumerate(data.schema.member_attributes):
        width = int((owners(data.schema.member_attributes) == place).sum())
        parts = (
            [*attribute.categories, "other"]
            if attribute.kind == "categorical"
            else [f"part {n + 1}" for n in range(width)]
        )
        encoded += [f"{attribute.name}: {part}" for part in parts[:width]]
    return np.concatenate([attributes, features[members]], axis=1), encoded + [
        f"plays: {name.removeprefix('movies:')}" for name in names(columns.names)
    ]


def _told_apart(facts: Array, never: NDArray[np.bool_], random: np.random.Generator, seed: int) -> float:
    side = random.integers(0, 2, len(facts))
    score = np.zeros(len(facts))
    parameters = {"objective": "binary", "num_leaves": 8, "learning_rate": 0.1, "min_data_in_leaf": 20, "seed": seed,
                  "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}  # fmt: skip
    for half in (0, 1):
        seen = lightgbm.Dataset(facts[side != half], never[side != half].astype(float), params=parameters)
        score[side == half] = np.asarray(lightgbm.train(parameters, seen, 50).predict(facts[side == half]))
    return area_under_curve(never, score)


def _differences(facts: Array, fact_names: list[str], never: NDArray[np.bool_]) -> dict[str, float]:
    found = {}
    for column, name in zip(facts.T, fact_names, strict=True):
        ours, theirs = column[never & np.isfinite(column)], column[~never & np.isfinite(column)]
        spread = np.sqrt((ours.var() + theirs.var()) / 2) if min(len(ours), len(theirs)) >= FEWEST else 0.0
        if spread > 0:
            found[name] = float((ours.mean() - theirs.mean()) / spread)
    largest = sorted(found, key=lambda name: -abs(found[name]))[:TOLD]
    return {name: found[name] for name in largest}
