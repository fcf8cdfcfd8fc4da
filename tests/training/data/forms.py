"""Writes the tables of a data directory in forms that mean the same: types, marks, parts, orders, encodings."""

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

KINDS = {
    "member_id": "id", "movie_id": "id",
    "age": "number", "score": "number", "gender": "text", "segment": "code", "happy": "flag",
    "title": "text", "release_year": "number", "genres": "genres", "minutes": "number", "colour": "flag",
    "rating": "number", "rated_at": "time", "played_at": "time", "completion": "number", "device": "text",
}  # fmt: skip
SCHEMA = """\
[members]
categorical = ["segment"]
missing = ["?"]
[movies]
missing = ["?"]
[ratings]
missing = ["?"]
[plays]
missing = ["?"]
"""
SCALES = ((1, 5, 1), (0, 4, 0.5), (1, 10, 1), (-10, 10, 1), (0, 1, 1))
MARKS = ("", " ", "NA", "NULL", "null", "None", "\\N", "n/a", "N/A", "-", "nan", "NaN", "?")
"""Missing values in columns of numbers, flags and times; in text only those of TEXT_MARKS are missing."""
TEXT_MARKS = ("", "  ", "?")
NAMES = ("Élan", "北京", "a,b", 'the "best"', "two\nlines", "NA", "Namibia", "-", "o'clock", "x|y")
FIRST_ATTRIBUTES = ("age", "score", "gender", "segment", "minutes", "genres")
"""Columns that folders can't give, since their columns come last, and those whose values no folder can name."""
COMPRESSIONS = ("uncompressed", "zstd", "snappy", "gzip", "lz4")


def meant_tables(seed: int) -> dict[str, pl.DataFrame]:
    """Random tables of 30 to 50 raters, in the types that they are meant in."""
    source = random.Random(seed)
    members = _ids(source, source.randint(30, 50), "member")
    movies = _ids(source, source.randint(8, 16), "movie")
    lowest, highest, step = SCALES[seed % len(SCALES)]
    ratings = [lowest + step * number for number in range(round((highest - lowest) / step) + 1)]
    rated = [(member, movie) for member in members for movie in source.sample(movies, 5)]
    played = [(member, movie) for member in members[::2] for movie in source.sample(movies, 3)]
    names = source.sample(NAMES, 4)

    def some(count: int, value: Callable[[], Any]) -> list[Any]:
        """Random values, about one in nine of them missing, the first two known and different."""
        first = value()
        second = next(other for other in iter(value, None) if other != first)
        return [first, second, *(None if source.random() < 1 / 9 else value() for _ in range(count - 2))]

    def times(count: int) -> list[Any]:
        return some(count, lambda: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=source.randrange(2_000_000)))

    def lists() -> list[str]:
        return source.sample(["Drama", "Film noir", "Sci-Fi", "Comédie"], source.randint(1, 3))

    return {
        "members": pl.DataFrame({
            "member_id": members,
            "age": some(len(members), lambda: float(source.randint(18, 80))),
            "score": some(len(members), lambda: source.randint(-40, 40) / 8),
            "gender": some(len(members), lambda: source.choice(names)),
            "segment": some(len(members), lambda: source.choice([1, 2, 30])),
            "happy": some(len(members), lambda: source.random() < 0.5),
        }),
        "movies": pl.DataFrame({
            "movie_id": movies,
            "title": some(len(movies), lambda: source.choice(NAMES)),
            "release_year": some(len(movies), lambda: float(source.randint(1950, 2024))),
            "genres": some(len(movies), lists),
            "minutes": some(len(movies), lambda: source.randint(160, 360) / 2),
            "colour": some(len(movies), lambda: source.random() < 0.5),
        }),
        "ratings": _pairs(rated).with_columns(
            pl.Series("rating", [float(source.choice(ratings)) for _ in rated]),
            pl.Series("rated_at", times(len(rated))),
        ),
        "plays": _pairs(played).with_columns(
            pl.Series("played_at", times(len(played))),
            pl.Series("completion", some(len(played), lambda: source.randint(0, 8) / 8)),
        ),
    }  # fmt: skip


def _ids(source: random.Random, count: int, word: str) -> list[str]:
    numbers = source.sample(range(1, 200), count)
    return [f"{number}" for number in numbers] if source.random() < 0.5 else [f"{word} {n:03}é" for n in numbers]


def _pairs(pairs: Sequence[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=["member_id", "movie_id"], orient="row")


def write_plainly(folder: Path, tables: dict[str, pl.DataFrame]) -> Path:
    """Write one Parquet file for each table, in the types that the tables are meant in."""
    folder.mkdir()
    (folder / "schema.toml").write_text(SCHEMA)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


def write_oddly(draw: Draw, folder: Path, tables: dict[str, pl.DataFrame]) -> Path:
    """Write each table in a form that `draw` chooses."""
    folder.mkdir()
    (folder / "schema.toml").write_text(SCHEMA)
    for name, table in tables.items():
        rows = _with_more(draw, name, table).sample(fraction=1, shuffle=True, seed=draw(st.integers(0, 9)))
        if draw(st.booleans()):
            rows = rows.select(*rows.columns[1:], rows.columns[0])
        write = {"csv": _write_csv, "parquet": _write_parquet, "parts": _write_parts}
        write[draw(st.sampled_from(sorted(write)))](draw, folder, name, rows)
    return folder


def _with_more(draw: Draw, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, with some that count for nothing, and with a column that isn't read."""
    if name == "ratings" and draw(st.booleans()):
        earlier = pl.col("rated_at") - pl.duration(days=draw(st.integers(1, 9)))
        again = rows.head(12).drop_nulls("rated_at").with_columns(earlier, pl.col("rating").reverse())
        rows = pl.concat([rows, again])
    if name == "plays" and draw(st.booleans()):
        rows = pl.concat([rows, rows.head(5)])
    if name in ("ratings", "plays") and draw(st.booleans()):
        rows = rows.with_columns(device=pl.lit("tv"))
    return rows


def _write_csv(draw: Draw, folder: Path, name: str, rows: pl.DataFrame) -> None:
    source = random.Random(draw(st.integers(0, 99)))
    texts = [_texts(source, rows[column], _marks(draw, column)) for column in rows.columns]
    written = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    writer = csv.writer(written, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerow(rows.columns)
    writer.writerows(zip(*texts, strict=True))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig"]))
    (folder / f"{name}.csv").write_bytes(written.getvalue().encode(encoding))


def _write_parquet(draw: Draw, folder: Path, name: str, rows: pl.DataFrame) -> None:
    forms = {column: _drawn(draw, _families(rows[column])) for column in rows.columns}
    _write_part(draw, folder / f"{name}.parquet", rows, {column: _drawn(draw, some) for column, some in forms.items()})


def _drawn(draw: Draw, choices: Sequence[Any]) -> Any:
    """One of the choices, drawn by its position, which is short enough to be printed."""
    return choices[draw(st.integers(0, len(choices) - 1))]


def _write_parts(draw: Draw, folder: Path, name: str, rows: pl.DataFrame) -> None:
    """Write parts at different depths, whose types may differ as far as they have a common one."""
    families = {column: _drawn(draw, _families(rows[column])) for column in rows.columns}
    key = draw(st.sampled_from([None, *(column for column in rows.columns if column not in FIRST_ATTRIBUTES)]))
    slices = list(rows.iter_slices(draw(st.sampled_from([7, 20, 1000]))))
    complete = draw(st.integers(0, len(slices) - 1))  # the part that tells the order of columns
    number = 0
    for position, part in enumerate(slices):
        in_folders = key is not None and draw(st.booleans())
        for place, some in _partitioned(part, key) if in_folders else [(draw(st.sampled_from(["", "old"])), part)]:
            number += 1
            file = folder / name / place / f"part-{number}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            forms = {column: _drawn(draw, families[column]) for column in some.columns}
            may_lack = position != complete and not in_folders and draw(st.booleans())
            empty = [column for column in some.columns if some[column].null_count() == len(some)]
            _write_part(draw, file, some.drop(empty) if may_lack else some, forms)
            if draw(st.booleans()):
                _write_part(draw, file.with_stem(f"part-{number}-empty"), some.clear(), forms)
    for name_to_skip in draw(st.sets(st.sampled_from(["_SUCCESS", "._part-0.parquet", ".part-0.parquet.crc"]))):
        (folder / name / name_to_skip).write_bytes(b"\0\5\x16\7")


def _partitioned(part: pl.DataFrame, key: str) -> list[tuple[str, pl.DataFrame]]:
    """The rows of each value of a column, without that column, and the folder of the value, named as by Spark."""
    return [
        (f"{key}={'__HIVE_DEFAULT_PARTITION__' if value is None else quote(_partition(value), safe=' ')}", some)
        for (value,), some in part.partition_by(key, as_dict=True, include_key=False, maintain_order=True).items()
    ]


def _partition(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_part(draw: Draw, file: Path, rows: pl.DataFrame, forms: dict[str, "Form"]) -> None:
    source = random.Random(draw(st.integers(0, 99)))
    written = pl.DataFrame([forms[column.name](source, column).alias(column.name) for column in rows.iter_columns()])
    size = draw(st.sampled_from([None, 5]))
    written.write_parquet(file, compression=draw(st.sampled_from(COMPRESSIONS)), row_group_size=size)


Form = Callable[[random.Random, pl.Series], pl.Series]
"""Writes a column in other types that mean the same."""


def _families(column: pl.Series) -> list[list[Form]]:
    """The forms of a column, in groups that have a common type."""
    return {"id": _id_forms, "number": _number_forms, "flag": _flag_forms, "text": _text_forms, "time": _time_forms,
            "genres": _genres_forms, "code": _code_forms}[KINDS[column.name]](column)  # fmt: skip


def _cast(dtype: Any) -> Form:
    return lambda _, column: column.cast(dtype)


def _as_text(column: pl.Series, marks: Sequence[str | None]) -> Form:
    return lambda source, part: pl.Series(_texts(source, part, marks), dtype=pl.String)


def _id_forms(column: pl.Series) -> list[list[Form]]:
    texts = [_cast(pl.String), _cast(pl.Categorical)]
    if not column.str.contains(r"^[1-9]\d*$").all():
        return [texts]
    return [texts, [_cast(pl.Int64), _cast(pl.UInt16), _cast(pl.Int32)]]


def _number_forms(column: pl.Series) -> list[list[Form]]:
    def with_nan(_: random.Random, part: pl.Series) -> pl.Series:
        return part.cast(pl.Float64).fill_null(float("nan"))

    numbers = [_cast(pl.Float64), _cast(pl.Float32), _cast(pl.Decimal(12, 3)), with_nan]
    known = column.drop_nulls()
    if (known == known.floor()).all():
        numbers += [_cast(pl.Int64), _cast(pl.Int16)]
    return [numbers, [_as_text(column, [None, *MARKS])]]


def _code_forms(column: pl.Series) -> list[list[Form]]:
    numbers = [_cast(dtype) for dtype in (pl.Int64, pl.UInt8, pl.Float64, pl.Float32, pl.Decimal(9, 2))]
    return [numbers, [_as_text(column, [None, *TEXT_MARKS])]]


def _flag_forms(column: pl.Series) -> list[list[Form]]:
    return [[_cast(pl.Boolean)], [_as_text(column, [None, *MARKS])]]


def _text_forms(column: pl.Series) -> list[list[Form]]:
    categories = pl.Enum(column.drop_nulls().unique().sort().to_list())
    return [[_as_text(column, [None, *TEXT_MARKS]), _cast(pl.Categorical)], [_cast(categories)]]


def _time_forms(column: pl.Series) -> list[list[Form]]:
    def seconds(_: random.Random, part: pl.Series) -> pl.Series:
        return part.dt.epoch("s")

    def fractions(_: random.Random, part: pl.Series) -> pl.Series:
        return part.dt.epoch("s").cast(pl.Float64)

    def without_zone(_: random.Random, part: pl.Series) -> pl.Series:
        return part.dt.replace_time_zone(None)

    zoned: list[Form] = [_cast(pl.Datetime(unit, "UTC")) for unit in ("ms", "us", "ns")]
    zoned.append(_cast(pl.Datetime("us", "Asia/Tokyo")))
    return [zoned[:3], zoned[3:], [without_zone], [seconds, fractions], [_as_text(column, [None, *MARKS])]]


def _genres_forms(column: pl.Series) -> list[list[Form]]:
    def structs(_: random.Random, part: pl.Series) -> pl.Series:
        lists = [None if names is None else [{"id": 7, "name": name} for name in names] for names in part]
        return pl.Series(lists, dtype=pl.List(pl.Struct({"id": pl.Int64, "name": pl.String})))

    def untidy(_: random.Random, part: pl.Series) -> pl.Series:
        lists = [[] if names is None else [f" {names[0]} ", None, "", *names] for names in part]
        return pl.Series(lists, dtype=pl.List(pl.String))

    lists = [_cast(pl.List(pl.String)), _cast(pl.List(pl.Categorical)), untidy]
    return [lists, [structs], [_as_text(column, [None, *MARKS, "[]"])]]


def _marks(draw: Draw, column: str) -> list[str]:
    """The texts of missing values in a column of a CSV file."""
    if KINDS[column] in ("id", "text", "code"):
        return list(TEXT_MARKS)
    return draw(st.lists(st.sampled_from(MARKS), min_size=1, max_size=3))


def _texts(source: random.Random, column: pl.Series, marks: Sequence[str | None]) -> list[str | None]:
    """The values of a column as text, each in a way of its own, except that genres are all written in one way."""
    kind = KINDS[column.name]
    style = source.randrange(6)
    return [source.choice(marks) if value is None else _text(source, kind, value, style) for value in column]


def _text(source: random.Random, kind: str, value: Any, style: int) -> str:
    if kind == "number":
        whole = [f"{value:.0f}", f" {value:.0f} ", f"{value:.0f}.0"] if value == round(value) else []
        return source.choice([*whole, f"{value:+}", f"{value!r}", f" {value!r}", f"{value:e}", str(Decimal(value))])
    if kind == "code":
        return source.choice([f"{value}", f"{value}.0", f" {value} "])
    if kind == "flag":
        return source.choice([str(value), str(value).lower(), str(value).upper(), f" {value} "])
    if kind == "time":
        return _time_text(source, value)
    if kind == "genres":
        return _genres_text(source, value, style)
    return value if kind == "id" else source.choice([value, f"{value}   "])


def _time_text(source: random.Random, moment: datetime) -> str:
    shifted = moment.astimezone(timezone(timedelta(minutes=source.choice([-300, 0, 90]))))
    naive = moment.replace(tzinfo=None)
    return source.choice(
        [moment.isoformat(), shifted.isoformat(" "), naive.isoformat(), f"{naive:%Y-%m-%d %H:%M}",
         f"{naive.isoformat()}Z", f"{moment.timestamp():.0f}", f"{moment.timestamp()}"]
    )  # fmt: skip


def _genres_text(source: random.Random, genres: Sequence[str], style: int) -> str:
    mixed = source.sample(list(genres), len(genres))
    objects = [{"id": number, "name": name} for number, name in enumerate(mixed)]
    styles = (
        source.choice(["|", " | "]).join(mixed),
        json.dumps(mixed, ensure_ascii=source.random() < 0.5),
        json.dumps(objects),
        repr(mixed),
        repr(objects),
        "{" + ",".join(f'"{name}"' for name in mixed) + "}",
    )
    return styles[style]
