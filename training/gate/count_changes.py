"""Changes of counts since the current version: rows, known values, and ids that still occur."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from features.columns import COMPLETION, GENRES, PLAYED_AT, RELEASE_YEAR
from model.facts.facts import MemberFacts
from model.facts.member_table import MemberTable
from model.prediction.model import Model
from training.gate.kept_out import Split
from training.gate.schema_changes import Change, Outcome

SAMPLE = 5000
"""Maximum number of members that are looked at: those with the smallest hashes, which are a random sample."""

OTHER_IDS = "Check whether ids are written as before"
"""What to do if few ids still occur."""

KeptOut = Mapping[str, Any]
"""Counts of the raters that were kept out of a version's training, from its report; empty if unknown."""


def row_changes(
    candidate: Model, current: Model, kept_out: tuple[KeptOut, KeptOut], least_kept: float
) -> Iterator[Change]:
    """Yield the numbers of rows of both versions; `kept_out` is that of the new version, then of the current one."""
    now, before = (_rows(*version) for version in zip((candidate, current), kept_out, strict=True))
    for subject, count in before.items():
        yield _counted(subject, count, now[subject], "least_data_kept", least_kept)


def known_changes(split: Split, candidate: Model, current: Model, least_kept: float) -> Iterator[Change]:
    """Yield the columns that lost more of their known values than the data lost members, movies or plays.

    Columns that only the tables or only the current version have aren't compared. Raises DamagedPiece if members of
    either version can't be read.
    """
    now_rows, rows_before = (_rows(model, {}) for model in (candidate, current))
    known = _known_in_tables(split) | _known_plays(candidate.members)
    for (table, column), before in _known_values(current).items():
        now = known.get((table, column))
        if now is not None and now < least_kept * before * min(now_rows[table] / max(rows_before[table], 1), 1.0):
            subject = f"{table}, values of column {column}"
            yield Change(subject, before, now, Outcome.HELD_BACK, "least_data_kept")


def _known_in_tables(split: Split) -> dict[tuple[str, str], int]:
    """Return the number of known values by table and column of members, with kept-out raters, and of movies."""
    members = pl.concat([split.training.members, split.kept_out.members])
    movies = split.training.movies.drop(split.training.stated.movies.ignore, strict=False)
    return {
        (table, column.name): column.count()
        for table, rows in (("members", members), ("movies", movies))
        for column in rows.iter_columns()
    }


def id_changes(candidate: Model, current: Model, least_kept: float) -> Iterator[Change]:
    """Yield how many members and movies of the current version still occur in the new one.

    Raises DamagedPiece if members of the current version can't be read.
    """
    hashes = [(first, second) for first, second, _ in islice(current.members.everyone(), SAMPLE)]
    members = sum(candidate.members.row_of(first, second) is not None for first, second in hashes)
    movies = sum(row is not None for row in candidate.catalogue.rows(current.catalogue.movie_ids))
    for name, left, all_ in (("members", members, len(hashes)), ("movies", movies, len(current.catalogue))):
        of = f" (of {all_:,} looked at)" if name == "members" and all_ == SAMPLE else ""
        subject = f"{name} in both versions{of}"
        yield _counted(subject, all_, left, "least_ids_kept", least_kept, OTHER_IDS)


def _counted(subject: str, before: int, now: int, limit: str, least: float, remedy: str = "") -> Change:
    outcome = Outcome.UNCHANGED if now >= least * before else Outcome.HELD_BACK
    return Change(subject, before, now, outcome, limit, remedy)


def _rows(model: Model, kept_out: KeptOut) -> dict[str, int]:
    """Return numbers of rows, kept-out raters included; their ratings are estimated if a report doesn't count them."""
    raters, ratings = model.manifest.data["raters"], model.manifest.data["ratings"]
    more_raters = int(kept_out.get("members", 0))
    more_ratings = int(kept_out.get("ratings", ratings * more_raters / max(raters, 1)))
    return {
        "members": len(model.members),
        "raters": raters + more_raters,
        "movies": len(model.catalogue),
        "ratings": ratings + more_ratings,
        "plays": len(model.members.movies),
    }


def _known_values(model: Model) -> dict[tuple[str, str], int]:
    """Return the number of known values by table and column; an estimate for the tables members and plays."""
    catalogue, schema = model.catalogue, model.schema
    counts = {
        ("movies", RELEASE_YEAR): int(np.isfinite(catalogue.release_year).sum()),
        ("movies", GENRES): int(np.isfinite(catalogue.genres[:, :1]).sum()),
    }
    for place, attribute in enumerate(schema.movie_attributes):
        counts["movies", attribute.name] = int(np.isfinite(catalogue.attributes[:, place]).sum())
    facts, names = _sample(model.members), [attribute.name for attribute in schema.member_attributes]
    known = np.isfinite([member.attributes for member in facts]).reshape(len(facts), len(names)).sum(axis=0)
    for name, count in zip(names, known.tolist(), strict=True):
        counts["members", name] = round(count * len(model.members) / max(len(facts), 1))
    return counts | _known_plays(model.members)


def _known_plays(members: MemberTable) -> dict[tuple[str, str], int]:
    """Return an estimate of the number of known values by column of the table plays."""
    facts = _sample(members)
    plays = len(members.movies) / max(sum(len(member.movies) for member in facts), 1)
    known = {COMPLETION: [member.completion for member in facts], PLAYED_AT: [member.age_days for member in facts]}
    return {
        ("plays", name): round(plays * sum(int(np.isfinite(values).sum()) for values in of_members))
        for name, of_members in known.items()
    }


def _sample(members: MemberTable) -> list[MemberFacts]:
    return [facts for _, _, facts in islice(members.everyone(), SAMPLE)]
