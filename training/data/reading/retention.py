"""Leaves out ratings and plays that are older than a number of days, counted from the latest time in the data."""

import math
from dataclasses import dataclass

import polars as pl

from features.columns import PLAYED_AT, RATED_AT
from model.facts.facts import SECONDS_PER_DAY
from training.data.reading.events import Events, too_few
from training.data.reading.sources import collect
from training.errors import Findings, Problem

TIMES = {"ratings": RATED_AT, "plays": PLAYED_AT}
"""Column of the time in each table of events."""


@dataclass(frozen=True)
class Retention:
    """How long ratings, plays and outcomes are kept."""

    days: float
    """Age in days from which rows are left out."""
    drops_untimed: bool = False
    """Whether rows without a time are left out too."""
    latest: float = -math.inf
    """A time in seconds since 1970 UTC that counts as one in the data, such as that of the last recorded outcome."""


def retained(
    retention: Retention, ratings: Events | None, plays: Events | None, findings: Findings
) -> tuple[Events | None, Events | None, float]:
    """Return the tables without rows that are too old, and the time in seconds since 1970 UTC before which they are.

    The number of rows that are left out, and of rows without a time, are added to the findings as warnings.
    """
    tables = [events for events in (ratings, plays) if events is not None]
    cutoff = max([retention.latest, *map(_latest, tables)]) - retention.days * SECONDS_PER_DAY
    kept = {events.source.table: _within(events, retention, cutoff, findings) for events in tables}
    return kept.get("ratings"), kept.get("plays"), cutoff


def _within(events: Events, retention: Retention, cutoff: float, findings: Findings) -> Events:
    time = pl.col(TIMES[events.source.table])
    is_old, is_untimed = (time < cutoff).fill_null(False), time.is_null()
    (counts,) = collect(events.source, events.rows.select(is_old.sum().alias("old"), is_untimed.sum().alias("untimed")))
    kept = events.where(~is_old & ~is_untimed if retention.drops_untimed else ~is_old)
    findings.add(_warnings(events, retention, *counts.row(0)))
    findings.add(too_few(kept) if events.source.table == "ratings" else [])
    return kept


def _latest(events: Events) -> float:
    """Return the time of the last row in seconds since 1970 UTC; -inf if no time is known."""
    (latest,) = collect(events.source, events.rows.select(pl.col(TIMES[events.source.table]).max()))
    return -math.inf if latest.item() is None else float(latest.item())


def _warnings(events: Events, retention: Retention, old: int, untimed: int) -> list[Problem]:
    table = events.source.table
    untimed_text = "without a time, which are left out" if retention.drops_untimed else "without a time, which are kept"
    texts = {f"older than {retention.days:g} days, which are left out": old, untimed_text: untimed}
    return [Problem(table, text, TIMES[table], rows, is_warning=True) for text, rows in texts.items() if rows]
