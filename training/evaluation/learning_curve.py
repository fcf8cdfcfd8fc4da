"""How predictions of the same ratings by the same members get better with more of their plays known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MOVIE
from features.plays import VIEW
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.views import Views
from training.evaluation.baselines import baselines
from training.evaluation.interval_scores import read
from training.evaluation.scores import coverage, mean_width, rmse
from training.fit.fit_model import Fit
from training.fit.trees.pair_rows import Rows

LEVELS = (0, 1, 3, 10, 30)
"""Numbers of plays known at which the curve is told, besides all of them."""
FEWEST_MEMBERS = 20
"""Fewer people make no curve: it could tell of single ones."""
SHARE_OF_MEMBERS = 0.2
"""A level is told where so many of those who play have that many plays: all levels are of the same members."""
MOST_MEMBERS = 1000
"""Members beyond so many are left out at random: every level is predicted anew."""
MOST_ROWS = 30_000
"""Ratings beyond so many are left out at random."""


@dataclass(frozen=True)
class Nested:
    """The same members seen with more and more of their plays: L levels of U members."""

    views: Views
    """Members in order within each level; views `level * U` to `level * U + U - 1` are of that level."""
    shown: tuple[int | None, ...]
    """(L,) plays that a level shows; None shows all."""
    owner: NDArray[np.int64]
    """(U,) the view of the fit that each is part of."""


def learning_curve(fit: Fit, member: MemberEvidence, seed: int) -> list[dict[str, Any]]:
    """One point a level of plays known, from none to all, of the same ratings; empty where too few people play enough.

    `member` is what is known: plays, or attributes as well. With no play it is what is left of that.
    """
    if (member, MovieEvidence.RATED) not in fit.predictions:
        return []
    random = np.random.default_rng([seed, 11, int(member)])
    nested = nested_views(fit.table.views, usable(fit, member), random)
    if nested is None:
        return []
    table = fit.of_views(nested.views, np.tile(fit.table.out_of_fold.fold[nested.owner], len(nested.shown)))
    targets = _targets(fit.table.views, nested.owner, random)
    scale, steps = fit.table.data.schema.scale, np.unique(fit.table.data.ratings[RATING].to_numpy())
    truth = targets[RATING].to_numpy()
    points = []
    for level, shown in enumerate(nested.shown):
        kind = member if shown != 0 else _without_plays(member)
        judged = fit.predict(table, _rows(targets, level * len(nested.owner), kind))
        lower, upper, _ = read(fit, judged, kind)
        rating = np.clip(judged.rating, scale.low, scale.high)
        means = np.clip(baselines(table, judged.rows)[1], scale.low, scale.high)
        plays = nested.views.play_count[level * len(nested.owner) : (level + 1) * len(nested.owner)]
        points.append(
            {
                "plays": "all" if shown is None else f"{shown}",
                "plays_from": float(plays.mean()),
                "members": float(len(nested.owner)),
                "targets": float(len(truth)),
                "movie_mean_rmse": rmse(means, truth),
                "rmse": rmse(rating, truth),
                "coverage": coverage(lower, upper, truth),
                "mean_width": mean_width(lower, upper, steps),
            }
        )
    return points


def usable(fit: Fit, member: MemberEvidence) -> NDArray[np.bool_]:
    """(V,) views of the first half of a member's plays that have this evidence and something to predict."""
    views = fit.table.views
    asked = np.bincount(views.targets[VIEW].to_numpy(), minlength=len(views.member)) > 0
    usable: NDArray[np.bool_] = (views.half == 0) & asked
    for kind in (member, _without_plays(member)):
        if (kind, MovieEvidence.RATED) not in fit.predictions:
            return np.zeros_like(usable)
        usable &= np.isfinite(fit.table.out_of_fold.factors[kind][:, 0])
    return usable


def nested_views(views: Views, usable: NDArray[np.bool_], random: np.random.Generator) -> Nested | None:
    """Members of the usable views ((V,) mask) who have as many plays as the highest level; None where they are few."""
    count = views.play_count[usable]
    enough = max(FEWEST_MEMBERS, SHARE_OF_MEMBERS * len(count))
    levels = [level for level in LEVELS if (count >= level).sum() >= enough]
    if len(levels) < 2:
        return None
    chosen = np.flatnonzero(usable & (views.play_count >= levels[-1]))
    owner = np.sort(random.permutation(chosen)[:MOST_MEMBERS])
    place = np.full(len(views.member), -1)
    place[owner] = np.arange(len(owner))
    plays = views.plays.with_columns(pl.Series(VIEW, place[views.plays[VIEW].to_numpy()])).filter(pl.col(VIEW) >= 0)
    rank = pl.Series(random.random(len(plays))).rank("ordinal")
    plays = plays.with_columns(rank.alias("rank")).with_columns(pl.col("rank").rank("ordinal").over(VIEW))
    shown: tuple[int | None, ...] = (*levels, None)
    parts = [
        plays.filter(pl.col("rank") <= (len(plays) if most is None else most)).with_columns(
            (pl.col(VIEW) + level * len(owner)).alias(VIEW)
        )
        for level, most in enumerate(shown)
    ]
    visible = pl.concat(parts).drop("rank").sort(VIEW, MOVIE)
    member = np.tile(views.member[owner], len(shown))
    return Nested(
        Views(
            member, np.zeros_like(member), np.tile(views.attributes[owner], (len(shown), 1)), visible,
            views.targets.clear(), np.bincount(visible[VIEW].to_numpy(), minlength=len(member)),
        ),
        shown,
        owner,
    )  # fmt: skip


def _targets(views: Views, owner: NDArray[np.int64], random: np.random.Generator) -> pl.DataFrame:
    """What the members of those views are asked, their views numbered as the first level's."""
    place = np.full(len(views.member), -1)
    place[owner] = np.arange(len(owner))
    table = views.targets.with_columns(pl.Series(VIEW, place[views.targets[VIEW].to_numpy()])).filter(pl.col(VIEW) >= 0)
    return table[np.sort(random.permutation(len(table))[:MOST_ROWS])]


def _rows(targets: pl.DataFrame, first: int, member: MemberEvidence) -> Rows:
    size = len(targets)
    return Rows(
        targets[VIEW].to_numpy() + first,
        targets[MOVIE].to_numpy().astype(np.int64),
        targets[RATING].to_numpy(),
        np.full(size, int(member)),
        np.full(size, int(MovieEvidence.RATED)),
    )


def _without_plays(member: MemberEvidence) -> MemberEvidence:
    return MemberEvidence.ATTRIBUTES if member.has_attributes else MemberEvidence.NOTHING
