"""What the service recorded of members, read as ratings and plays beside those of the data."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from model.errors import BadOutcome
from model.facts.outcome_record import PATTERN, Outcome, from_line
from training.data.reading.events import PAIR, all_plays
from training.data.reading.tables import Tables
from training.errors import DataError, Problem

ORDER = ("happened_at", "received_at", "request_id")
"""Of two outcomes, the later one by these counts."""


@dataclass(frozen=True)
class Read:
    """What became of the outcomes of a folder."""

    tables: Tables
    """The tables with what was recorded."""
    ratings: int
    """Pairs whose rating is now a recorded one."""
    plays: int
    """Pairs of which a completion was recorded."""
    left_out: dict[str, int]
    """Outcomes that can't be used, by reason."""

    def note(self) -> str:
        """One sentence for the report."""
        told = f"outcomes: {self.ratings:,} ratings and {self.plays:,} plays were recorded by the service"
        left_out = "; ".join(f"{count:,} left out: {reason}" for reason, count in self.left_out.items() if count)
        return f"{told}; {left_out}" if left_out else told


def with_outcomes(tables: Tables, folder: Path) -> Read:
    """The tables with the outcomes of a folder; raises DataError where a file isn't as the service writes it.

    A recorded rating counts before one of the data, unless that one is known to be later. Outcomes of movies that the
    data lacks, and ratings outside its scale, are left out.
    """
    every = list(_once(_outcomes(folder)))
    movies = set(tables.movies[MOVIE_ID])
    scale = tables.scale
    known = [one for one in every if one.movie_id in movies]
    rated = [one for one in known if one.rating is not None]
    fit = [one for one in rated if scale.low <= (one.rating or 0.0) <= scale.high]
    watched = [one for one in known if one.completion is not None]
    ratings = _frame(fit, {RATED_AT: "happened_at", RATING: "rating"})
    plays = _frame(watched, {PLAYED_AT: "happened_at", COMPLETION: "completion"})
    latest = _latest(tables.ratings, ratings)
    every_play = pl.concat([tables.plays, plays.select(tables.plays.columns)])
    left_out = {
        "the data lacks their movie": len(every) - len(known),
        "their rating is outside the scale": len(rated) - len(fit),
    }
    return Read(
        replace(tables, ratings=latest.drop("recorded"), plays=all_plays(every_play, latest)),
        int(latest["recorded"].sum()),
        plays.n_unique(PAIR),
        left_out,
    )


def _outcomes(folder: Path) -> Iterator[Outcome]:
    """All outcomes, file by file; a last line that a crash has cut off was told to nobody."""
    if not folder.is_dir():
        raise DataError([Problem("outcomes", "there is no such folder")])
    problems: Counter[str] = Counter()
    for path in sorted(folder.glob(PATTERN)):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError([Problem("outcomes", f"{path.name} can't be read: {error.strerror}")]) from None
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                break
            try:
                yield from_line(line)
            except BadOutcome as error:
                problems[f"{path.name}, line {number}: {error}"] += 1
    if problems:
        raise DataError([Problem("outcomes", text) for text in list(problems)[:20]])


def _once(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Of each request id the outcome that was received first."""
    first: dict[str, Outcome] = {}
    for one in outcomes:
        before = first.setdefault(one.request_id, one)
        if one.received_at < before.received_at:
            first[one.request_id] = one
    return iter(first.values())


def _frame(outcomes: list[Outcome], columns: dict[str, str]) -> pl.DataFrame:
    """Rows of pairs with these columns, the latest outcome last."""
    ordered = sorted(outcomes, key=lambda one: tuple(getattr(one, name) for name in ORDER))
    ids = {MEMBER_ID: [one.member_id for one in ordered], MOVIE_ID: [one.movie_id for one in ordered]}
    numbers = {
        name: pl.Series([getattr(one, field) for one in ordered], dtype=pl.Float64) for name, field in columns.items()
    }
    return pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in ids.items()} | numbers)


def _latest(ratings: pl.DataFrame, recorded: pl.DataFrame) -> pl.DataFrame:
    """One rating of each pair, sorted: the latest, and a recorded one where the data doesn't tell when."""
    parts = (
        ratings.select(*PAIR, RATING, RATED_AT, recorded=pl.lit(False)),
        recorded.select(*PAIR, RATING, RATED_AT, recorded=pl.lit(True)),
    )
    every = pl.concat(parts).sort([*PAIR, RATED_AT], nulls_last=False, maintain_order=True)
    return every.unique(PAIR, keep="last", maintain_order=True)
