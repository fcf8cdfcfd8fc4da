"""Classifies members into raters and never-raters by their attributes and plays."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.attributes import owners
from features.columns import COMPLETION
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS, names, of_sums, own_sums
from model.prediction.prior.member_inputs import of_attributes
from training.data.dataset import Dataset
from training.data.passes.visible_facts import played

Array = NDArray[np.float64]

FEWEST = 50
"""Minimum number of raters, and of never-raters, to fit a classifier to."""
MOST = 20_000
"""Maximum number of never-raters to fit to; larger groups are sampled at random."""
MOST_RATERS = 50_000
"""Maximum number of raters to fit a classifier to; more are sampled at random."""
MOST_DIFFERENCES = 10
"""Maximum number of differences between raters and never-raters to report."""
KINDS = {"attributes and plays": (True, True), "attributes": (True, False), "plays": (False, True)}
"""Kinds of facts by name: whether attributes are known, and whether plays are known."""


@dataclass(frozen=True)
class Facts:
    """Facts of N members: encoded attributes in the first columns, play features in the others."""

    values: Array
    """(N, F) facts; NaN if unknown."""
    names: list[str]
    """(F,) names of the columns."""
    attributes: int
    """Number of columns with encoded attributes."""

    @property
    def has_attributes(self) -> NDArray[np.bool_]:
        """(N,) whether any attribute is known."""
        return np.asarray(np.isfinite(self.values[:, : self.attributes]).any(axis=1), dtype=np.bool_)

    @property
    def has_plays(self) -> NDArray[np.bool_]:
        """(N,) whether any play is known."""
        return np.asarray(np.isfinite(self.values[:, self.attributes :]).any(axis=1), dtype=np.bool_)

    def only(self, attributes: bool, plays: bool) -> Array:
        """Return (N, F') the columns of attributes, of plays, or of both."""
        return self.values[:, slice(0 if attributes else self.attributes, None if plays else self.attributes)]


def of_kind(
    facts: Facts, never: NDArray[np.bool_], attributes: bool, plays: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (N,) masks of never-raters with exactly these kinds of facts, and of raters with at least these kinds."""
    known = facts.has_attributes, facts.has_plays
    kind = never & (known[0] == attributes) & (known[1] == plays)
    return kind, ~never & (known[0] | (not attributes)) & (known[1] | (not plays))


def facts_of(
    data: Dataset, column_names: Sequence[str], columns: NDArray[np.float32], members: NDArray[np.int64]
) -> Facts:
    """Return the facts of the given members (N,), in ascending order, by a pass over their partitions.

    Play features aggregate the movie statistics in `columns` (M, C).
    """
    chosen = np.zeros(len(data.member_ids), bool)
    chosen[members] = True
    partitions = data.play_table.of_members(chosen).partitions
    summed = columns.astype(np.float64)
    features = np.concatenate([_play_features(data.with_ages(part.read()), len(part), summed) for part in partitions])
    attributes = of_attributes(data.attributes[members], data.schema)
    encoded: list[str] = []
    for number, attribute in enumerate(data.schema.member_attributes):
        width = int((owners(data.schema.member_attributes) == number).sum())
        parts = (
            [*attribute.categories, "other"]
            if attribute.kind == "categorical"
            else [f"part {n + 1}" for n in range(width)]
        )
        encoded += [f"{attribute.name}: {part}" for part in parts[:width]]
    fact_names = encoded + [f"plays: {name.removeprefix('movies:')}" for name in names(column_names)]
    return Facts(np.concatenate([attributes, features], axis=1), fact_names, attributes.shape[1])


def _play_features(plays: pl.DataFrame, members: int, columns: Array) -> Array:
    """Return (P, F') the features of the plays of P members; NaN for those without plays."""
    owner = plays[MEMBER].to_numpy().astype(np.int64)
    completion, age_days = (plays[name].fill_null(float("nan")).to_numpy() for name in (COMPLETION, AGE_DAYS))
    own = own_sums(completion, age_days, owner, members)
    features = of_sums(own, played(owner, plays[MOVIE].to_numpy(), (members, len(columns))) @ columns)
    features[own[:, 0] == 0] = np.nan
    return features


def never_rater_chances(facts: Array, never: NDArray[np.bool_], random: np.random.Generator, seed: int) -> Array:
    """Return (N,) out-of-fold probabilities of never rating from facts (N, F), by two-fold cross-fitting."""
    return classify(facts, never, random, seed).chance


@dataclass(frozen=True)
class Classifiers:
    """Two classifiers, each fitted on one half of N members."""

    chance: Array
    """(N,) out-of-fold probability of never rating."""
    gain: Array
    """(F,) gain of each fact, summed over both forests."""

    def drivers(self, fact_names: list[str]) -> dict[str, float]:
        """Return the share of the total gain for the MOST_DIFFERENCES most important facts, in descending order."""
        largest = np.argsort(-self.gain, kind="stable")[:MOST_DIFFERENCES]
        total = max(float(self.gain.sum()), 1e-12)
        return {fact_names[place]: float(self.gain[place]) / total for place in largest if self.gain[place] > 0}


def classify(facts: Array, never: NDArray[np.bool_], random: np.random.Generator, seed: int) -> Classifiers:
    """Fit a gradient-boosted classifier to each random half of N members, from facts (N, F).

    If a half has more than MOST_RATERS raters, the classifier is fitted to a random sample of that size.
    """
    side = random.integers(0, 2, len(facts))
    chance, gain = np.zeros(len(facts)), np.zeros(facts.shape[1])
    parameters = {"objective": "binary", "num_leaves": 8, "learning_rate": 0.1, "min_data_in_leaf": 20, "seed": seed,
                  "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}  # fmt: skip
    for half in (0, 1):
        rows = _with_fewer_raters(np.flatnonzero(side != half), never, random)
        learned = lightgbm.Dataset(facts[rows], never[rows].astype(float), params=parameters)
        forest = lightgbm.train(parameters, learned, 50)
        chance[side == half] = np.asarray(forest.predict(facts[side == half]))
        gain += forest.feature_importance("gain")
    return Classifiers(chance, gain)


def _with_fewer_raters(
    rows: NDArray[np.int64], never: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.int64]:
    """Return the rows of never-raters and of at most MOST_RATERS raters; `never` (N,) tells which is which."""
    raters = rows[~never[rows]]
    if len(raters) <= MOST_RATERS:
        return rows
    return np.sort(np.concatenate([rows[never[rows]], random.choice(raters, MOST_RATERS, replace=False)]))
