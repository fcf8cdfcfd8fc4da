"""Changes of the schema since the current version: scale, attributes, categories and genres."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from features.columns import GENRES
from features.schema import OTHER_GENRE, Attribute, Scale, Schema
from model.prediction.model import Model
from training.data.reading.schema_file import ColumnSettings, RatingSettings
from training.data.reading.tables import Tables, default_enjoyed_from
from training.errors import listed, shortened
from training.gate.gate_checks import Check

STATE_SCALE = "If this is meant, write {} in the section ratings of schema.toml, or use --force"
STATE_KIND = "If this is meant, name the column as {} in the section {} of schema.toml, or use --force"
BRING_BACK = "Bring the column back, or use --force if this is meant"
MEND = "Mend the values, or use --force if this is meant"


class Outcome(StrEnum):
    """What a change means for the decision."""

    UNCHANGED = ""
    NEW = "new"
    STATED = "stated in schema.toml"
    HELD_BACK = "HELD BACK"


@dataclass(frozen=True)
class Change:
    """A property of the data in the current version and in the new one."""

    subject: str
    """What is compared, such as a column."""
    before: str | int
    """Description of the property, or a count, in the current version."""
    now: str | int
    """The same in the new version."""
    outcome: Outcome
    """Whether the change holds the version back."""
    limit: str = "schema"
    """Name of the setting with the limit; `schema` if there is no number."""
    remedy: str = ""
    """What to do if the change is meant."""

    def check(self) -> Check:
        """Return the check that fails if the change holds the version back."""
        reason = f"{self.subject}: {count_or_text(self.now)}; in the current version: {count_or_text(self.before)}"
        return Check(self.limit, self.outcome is not Outcome.HELD_BACK, reason, self.remedy)

    def to_dict(self) -> dict[str, Any]:
        """Return the change in the form of the store's records."""
        return {"subject": self.subject, "before": self.before, "now": self.now, "outcome": str(self.outcome)}


def schema_changes(schema: Schema, tables: Tables, current: Model, least_kept: float) -> Iterator[Change]:
    """Yield the changes from the current version to the schema of the new one, which was inferred from the tables.

    Categories and genres may vanish if the share of the values that is left is at least `least_kept`.
    """
    yield from _scale_changes(current.schema.scale, schema.scale, tables.stated.ratings)
    for table in ("members", "movies"):
        before, now = (_by_name(getattr(each, f"{table[:-1]}_attributes")) for each in (current.schema, schema))
        columns = _Columns(table, getattr(tables, table), getattr(tables.stated, table), least_kept)
        for name, attribute in before.items():
            yield from columns.changes(attribute, now.get(name))
        for name, attribute in now.items():
            if name not in before:
                yield Change(f"{table}, column {name}", "not there", _described(attribute), Outcome.NEW)
    yield from _genre_changes(schema, tables, current, least_kept)


def _scale_changes(before: Scale, now: Scale, stated: RatingSettings) -> Iterator[Change]:
    if (before.low, before.high) != (now.low, now.high):
        outcome = Outcome.HELD_BACK if stated.scale is None else Outcome.STATED
        remedy = STATE_SCALE.format("scale")
        yield Change("rating scale", _range(before.low, before.high), _range(now.low, now.high), outcome, remedy=remedy)
    if before.enjoyed_from != now.enjoyed_from:
        follows = stated.scale is not None and before.enjoyed_from == default_enjoyed_from(before.low, before.high)
        outcome = Outcome.STATED if follows or stated.enjoyed_from is not None else Outcome.HELD_BACK
        remedy = STATE_SCALE.format("enjoyed_from")
        yield Change("enjoyed from", f"{before.enjoyed_from:g}", f"{now.enjoyed_from:g}", outcome, remedy=remedy)


@dataclass(frozen=True)
class _Columns:
    """Attribute columns of one table."""

    table: str
    """`members` or `movies`."""
    rows: pl.DataFrame
    """The table of the new version."""
    stated: ColumnSettings
    """What schema.toml states about the table."""
    least_kept: float
    """Minimum share of categorical values whose category still occurs."""

    def changes(self, before: Attribute, now: Attribute | None) -> Iterator[Change]:
        """Yield the changes from an attribute of the current version to that of the new one, None if it has none."""
        name = before.name
        if name in self.stated.ignore:
            yield self._change(before, "ignored", Outcome.STATED)
        elif name not in self.rows.columns:
            yield self._change(before, "not there", Outcome.HELD_BACK, BRING_BACK)
        elif not self.rows[name].count():
            yield self._change(before, "without values", Outcome.HELD_BACK, BRING_BACK)
        else:
            yield from self._value_changes(before, now)

    def _value_changes(self, before: Attribute, now: Attribute | None) -> Iterator[Change]:
        """Yield the changes of a column that has values."""
        name = before.name
        kind = "numeric" if self.rows.schema[name] == pl.Float64 else "categorical"
        shown = f"{kind}, left out" if now is None else _described(now)
        if kind != before.kind:
            outcome = Outcome.STATED if name in getattr(self.stated, kind) else Outcome.HELD_BACK
            yield self._change(before, shown, outcome, STATE_KIND.format(kind, self.table))
            return
        if now is None:  # a value more or less can have this effect
            yield self._change(before, shown, Outcome.UNCHANGED)
        elif _is_elsewhere(before, now):
            yield self._change(before, shown, Outcome.HELD_BACK, MEND)
        if kind == "categorical":
            shares = dict(zip(before.categories, before.shares, strict=False))  # the last share may be that of "other"
            values = set(self.rows[name].unique())
            left = {category: share if category in values else 0.0 for category, share in shares.items()}
            yield from _lost(self._subject(name), shares, left, now.categories if now else (), self.least_kept)

    def _change(self, before: Attribute, now: str, outcome: Outcome, remedy: str = "") -> Change:
        return Change(self._subject(before.name), _described(before), now, outcome, remedy=remedy)

    def _subject(self, name: str) -> str:
        return f"{self.table}, column {name}"


def _genre_changes(schema: Schema, tables: Tables, current: Model, least_kept: float) -> Iterator[Change]:
    new = [genre for genre in _named_genres(schema) if genre not in current.schema.genres]
    if new:
        yield Change("genres", f"{len(current.schema.genres):,} genres", f"also {_listed(new)}", Outcome.NEW)
    if GENRES in tables.stated.movies.ignore:
        return
    counts = tables.movies[GENRES].explode().drop_nulls().value_counts(name="movies")
    movies: dict[str, int] = dict(counts.iter_rows())
    fewer_movies = max(len(current.catalogue) / max(len(tables.movies), 1), 1.0)
    weights = dict(zip(current.schema.genres, np.nansum(current.catalogue.genres, axis=0).tolist(), strict=True))
    before = {genre: weights[genre] for genre in _named_genres(current.schema)}
    left = {genre: min(count, movies.get(genre, 0) * fewer_movies) for genre, count in before.items()}
    yield from _lost("movies, column genres", before, left, (), least_kept)


def _named_genres(schema: Schema) -> list[str]:
    """Return the genres without the one that stands for others."""
    return [genre for genre in schema.genres if not (schema.has_other_genre and genre == OTHER_GENRE)]


def _lost(
    subject: str, before: Mapping[str, float], left: Mapping[str, float], now: Sequence[str], least_kept: float
) -> Iterator[Change]:
    """Yield a change if too little is left of the categories or genres of the current version.

    `before` and `left` have the weight of each, in the current version and what is left of it; `now` has the categories
    of the new version, which enough members or movies have to be shown.
    """
    if sum(left.values()) < least_kept * sum(before.values()):
        lost = sorted(
            (name for name in before if left[name] < before[name]), key=lambda name: left[name] - before[name]
        )
        others = sorted(name for name in now if name not in before)
        text = f"few or no {_listed(lost)}" + (f"; but {_listed(others)}" if others else "")
        yield Change(subject, _listed(list(before)), text, Outcome.HELD_BACK, "least_data_kept")


def _is_elsewhere(before: Attribute, now: Attribute) -> bool:
    """Whether the median of each version lies outside the range of the other's knots, as after a change of the unit.

    An attribute that was constant may change.
    """
    return (
        before.kind == "numeric"
        and len(before.knots) > 1
        and not (
            before.knots[0] <= _median(now) <= before.knots[-1] or now.knots[0] <= _median(before) <= now.knots[-1]
        )
    )


def _median(attribute: Attribute) -> float:
    """Return the knot that is nearest to the median of a numeric attribute."""
    place = int(np.searchsorted(np.cumsum(attribute.shares), 0.5))
    return attribute.knots[min(place, len(attribute.knots) - 1)]


def _by_name(attributes: Sequence[Attribute]) -> dict[str, Attribute]:
    return {attribute.name: attribute for attribute in attributes}


def _described(attribute: Attribute) -> str:
    """Describe an attribute by its kind, and its categories or the range of most of its values."""
    if attribute.kind == "categorical":
        return f"categorical ({_listed(attribute.categories)})"
    return f"numeric (mostly {_range(attribute.knots[0], attribute.knots[-1])})"


def _range(low: float, high: float) -> str:
    return f"{low:g} to {high:g}" if low < high else f"{low:g}"


def _listed(names: Sequence[str]) -> str:
    """List categories or genres, in quotes if they have a comma."""
    return listed([f'"{shortened(name)}"' if "," in name else shortened(name) for name in names])


def count_or_text(value: str | int) -> str:
    """Format the property of a change."""
    return value if isinstance(value, str) else f"{value:,}"
