"""Frames of polars, pandas and Arrow: taken as tables of a data directory, and returned as they were given."""

from pathlib import Path
from typing import Any, Literal, TypeAlias

import polars as pl

from coldstart.errors import InvalidTables

FrameKind: TypeAlias = Literal["polars", "pandas", "arrow"]
TABLES = ("members", "movies", "ratings", "plays")
OPTIONAL = ("plays",)


def kind_of(frame: Any) -> FrameKind:
    """Return which library a frame is of. Raises InvalidTables if it is of none."""
    library, name = type(frame).__module__.partition(".")[0], type(frame).__name__
    if isinstance(frame, pl.DataFrame):
        return "polars"
    if library == "pandas" and name == "DataFrame":
        return "pandas"
    if library == "pyarrow" and name == "Table":
        return "arrow"
    raise InvalidTables(f"a table must be a frame of polars or pandas, or an Arrow table, not {name}")


def to_polars(frame: Any) -> pl.DataFrame:
    """Return a frame of any of the libraries as one of polars. The index of a pandas frame isn't a column."""
    kind = kind_of(frame)
    if kind == "polars":
        return frame  # type: ignore[no-any-return] # kind_of has checked it
    try:
        converted = pl.from_pandas(frame) if kind == "pandas" else pl.from_arrow(frame)
    except ImportError as error:
        raise InvalidTables("frames of pandas need pyarrow: pip install pyarrow") from error
    return converted.to_frame() if isinstance(converted, pl.Series) else converted


def from_polars(frame: pl.DataFrame, kind: FrameKind) -> Any:
    """Return a frame of polars as one of another library, which must be installed."""
    if kind == "pandas":
        return frame.to_pandas()
    return frame.to_arrow() if kind == "arrow" else frame


def write_tables(folder: Path, tables: dict[str, Any], schema: str | None) -> FrameKind:
    """Write frames as a data directory, with the text of its schema.toml if it has one, and return their library.

    Raises InvalidTables if a table is missing, or no frame.
    """
    for name in TABLES:
        frame = tables.get(name)
        if frame is not None:
            to_polars(frame).write_parquet(folder / f"{name}.parquet")
        elif name not in OPTIONAL:
            raise InvalidTables(f"{name} is missing: give the frames members, movies and ratings, or a folder")
    if schema is not None:
        (folder / "schema.toml").write_text(schema, encoding="utf-8")
    return kind_of(tables["ratings"])
