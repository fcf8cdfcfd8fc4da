"""Changes of counts since the current version: rows, known values, and ids that still occur."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RELEASE_YEAR, TITLE
from features.schema import Attribute
from model.facts.member_key import PLAIN, MemberKey
from model.prediction.model import Model
from training.gate.kept_out import Split
from training.gate.schema_changes import Change, Outcome

SAMPLE = 5000
"""Maximum number of members that are looked at: those with the smallest hashes, which are a random sample."""

OTHER_IDS = "Check whether ids are written as before"
"""What to do if few ids still occur."""

KeptOut = Mapping[str, Any]
"""Counts of the raters that were kept out of a version's training, from its report; empty if unknown."""
Known = Mapping[str, Mapping[str, int]]
"""Number of known values by table (members, movies, plays) and column."""


def row_changes(
    candidate: Model, current: Model, kept_out: tuple[KeptOut, KeptOut], least_kept: float
) -> Iterator[Change]:
    """Yield the numbers of rows of both versions; `kept_out` is that of the new version, then of the current one."""
    now, before = (_rows(*version) for version in zip((candidate, current), kept_out, strict=True))
    for subject, count in before.items():
        yield _counted(subject, count, now[subject], "least_data_kept", least_kept)


def known_values(split: Split) -> Known:
    """Return the number of known values by table and column, with those of kept-out raters."""
    members = pl.concat([split.training.members, split.kept_out.members]).drop(MEMBER_ID)
    movies = split.training.movies.drop(MOVIE_ID, TITLE, *split.training.stated.movies.ignore, strict=False)
    plays = dict.fromkeys((COMPLETION, PLAYED_AT), 0)
    for tables in (split.training, split.kept_out):
        for rows in tables.play_table.read():
            plays = {name: count + rows[name].count() for name, count in plays.items()}
    counts = {
        name: {column.name: column.count() for column in rows.iter_columns()}
        for name, rows in (("members", members), ("movies", movies))
    }
    return counts | {"plays": plays}


def known_changes(
    known: Known, known_before: Known, candidate: Model, current: Model, least_kept: float
) -> Iterator[Change]:
    """Yield the columns that lost more of their known values than the data lost members, movies or plays.

    `known` is of the new version and `known_before` of the current one, from its report; if it is empty, it is
    estimated. Columns that only one of the versions has aren't compared. Raises DamagedPiece if members of the current
    version can't be read.
    """
    now_rows, rows_before = (_rows(model, {}) for model in (candidate, current))
    used = {"members": _names(current.schema.member_attributes), "movies": _names(current.schema.movie_attributes)}
    for table, columns in (known_before or _estimated(current)).items():
        fewest = least_kept * min(now_rows[table] / max(rows_before[table], 1), 1.0)
        for column, before in columns.items():
            now = known[table].get(column)
            is_used = column in (RELEASE_YEAR, GENRES, COMPLETION, PLAYED_AT) or column in used[table]
            if now is not None and is_used and now < fewest * before:
                subject = f"{table}, values of column {column}"
                yield Change(subject, before, now, Outcome.HELD_BACK, "least_data_kept")


def id_changes(
    candidate: Model, current: Model, member_ids: pl.Series, key: MemberKey, least_kept: float
) -> Iterator[Change]:
    """Yield how many members and movies of the current version still occur in the new one.

    Members are compared with all `member_ids` in the data, published or not, unless the current version hashes ids with
    another key than `key`. Raises DamagedPiece if members of the current version can't be read.
    """
    if current.manifest.member_key in ("", key.fingerprint):
        yield _kept_members(current, member_ids, key if current.manifest.member_key else PLAIN, least_kept)
    movies = sum(row is not None for row in candidate.catalogue.rows(current.catalogue.movie_ids))
    yield _counted("movies in both versions", len(current.catalogue), movies, "least_ids_kept", least_kept, OTHER_IDS)


def _kept_members(current: Model, member_ids: pl.Series, key: MemberKey, least_kept: float) -> Change:
    """Return how many of the members that are published with the current version are still in the data."""
    hashes = {(first, second) for first, second, _ in islice(current.members.everyone(), SAMPLE)}
    left = sum(key.hash_of(member_id) in hashes for member_id in member_ids)
    of = f" (of {len(hashes):,} looked at)" if len(hashes) == SAMPLE else ""
    return _counted(f"members in both versions{of}", len(hashes), left, "least_ids_kept", least_kept, OTHER_IDS)


def _counted(subject: str, before: int, now: int, limit: str, least: float, remedy: str = "") -> Change:
    outcome = Outcome.UNCHANGED if now >= least * before else Outcome.HELD_BACK
    return Change(subject, before, now, outcome, limit, remedy)


def _rows(model: Model, kept_out: KeptOut) -> dict[str, int]:
    """Return numbers of rows, kept-out raters included; their ratings are estimated if a report doesn't count them."""
    raters, ratings = model.manifest.data["raters"], model.manifest.data["ratings"]
    more_raters = int(kept_out.get("members", 0))
    more_ratings = int(kept_out.get("ratings", ratings * more_raters / max(raters, 1)))
    all_plays = len(model.members.movies) if publishes_everybody(model) else model.manifest.data["plays"]
    return {
        "members": model.manifest.data["members"],
        "raters": raters + more_raters,
        "movies": len(model.catalogue),
        "ratings": ratings + more_ratings,
        "plays": all_plays + (0 if publishes_everybody(model) else int(kept_out.get("plays", 0))),
    }


def publishes_everybody(model: Model) -> bool:
    """Return whether all members in the data are published with a version."""
    return len(model.members) == model.manifest.data["members"]


def _estimated(model: Model) -> Known:
    """Return an estimate of the number of known values by table and column, from what a version was published with."""
    catalogue, schema = model.catalogue, model.schema
    movies = {
        RELEASE_YEAR: int(np.isfinite(catalogue.release_year).sum()),
        GENRES: int(np.isfinite(catalogue.genres[:, :1]).sum()),
    }
    for place, name in enumerate(_names(schema.movie_attributes)):
        movies[name] = int(np.isfinite(catalogue.attributes[:, place]).sum())
    facts, names = [facts for _, _, facts in islice(model.members.everyone(), SAMPLE)], _names(schema.member_attributes)
    known = np.isfinite([member.attributes for member in facts]).reshape(len(facts), len(names)).sum(axis=0)
    members = {
        name: round(count * len(model.members) / max(len(facts), 1))
        for name, count in zip(names, known.tolist(), strict=True)
    }
    weight = len(model.members.movies) / max(sum(len(member.movies) for member in facts), 1)
    arrays = {COMPLETION: [member.completion for member in facts], PLAYED_AT: [member.age_days for member in facts]}
    plays = {
        name: round(weight * sum(int(np.isfinite(values).sum()) for values in of_members))
        for name, of_members in arrays.items()
    }
    return {"members": members, "movies": movies, "plays": plays}


def _names(attributes: Sequence[Attribute]) -> list[str]:
    return [attribute.name for attribute in attributes]
