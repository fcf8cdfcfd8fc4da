"""Learning curves: errors on the same ratings of the same members as more of their plays, or ratings, are shown."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import RATING
from features.movies import MOVIE
from features.plays import VIEW
from model.facts.evidence import MemberEvidence, MovieEvidence
from training.data.never_rater_views import Views, rated_count, show_at_most
from training.evaluation.interval_scores import predicted_ratings
from training.fit.fit_model import Fit
from training.fit.trees.pair_rows import Rows

LEVELS = (0, 1, 3, 10, 30)
"""Numbers of plays, or of ratings, that are shown at all points of a curve except the last, at which all are."""
FEWEST_MEMBERS = 20
"""Minimum number of members for a curve, since a curve of fewer could reveal individuals."""
SHARE_OF_MEMBERS = 0.2
"""Minimum share of members who must have as many plays as a point shows, since all points have the same members."""
MOST_MEMBERS = 1000
"""Maximum number of members, drawn at random to limit the time for predicting every point."""
MOST_ROWS = 30_000
"""Maximum number of ratings to predict, drawn at random."""


@dataclass(frozen=True)
class NestedViews:
    """The same U members shown with more and more of their plays, at L levels, each with those of the level before."""

    views: Views
    """The members as shown at all levels; `level * U` to `level * U + U - 1` are the views of a level, with equal order
    of members."""
    shown: tuple[int | None, ...]
    """(L,) number of plays shown at each level; None if all plays are shown."""
    owner: NDArray[np.int64]
    """(U,) index of the fit's view from which each member's plays are taken."""


def learning_curve(fit: Fit, member: MemberEvidence, seed: int) -> list[dict[str, Any]]:
    """Return the points of a learning curve: scores for each number of known plays, from none to all.

    The result is empty if too few members have enough plays. The kind of evidence `member` is plays, or attributes and
    plays. The point without plays uses attributes if `member` includes them.
    """
    if (member, MovieEvidence.RATED) not in fit.predictions:
        return []
    random = np.random.default_rng([seed, 11, int(member)])
    nested = nested_views(fit.table.views, usable_views(fit, member), random)
    if nested is None:
        return []
    table = fit.of_views(nested.views, np.tile(fit.table.out_of_fold.fold[nested.owner], len(nested.shown)))
    targets = _targets(fit.table.views, nested.owner, random)
    points = []
    for level, shown in enumerate(nested.shown):
        kind = member if shown != 0 else _without_plays(member)
        predictions = fit.predict(table, _rows(targets, level * len(nested.owner), kind))
        plays = nested.views.play_count[level * len(nested.owner) : (level + 1) * len(nested.owner)]
        points.append(
            {
                "plays": "all" if shown is None else f"{shown}",
                "plays_from": float(plays.mean()),
                "members": float(len(nested.owner)),
            }
            | predicted_ratings(fit, table, predictions, kind)[0].scores()
        )
    return points


def rating_curve(fit: Fit, member: MemberEvidence, seed: int) -> list[dict[str, Any]]:
    """Return the points of a learning curve: scores for each number of known ratings, from none to all of the plays.

    The result is empty if too few members have enough ratings. `member` is a kind of evidence with plays: all of them
    are shown at every point.
    """
    predictions = fit.predictions.get((member, MovieEvidence.RATED))
    if predictions is None or member.with_ratings not in fit.updates.weights:
        return []
    views, random = fit.table.views, np.random.default_rng([seed, 13, int(member)])
    count = np.where(usable_views(fit, member), rated_count(views), 0)
    levels = _levels(count[count > 0])
    if levels is None:
        return []
    chosen = np.flatnonzero(count >= levels[-1])
    owner = np.isin(np.arange(len(count)), random.permutation(chosen)[:MOST_MEMBERS])
    before = predictions.take(owner[predictions.rows.view]).sample(MOST_ROWS, random)
    points = []
    for level in (*levels, None):
        kind, rows, most = member, before, np.where(owner, np.inf if level is None else level, 0)
        if level != 0:
            shown = show_at_most(views, most, np.random.default_rng([seed, 14]))
            kind, rows = member.with_ratings, replace(fit.updates, shown=shown).apply(before)
        points.append(
            {
                "ratings": "all" if level is None else f"{level}",
                "ratings_from": float(np.minimum(count, most)[owner].mean()),
                "members": float(owner.sum()),
            }
            | predicted_ratings(fit, fit.table, rows, kind)[0].scores()
        )
    return points


def usable_views(fit: Fit, member: MemberEvidence) -> NDArray[np.bool_]:
    """Return a (V,) mask of the views (raters shown with half of their plays) that can be used for a learning curve.

    These are views of the first half of a rater's plays that have the kind of evidence `member` and ratings to predict.
    """
    views = fit.table.views
    asked = np.bincount(views.targets[VIEW].to_numpy(), minlength=len(views.member)) > 0
    usable: NDArray[np.bool_] = (views.half == 0) & asked
    for kind in (member, _without_plays(member)):
        if (kind, MovieEvidence.RATED) not in fit.predictions:
            return np.zeros_like(usable)
        usable &= np.isfinite(fit.table.out_of_fold.factors[kind][:, 0])
    return usable


def nested_views(views: Views, usable: NDArray[np.bool_], random: np.random.Generator) -> NestedViews | None:
    """Return members shown with more and more of their plays, made of the views in the (V,) mask `usable`.

    Only views with enough plays for all levels are used. Returns None if there are too few.
    """
    count = views.play_count[usable]
    levels = _levels(count)
    if levels is None:
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
    return NestedViews(
        Views(
            member, np.zeros_like(member), np.tile(views.attributes[owner], (len(shown), 1)), visible,
            views.targets.clear(), np.bincount(visible[VIEW].to_numpy(), minlength=len(member)),
        ),
        shown,
        owner,
    )  # fmt: skip


def _levels(count: NDArray[np.int64]) -> list[int] | None:
    """Return the LEVELS that enough members reach, given each one's number of plays or ratings; None if only 0."""
    enough = max(FEWEST_MEMBERS, SHARE_OF_MEMBERS * len(count))
    levels = [level for level in LEVELS if (count >= level).sum() >= enough]
    return levels if len(levels) > 1 else None


def _targets(views: Views, owner: NDArray[np.int64], random: np.random.Generator) -> pl.DataFrame:
    """Return the ratings to predict at every level, at most MOST_ROWS, with the numbers of the first level's views."""
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
        np.full(size, int(member), np.int8),
        np.full(size, int(MovieEvidence.RATED), np.int8),
    )


def _without_plays(member: MemberEvidence) -> MemberEvidence:
    return MemberEvidence.ATTRIBUTES if member.has_attributes else MemberEvidence.NOTHING
