"""Reads Parquet parts as one frame: columns of different types get a common type, missing columns are null."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from features.columns import MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT
from features.schema import FLAGS
from features.values import column_types, missing, numbers
from features.values.flags import flag
from features.values.missing import NO_MARKS
from training.data.files.table_files import TableFile, readable
from training.errors import listed

IDS, TIMES = (MEMBER_ID, MOVIE_ID), (RATED_AT, PLAYED_AT)
MOMENT = pl.Datetime("us", "UTC")
ISO_MICROSECONDS = "%Y-%m-%dT%H:%M:%S%.6fZ"
FILE = "path of the part"
"""Column with the path of the file that a row is from."""


@dataclass(frozen=True)
class Group:
    """Parts with the same columns and types, which are read by one scan."""

    parts: Sequence[TableFile]
    """The files."""
    dtypes: Mapping[str, pl.DataType]
    """Types of the columns, by name; columns given by folders are text."""
    rows: pl.LazyFrame
    """Rows of all parts."""


@dataclass(frozen=True)
class Conflict:
    """What the files hold in a column whose types don't go together."""

    text: str
    """The types and the names of the files: a phrase that follows "holds"."""
    example: str | None = None
    """A text that stands among numbers, or None."""


@dataclass(frozen=True)
class Joined:
    """The parts of a table as one frame."""

    rows: pl.LazyFrame
    """Rows of all parts, without the columns in `conflicts`."""
    dtypes: dict[str, pl.DataType]
    """Types of the columns, by name."""
    conflicts: Mapping[str, Conflict] = field(default_factory=dict)
    """Columns whose types don't go together."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Columns that some parts lack, each with the names of these parts."""


@dataclass(frozen=True)
class Cast:
    """How a column is read from all groups."""

    dtype: pl.DataType
    """The common type."""
    blank: frozenset[int] = frozenset()
    """Groups in which no row has a value, whose type doesn't matter."""


def join_parts(table: str, parts: Sequence[TableFile], marks: Collection[str] = NO_MARKS) -> Joined:
    """Return the parts as one frame. Only footers are read, and the values of columns whose types don't go together.

    `marks` stand for missing values, in addition to the usual ones. Raises DataError if a file isn't Parquet.
    """
    groups = _groups(table, parts)
    if len(groups) == 1:
        return Joined(groups[0].rows, dict(groups[0].dtypes))
    casts: dict[str, Cast] = {}
    conflicts: dict[str, Conflict] = {}
    widest_first = sorted(groups, key=lambda group: -len(group.dtypes))  # a missing column leaves the order as it is
    names = dict.fromkeys(name for group in widest_first for name in group.dtypes)
    for name in names:
        cast = _cast(table, name, groups, marks)
        if isinstance(cast, Cast):
            casts[name] = cast
        else:
            conflicts[name] = cast
    frames = [group.rows.select(_columns(place, group, casts, marks)) for place, group in enumerate(groups)]
    lacking = {
        name: listed([part.name for group in groups if name not in group.dtypes for part in group.parts])
        for name in names
        if any(name not in group.dtypes for group in groups)
    }
    return Joined(pl.concat(frames), {name: cast.dtype for name, cast in casts.items()}, conflicts, lacking)


def _groups(table: str, parts: Sequence[TableFile]) -> list[Group]:
    """Group the parts by columns, types and the columns that their folders give. Groups without rows are left out,
    unless all groups are.
    """
    alike: dict[tuple[tuple[tuple[str, pl.DataType], ...], frozenset[str]], list[TableFile]] = {}
    for part in parts:
        with readable(table, part.name):
            footer = pl.scan_parquet(part.path, glob=False, hive_partitioning=False).collect_schema()
        schema = dict(footer) | dict.fromkeys(part.keys, pl.String())
        alike.setdefault((tuple(schema.items()), frozenset(part.keys)), []).append(part)
    groups = [
        Group(some, dict(schema), _scan(some, [name for name, _ in schema])) for (schema, _), some in alike.items()
    ]
    if len(groups) == 1:
        return groups
    counts = pl.collect_all([group.rows.select(pl.len()) for group in groups])
    return [group for group, count in zip(groups, counts, strict=True) if count.item()] or groups[:1]


def _scan(parts: Sequence[TableFile], names: Sequence[str]) -> pl.LazyFrame:
    """Return the rows of parts with the same schema; values in names of folders override those in the files."""
    paths, keys = [part.path for part in parts], parts[0].keys
    rows = pl.scan_parquet(paths, glob=False, hive_partitioning=False, include_file_paths=FILE if keys else None)
    values = [
        pl.col(FILE)
        .replace_strict([str(path) for path in paths], [part.keys[key] for part in parts], return_dtype=pl.String)
        .alias(key)
        for key in keys
    ]
    return rows.with_columns(values).select(names)


def _columns(place: int, group: Group, casts: Mapping[str, Cast], marks: Collection[str]) -> list[pl.Expr]:
    """Return the expressions that read all columns from the group at this place."""
    return [
        pl.lit(None, cast.dtype).alias(name)
        if name not in group.dtypes or place in cast.blank
        else _converted(name, group.dtypes[name], cast.dtype, marks).alias(name)
        for name, cast in casts.items()
    ]


def _converted(name: str, dtype: pl.DataType, target: pl.DataType, marks: Collection[str]) -> pl.Expr:
    column = pl.col(name)
    if dtype == target:
        return column
    if column_types.is_text(dtype) and target == pl.Float64:
        return numbers.number(name, dtype, marks)
    if column_types.is_text(dtype) and target == pl.Boolean:
        return flag(name, marks) == "true"
    if dtype in (pl.Datetime, pl.Date):
        naive = dtype == pl.Date or dtype.time_zone is None  # type: ignore[attr-defined]
        moment = column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") if naive else column.cast(MOMENT)
        return moment.dt.to_string(ISO_MICROSECONDS) if target == pl.String else moment
    return column.cast(target)


def _cast(table: str, name: str, groups: Sequence[Group], marks: Collection[str]) -> Cast | Conflict:
    """Return how a column is read, or what the files hold if their types don't go together."""
    holders = {place: group for place, group in enumerate(groups) if name in group.dtypes}
    common = common_type(name, [group.dtypes[name] for group in holders.values()])
    if common is not None:
        return Cast(common)
    with readable(table, name):
        seen = pl.collect_all(
            [group.rows.select(_seen(name, group.dtypes[name], marks)) for group in holders.values()],
            engine="streaming",
        )
    values = {place: frame.row(0, named=True) for place, frame in zip(holders, seen, strict=True)}
    filled = [place for place in holders if values[place]["given"]]
    blank = frozenset(holders) - frozenset(filled)
    common = common_type(name, [groups[place].dtypes[name] for place in filled])
    if common is not None:
        return Cast(common, blank)
    kinds = {_kind(groups[place].dtypes[name]) for place in filled}
    for kind, target in (("number", pl.Float64()), ("flag", pl.Boolean())):
        if name not in IDS and kinds == {"text", kind} and all(values[place][f"no {kind}"] is None for place in filled):
            return Cast(target, blank)
    held = [_holding(groups[place], name, values[place]) for place in filled]
    examples = [values[place]["no number"] for place in filled if values[place]["no number"] is not None]
    return Conflict(" and ".join(held), next(iter(examples), None))


def _seen(name: str, dtype: pl.DataType, marks: Collection[str]) -> list[pl.Expr]:
    """Return expressions for whether any row has a value, and for a text that is no number and one that is no flag."""
    given = missing.is_given(name, dtype, marks).any().alias("given")
    if not column_types.is_text(dtype):
        return [given, *(pl.lit(None, pl.String).alias(key) for key in ("no number", "no flag"))]
    text = missing.unmarked_text(name, marks)
    no_number = text.filter(numbers.no_number(name, dtype, marks))
    no_flag = text.filter(~text.str.to_lowercase().is_in(FLAGS))
    return [given, no_number.first().alias("no number"), no_flag.first().alias("no flag")]


def _holding(group: Group, name: str, values: Mapping[str, str | None]) -> str:
    held = str(group.dtypes[name]) if values["no number"] is None else "text that is no number"
    return f"{held} in {listed([part.name for part in group.parts])}"


def common_type(name: str, dtypes: Iterable[pl.DataType]) -> pl.DataType | None:
    """Return a type that holds the values of all types without loss, or None if there is none.

    Ids and times may also be text in some parts and numbers or timestamps in others: they become text.
    """
    given = {dtype for dtype in dtypes if dtype != pl.Null}
    kinds = {_kind(dtype) for dtype in given}
    if len(given) <= 1:
        return next(iter(given), pl.Null())
    if name in IDS:
        whole = all(column_types.is_id(dtype) for dtype in given)
        return None if not whole else _integer(given) if kinds == {"number"} else pl.String()
    if name in TIMES and kinds <= {"text", "number", "time"} and len(kinds) > 1:
        return pl.String()
    if kinds == {"text"}:
        return pl.String() if pl.String in given else pl.Categorical()
    if kinds <= {"number", "flag"}:
        return _integer(given) if all(dtype.is_integer() or dtype == pl.Boolean for dtype in given) else pl.Float64()
    if kinds == {"time"}:
        return MOMENT
    if all(isinstance(dtype, pl.List) for dtype in given):
        inner = common_type("", [dtype.inner for dtype in given])  # type: ignore[attr-defined]
        return None if inner is None else pl.List(inner)
    return None


def _integer(dtypes: Iterable[pl.DataType]) -> pl.DataType:
    return pl.Int128() if any(dtype in (pl.UInt64, pl.Int128) for dtype in dtypes) else pl.Int64()


def _kind(dtype: pl.DataType) -> str:
    if column_types.is_text(dtype):
        return "text"
    if dtype.is_numeric():
        return "number"
    return "flag" if dtype == pl.Boolean else "time" if dtype in (pl.Datetime, pl.Date) else "other"
