"""How predictions differ between two versions, for the same members and the same movies, told as sums over members."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schema import Attribute
from features.values.attribute_value import WrongKind, encode_attribute
from model.facts.facts import MemberFacts
from model.facts.member_table import MemberTable
from model.prediction.model import Model

MEMBERS, MOVIES = 200, 1000
"""So many members and movies are compared, spread evenly over those that there are."""
FEWEST_MEMBERS = 20
"""A movie's shift is told as the mean over so many members at least: over fewer it could tell of single people."""
QUANTILES = (1, 5, 25, 50, 75, 95, 99)
SIZES = (0.1, 0.25, 0.5)
"""Rating points at which shares of moved predictions are told."""
BEST, MOST = 10, 10

Array = NDArray[np.float64]


def compare(first: Model, second: Model) -> dict[str, Any]:
    """Distribution of the differences, second less first, agreement of rankings, and the movies that moved most.

    Members are those published with the second version, with what it knows of them, and one of whom nothing is known.
    """
    movies = _spread([movie_id for movie_id in second.catalogue.movie_ids if first.catalogue.row(movie_id) is not None])
    rows = [np.array([model.catalogue.row(movie_id) for movie_id in movies], np.int64) for model in (first, second)]
    if not movies:
        return {"members": 0, "movies": 0}
    people = [MemberFacts.nothing(second.schema), *_members(second.members)]
    differences = np.full((len(people), len(movies)), np.nan)
    correlations, common = [], []
    for place, member in enumerate(people):
        unplayed = np.flatnonzero(~np.isin(rows[1], member.movies))
        if not len(unplayed):
            continue
        before = first.predict(_translated(member, second, first), rows[0][unplayed].tolist()).rating
        now = second.predict(member, rows[1][unplayed].tolist()).rating
        differences[place, unplayed] = now - before
        correlations.append(_rank_correlation(before, now))
        common.append(len({*_best(before)} & {*_best(now)}) / len(_best(now)))
    known = differences[np.isfinite(differences)]
    return {
        "members": len(people),
        "movies": len(movies),
        "difference": {
            "mean": float(known.mean()),
            "deviation": float(known.std()),
            "largest": float(np.abs(known).max()),
            "quantiles": {str(one): float(np.quantile(known, one / 100)) for one in QUANTILES},
        },
        "share_moved": {str(size): float((np.abs(known) >= size).mean()) for size in SIZES},
        "rank_correlation": float(np.mean(correlations)),
        "best_ten_in_common": float(np.mean(common)),
        **_moved(differences, movies),
    }


def _moved(differences: Array, movies: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    seen = np.isfinite(differences).sum(axis=0)
    mean = np.nansum(differences, axis=0) / np.maximum(seen, 1)
    order = [place for place in np.argsort(-mean, kind="stable").tolist() if seen[place] >= FEWEST_MEMBERS]
    told = [{"movie_id": movies[place], "mean": float(mean[place])} for place in order]
    return {
        "movies_up": [one for one in told[:MOST] if one["mean"] > 0],
        "movies_down": [one for one in told[::-1][:MOST] if one["mean"] < 0],
    }


def _spread(movies: list[str]) -> list[str]:
    return [movies[place] for place in _evenly(len(movies), MOVIES)]


def _evenly(count: int, most: int) -> list[int]:
    """At most so many places, at even distances."""
    places: list[int] = np.unique(np.linspace(0, max(count - 1, 0), min(most, count)).astype(int)).tolist()
    return places


def _members(table: MemberTable) -> list[MemberFacts]:
    """Members at even distances of the table, which is in the order of hashes."""
    found = []
    for row in _evenly(len(table), MEMBERS):
        plays = slice(int(table.starts[row]), int(table.starts[row + 1]))
        found.append(
            MemberFacts(
                np.array(table.attributes[row]), np.array(table.movies[plays]),
                np.array(table.completion[plays]), np.array(table.age_days[plays]),
            )
        )  # fmt: skip
    return found


def _translated(member: MemberFacts, known_to: Model, asked: Model) -> MemberFacts:
    """The same facts in the terms of another version: its attributes and the rows of its catalogue."""
    own = {
        one.name: (one, value) for one, value in zip(known_to.schema.member_attributes, member.attributes, strict=True)
    }
    attributes = np.full(len(asked.schema.member_attributes), np.nan, np.float32)
    for place, attribute in enumerate(asked.schema.member_attributes):
        if attribute.name in own:
            attributes[place] = _reencoded(attribute, *own[attribute.name])
    rows = [asked.catalogue.row(known_to.catalogue.movie_ids[movie]) for movie in member.movies]
    kept = [(row, place) for place, row in enumerate(rows) if row is not None]
    kept.sort()
    order = np.array([place for _, place in kept], np.int64)
    return MemberFacts(
        attributes, np.array([row for row, _ in kept], np.int32), member.completion[order], member.age_days[order]
    )


def _reencoded(attribute: Attribute, own: Attribute, value: np.float32) -> float:
    if not np.isfinite(value):
        return float("nan")
    try:
        if own.kind == "numeric":
            return encode_attribute(attribute, float(value))
        number = int(value)
        return encode_attribute(attribute, own.categories[number] if number < len(own.categories) else "")
    except WrongKind:
        return float("nan")


def _rank_correlation(first: Array, second: Array) -> float:
    """Spearman's; 1 where a version predicts the same for all movies, as then it disagrees with nothing."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 1.0
    ranks = [pl.Series(values).rank().to_numpy() for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _best(rating: Array) -> list[int]:
    places: list[int] = np.argsort(-rating, kind="stable")[:BEST].tolist()
    return places
