"""Tables that are written in odd but meaningful ways are the same data as the plain tables."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.data.infer_schema import infer_schema
from training.data.reading.tables import read_tables
from training.versions.provenance import fingerprint

SCHEMA = '[members]\ncategorical = ["job"]\nnumeric = ["score"]\n'
COUNT = 26


def plain_tables(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The sound tables with a column of each kind, some of whose values are missing."""

    def some(values: list[object]) -> list[object]:
        return [None if place % 7 == 3 else values[place % len(values)] for place in range(COUNT)]

    members = tables["members"].with_columns(
        job=pl.Series(some([1.0, 7.0, 12.0]), dtype=pl.Float64),
        happy=pl.Series(some([True, False]), dtype=pl.Boolean),
        score=pl.Series(some([0.5, -3.0, 1e6]), dtype=pl.Float64),
        country=pl.Series(some(["NA", "Côte d'Ivoire", "None"])),
    )
    genres = [["Comedy", "Drama"], ["War"], None, ["Children's", "War"], *[["Drama"]] * 4]
    played = [datetime(2024, 3, 1, 10, tzinfo=UTC), None, datetime(2024, 3, 2, tzinfo=UTC)]
    return tables | {
        "members": members,
        "movies": tables["movies"].with_columns(genres=pl.Series(genres, dtype=pl.List(pl.String))),
        "plays": tables["plays"].with_columns(played_at=pl.Series(played)),
    }


def text(column: pl.Series) -> list[str | None]:
    return column.cast(pl.String).to_list()


def marked(column: pl.Series, mark: str | None) -> pl.Series:
    return pl.Series(column.name, [mark if value is None else value for value in text(column)], dtype=pl.String)


MARKS = [None, "", " ", "NA", "NULL", "None", "\\N", "n/a", "-", "NaN"]
NUMBERS = ["{}", " {} ", "+{}", "{}e0"]


@st.composite
def written(draw: st.DrawFn, frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The frame with each column written in another way, and its rows in another order."""
    columns = [_written(draw, column, kind) for column in frame.iter_columns()]
    return pl.DataFrame(columns).sample(fraction=1, shuffle=True, seed=draw(st.integers(0, 99)))


def _written(draw: st.DrawFn, column: pl.Series, kind: str) -> pl.Series:
    name, mark = column.name, draw(st.sampled_from(MARKS))
    if name == "genres":
        return _genres(draw, column, kind)
    if name == "played_at":
        return _times(draw, column, mark)
    if name == "happy":
        names = draw(st.sampled_from([("true", "false"), ("True", "False"), ("TRUE", "FALSE"), (" true", "False  ")]))
        texts = [None if value is None else names[not value] for value in column]
        return marked(pl.Series(name, texts, dtype=pl.String), mark) if kind == "csv" else column
    if name in ("score", "completion") or (kind == "csv" and name in ("age", "release_year", "rating")):
        form = draw(st.sampled_from(NUMBERS))
        values = [None if value is None else form.format(value) for value in column.cast(pl.Float64)]
        values = values if "+" not in form else [value and value.replace("+-", "-") for value in values]
        return marked(pl.Series(name, values, dtype=pl.String), mark)
    if column.dtype.is_numeric():
        return column.cast(draw(st.sampled_from([pl.Float64, pl.Float32, pl.Decimal(10, 2), pl.Int32])), strict=False)
    if column.dtype == pl.String and not name.endswith("_id"):
        padded = pl.Series(name, [value and value.ljust(draw(st.integers(0, 20))) for value in column])
        return padded.cast(pl.Categorical) if kind == "parquet" and draw(st.booleans()) else padded
    return column


def _genres(draw: st.DrawFn, column: pl.Series, kind: str) -> pl.Series:
    forms = [
        json.dumps,
        repr,
        "|".join,
        " | ".join,
        lambda names: json.dumps([{"id": 1, "name": name} for name in names]),
    ]
    form = draw(st.sampled_from(forms))
    values = column.to_list()
    if kind == "parquet" and draw(st.booleans()):
        return column
    return pl.Series(
        "genres",
        [draw(st.sampled_from([None, "", "[]", "\\N"])) if names is None else form(names[::-1]) for names in values],
    )


def _times(draw: st.DrawFn, column: pl.Series, mark: str | None) -> pl.Series:
    forms = [
        datetime.isoformat,
        lambda moment: f"{moment:%Y-%m-%d %H:%M}",
        lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        lambda moment: f"{moment.timestamp():.0f}",
        lambda moment: f"{moment.timestamp()}",
    ]
    form = draw(st.sampled_from(forms))
    return pl.Series(column.name, [mark if moment is None else form(moment) for moment in column], dtype=pl.String)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tables_are_the_same_however_they_are_written(write_data, tables, kind, data):
    plain = plain_tables(tables)
    expected = read_tables(write_data("parquet", SCHEMA, **plain))
    odd = {name: data.draw(written(frame, kind), name) for name, frame in plain.items()}
    folder: Path = write_data(kind, SCHEMA, **odd)
    assert fingerprint(read_tables(folder)) == fingerprint(expected)
    assert infer_schema(read_tables(folder)) == infer_schema(expected)
