"""Compares the predictions of two versions (published models) for the same members and movies.

The results are aggregated over members.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schema import Attribute
from features.values.attribute_value import WrongKind, encode_attribute
from model.facts.facts import NO_RATINGS, MemberFacts, Ratings
from model.prediction.model import Model
from training.evaluation.scores import spearman
from training.versions.exports.export_members import OTHER

MEMBERS, MOVIES = 200, 1000
"""Maximum numbers of members and movies to compare, evenly spaced in their tables."""
FEWEST_MEMBERS = 20
"""Minimum number of members for reporting a movie's mean difference. Fewer members could reveal a single person."""
QUANTILES = (1, 5, 25, 50, 75, 95, 99)
SIZES = (0.1, 0.25, 0.5)
"""Absolute differences in rating points, for each of which the share of differences at least this large is reported."""
BEST = 10
"""Number of top-ranked movies of each version whose overlap is reported."""
MOST_MOVED = 10
"""Maximum number of movies reported whose predictions rose most, and the same of those whose fell most."""

Array = NDArray[np.float64]


def compare(first: Model, second: Model) -> dict[str, Any]:
    """Compare the predictions of two versions (published models) for the same members and movies.

    Returns the distribution of the differences (second minus first version), the rank correlation within members, and
    the movies with the largest differences. The members are a sample of those published with the second version, and
    one member of whom nothing is known. The movies are in both catalogues; movies that a member played are left out.
    """
    movies = _spread([movie_id for movie_id in second.catalogue.movie_ids if first.catalogue.row(movie_id) is not None])
    rows = [np.array([model.catalogue.row(movie_id) for movie_id in movies], np.int64) for model in (first, second)]
    if not movies:
        return {"members": 0, "movies": 0}
    members = [MemberFacts.nothing(second.schema), *second.members.spread(MEMBERS)]
    differences = np.full((len(members), len(movies)), np.nan)
    correlations, common = [], []
    for index, member in enumerate(members):
        unplayed = np.flatnonzero(~np.isin(rows[1], member.movies))
        if not len(unplayed):
            continue
        before = first.predict(_translated(member, second, first), rows[0][unplayed].tolist()).rating
        after = second.predict(member, rows[1][unplayed].tolist()).rating
        differences[index, unplayed] = after - before
        correlations.append(_rank_correlation(before, after))
        common.append(len({*_best(before)} & {*_best(after)}) / len(_best(after)))
    return {
        "members": len(members),
        "movies": len(movies),
        **_distribution(differences[np.isfinite(differences)]),
        "rank_correlation": float(np.mean(correlations)),
        "best_ten_in_common": float(np.mean(common)),
        **_moved(differences, movies, [second.catalogue.titles[row] for row in rows[1]]),
    }


def _distribution(differences: Array) -> dict[str, dict[str, Any]]:
    """Return mean, spread and quantiles of the differences between predictions, and how many are large.

    For each of SIZES, this is the share of differences at least that large.
    """
    return {
        "difference": {
            "mean": float(differences.mean()),
            "deviation": float(differences.std()),
            "largest": float(np.abs(differences).max()),
            "quantiles": {str(percent): float(np.quantile(differences, percent / 100)) for percent in QUANTILES},
        },
        "share_moved": {str(size): float((np.abs(differences) >= size).mean()) for size in SIZES},
    }


def _moved(differences: Array, movies: Sequence[str], titles: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the movies whose predictions differ most on average between the versions, up and down.

    `differences` is (members, movies), NaN for movies that the member played.
    """
    members = np.isfinite(differences).sum(axis=0)
    mean = np.nansum(differences, axis=0) / np.maximum(members, 1)
    order = [column for column in np.argsort(-mean, kind="stable").tolist() if members[column] >= FEWEST_MEMBERS]
    shifts = [{"movie_id": movies[column], "title": titles[column], "mean": float(mean[column])} for column in order]
    return {
        "movies_up": [shift for shift in shifts[:MOST_MOVED] if shift["mean"] > 0],
        "movies_down": [shift for shift in shifts[::-1][:MOST_MOVED] if shift["mean"] < 0],
    }


def _spread(movies: list[str]) -> list[str]:
    return [movies[index] for index in _evenly(len(movies), MOVIES)]


def _evenly(count: int, most: int) -> list[int]:
    """Return at most `most` evenly spaced indices below `count`, as a sample."""
    indices: list[int] = np.unique(np.linspace(0, max(count - 1, 0), min(most, count)).astype(int)).tolist()
    return indices


def _translated(member: MemberFacts, source: Model, target: Model) -> MemberFacts:
    """Return what is known of a member, encoded for another version; what that version can't use is dropped."""
    columns = source.schema.member_attributes
    values = {column.name: (column, value) for column, value in zip(columns, member.attributes, strict=True)}
    attributes = np.full(len(target.schema.member_attributes), np.nan, np.float32)
    for index, column in enumerate(target.schema.member_attributes):
        if column.name in values:
            attributes[index] = _reencoded(column, *values[column.name])
    rows = [target.catalogue.row(source.catalogue.movie_ids[movie]) for movie in member.movies]
    kept = sorted((row, play) for play, row in enumerate(rows) if row is not None)
    order = np.array([play for _, play in kept], np.int64)
    plays = np.array([row for row, _ in kept], np.int32), member.completion[order], member.age_days[order]
    return MemberFacts(attributes, *plays, _translated_ratings(member.ratings, source, target))


def _translated_ratings(ratings: Ratings, source: Model, target: Model) -> Ratings:
    """Return a member's ratings of movies that another version knows, unless that version has another scale."""
    low, high = target.schema.scale.low, target.schema.scale.high
    columns = (ratings.movies.tolist(), ratings.values.tolist(), ratings.rated_at.tolist())
    rows = (
        (target.catalogue.row(source.catalogue.movie_ids[movie]), value, time)
        for movie, value, time in zip(*columns, strict=True)
    )
    known = [(row, value, time) for row, value, time in rows if row is not None and low <= value <= high]
    return NO_RATINGS.followed_by(known)


def _reencoded(target: Attribute, source: Attribute, value: np.float32) -> float:
    """Return an attribute value that is encoded for one version in the encoding of another.

    Returns NaN if the value is unknown or the kinds of the attributes differ.
    """
    if not np.isfinite(value):
        return float("nan")
    try:
        if source.kind == "numeric":
            return encode_attribute(target, float(value))
        number = int(value)
        return encode_attribute(target, source.categories[number] if number < len(source.categories) else OTHER)
    except WrongKind:
        return float("nan")


def _rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rank correlation of two versions' ratings, or 1 if either rates all movies the same."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 1.0
    return float(pl.DataFrame({"first": first, "second": second}).select(spearman("first", "second")).item())


def _best(rating: Array) -> list[int]:
    """Return the indices of the BEST highest of a member's predicted ratings, highest first."""
    indices: list[int] = np.argsort(-rating, kind="stable")[:BEST].tolist()
    return indices
