"""Reads a data directory into checked tables in canonical form, or reports every problem."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from features.schema import Scale
from training.data.files.table_files import refuse_no_folder
from training.data.passes.play_table import PlayTable, joined, play_table
from training.data.plausibility.spelling import check_spelling
from training.data.reading.checks import unknown_movies
from training.data.reading.entities import MEMBERS, MOVIES, read_entities
from training.data.reading.events import all_plays, read_plays, read_ratings
from training.data.reading.schema_file import SCHEMA_FILE, SchemaSettings, read_schema_file
from training.data.reading.sources import ReadTable, Source, open_table
from training.errors import DataError, Findings, Problem

TABLES = {"members": True, "movies": True, "ratings": True, "plays": False}
"""Names of the tables in a data directory, and whether each one is required."""

Reader = Callable[[Source], ReadTable]
"""Function that reads a table."""

ENJOYED_SHARE = 0.75
"""Unless schema.toml sets `enjoyed_from`, ratings count as enjoyed from this fraction of the way up the scale."""


@dataclass(frozen=True)
class TableFiles:
    """The files of a table."""

    names: tuple[str, ...] = ()
    """Names of the files, relative to the data directory; empty if there is no such table."""
    rows: int = 0
    """Number of rows in the files."""


@dataclass(frozen=True)
class Tables:
    """A data directory in canonical form; ids are text and never missing."""

    members: pl.DataFrame
    """`member_id`, then attributes. Categorical attributes are String (flags are `false` or `true`); numeric attributes
    are Float64 and finite. One row per member, sorted by id."""
    movies: pl.DataFrame
    """`movie_id`, `title`, `release_year` (Float64), `genres` (List(String): trimmed, sorted, without duplicates, null
    if unknown), then attributes with the same types as for members. One row per movie, sorted by id."""
    member_ids: pl.Series
    """Ids of the members in all tables, in lexicographic order."""
    play_table: PlayTable
    """One row per pair that was played or rated, with its latest rating, the time of its latest play and its highest
    completion. Members and movies are numbered in the order of their ids."""
    scale: Scale
    """The rating scale."""
    files: Mapping[str, TableFiles] = field(default_factory=dict)
    """The files that were read, by table; a table without files is missing."""
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Attributes that are codes or times, by table."""
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of the files that aren't read, by table."""
    warnings: tuple[Problem, ...] = ()
    """Unusual values that are possible, so that the data can be used."""
    stated: SchemaSettings = field(default_factory=SchemaSettings)
    """What schema.toml states; everything else is inferred from the files."""

    @staticmethod
    def of(
        members: pl.DataFrame, movies: pl.DataFrame, ratings: pl.DataFrame, plays: pl.DataFrame, scale: Scale
    ) -> "Tables":
        """Return tables with the ratings and plays of these frames, whose columns are those of the properties."""
        ids = [frame[MEMBER_ID].unique() for frame in (members, ratings, plays)]
        member_ids, movies = pl.concat(ids).unique().sort(), movies.sort(MOVIE_ID)
        rows = joined(ratings, plays, member_ids, movies[MOVIE_ID])
        return Tables(members, movies, member_ids, play_table(rows, len(member_ids)), scale)

    @cached_property
    def ratings(self) -> pl.DataFrame:
        """All ratings in memory: `member_id`, `movie_id`, `rating` and `rated_at` (seconds since 1970 UTC, null if
        unknown), one row per pair, sorted by pair."""
        rows = self.play_table.collect().filter(pl.col(RATING).is_not_null())
        return self._with_ids(rows).select(MEMBER_ID, MOVIE_ID, RATING, RATED_AT)

    @cached_property
    def plays(self) -> pl.DataFrame:
        """All plays in memory: `member_id`, `movie_id`, `played_at` (seconds since 1970 UTC) and `completion` (0 to 1),
        both null if unknown, one row per pair that was played or rated, sorted by pair."""
        return self._with_ids(self.play_table.collect()).select(MEMBER_ID, MOVIE_ID, PLAYED_AT, COMPLETION)

    def with_rows(self, ratings: pl.DataFrame | None = None, plays: pl.DataFrame | None = None) -> "Tables":
        """Return the tables with other ratings or plays."""
        of_frames = Tables.of(
            self.members,
            self.movies,
            self.ratings if ratings is None else ratings,
            self.plays if plays is None else plays,
            self.scale,
        )
        return replace(self, member_ids=of_frames.member_ids, play_table=of_frames.play_table)

    def of_members(self, kept: NDArray[np.bool_]) -> "Tables":
        """Return the tables with only the members selected by a mask of all members, and with all movies."""
        member_ids = self.member_ids.filter(pl.Series(kept))
        members = self.members.filter(pl.col(MEMBER_ID).is_in(member_ids.implode()))
        return replace(self, members=members, member_ids=member_ids, play_table=self.play_table.of_members(kept))

    def _with_ids(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(
            self.member_ids.gather(rows[MEMBER]).alias(MEMBER_ID),
            self.movies[MOVIE_ID].gather(rows[MOVIE]).alias(MOVIE_ID),
        )


def read_tables(folder: Path) -> Tables:
    """Read and check the tables of a data directory. Raises DataError listing all problems."""
    refuse_no_folder(str(folder), folder)
    findings = Findings()
    settings = SchemaSettings()
    with findings.gathered():
        settings = read_schema_file(folder)
    sources = _opened(folder, settings, findings)
    readers: dict[str, Reader] = {
        "members": lambda source: read_entities(source, MEMBERS, settings.members),
        "movies": lambda source: read_entities(source, MOVIES, settings.movies),
        "ratings": lambda source: read_ratings(source, settings.ratings),
        "plays": lambda source: read_plays(source, settings.plays),
    }
    read: dict[str, ReadTable] = {}
    for name, source in sources.items():
        with findings.gathered():
            read[name] = readers[name](source)
            findings.add(read[name].problems)
    members, movies, ratings, plays = (read[name].rows if name in read else None for name in TABLES)
    for name, rows in (("ratings", ratings), ("plays", plays)):
        if rows is not None and movies is not None and not movies.is_empty():
            findings.add(unknown_movies(name, MOVIE_ID, rows, movies))
    findings.add(_spelling_problems(members, ratings, plays))
    scale = None
    if ratings is not None and not ratings.is_empty():
        with findings.gathered():
            scale = _scale(settings, ratings)
    findings.refuse()
    assert members is not None  # noqa: S101  # if it is None, refuse() has raised DataError
    assert movies is not None  # noqa: S101
    assert ratings is not None  # noqa: S101
    assert scale is not None  # noqa: S101
    files = {
        name: TableFiles(tuple(file.name for file in source.files), read[name].rows_in_files)
        for name, source in sources.items()
    }
    codes = {name: table.codes for name, table in read.items()}
    ignored = {name: _ignored(source, settings) for name, source in sources.items()}
    warnings = tuple(findings.warnings)
    tables = Tables.of(members, movies, ratings, all_plays(plays, ratings), scale)
    return replace(tables, files=files, codes=codes, ignored=ignored, warnings=warnings, stated=settings)


def _opened(folder: Path, settings: SchemaSettings, findings: Findings) -> dict[str, Source]:
    """Open the tables, and add a finding for each one that can't be opened or is required but missing."""
    sources = {}
    for name, required in TABLES.items():
        with findings.gathered():
            source = open_table(folder, name, getattr(settings, name).missing)
            if source is not None:
                sources[name] = source
            elif required:
                text = f"the table is missing: there is neither {name}.parquet nor {name}.csv nor a folder {name}"
                findings.add([Problem(name, text)])
    return sources


def _spelling_problems(
    members: pl.DataFrame | None, ratings: pl.DataFrame | None, plays: pl.DataFrame | None
) -> list[Problem]:
    """Return problems with ids of members that are written differently in two tables."""
    if members is None or ratings is None or members.is_empty():
        return []
    described, raters = members[MEMBER_ID].drop_nulls().unique(), ratings[MEMBER_ID].unique()
    problems = check_spelling("ratings", "rate are in the members table", raters, described)
    if plays is not None:
        known = pl.concat([described, raters]).unique()
        players = plays[MEMBER_ID].drop_nulls().unique()
        problems += check_spelling("plays", "play are in the members or ratings table", players, known)
    return problems


def _scale(settings: SchemaSettings, ratings: pl.DataFrame) -> Scale:
    """Return the rating scale set in schema.toml, or else the range of the ratings."""
    low, high = settings.ratings.scale or (float(ratings[RATING].min()), float(ratings[RATING].max()))  # type: ignore[arg-type]
    enjoyed_from = settings.ratings.enjoyed_from
    if enjoyed_from is None:
        enjoyed_from = default_enjoyed_from(low, high)
    elif not low <= enjoyed_from <= high:
        text = f"[ratings] enjoyed_from is {enjoyed_from:g}, outside the scale {low:g} to {high:g}"
        raise DataError([Problem(SCHEMA_FILE, text)])
    return Scale(low, high, enjoyed_from)


def default_enjoyed_from(low: float, high: float) -> float:
    """Return the lowest rating of a scale that counts as enjoyed unless schema.toml sets another."""
    return low + ENJOYED_SHARE * (high - low)


def _ignored(source: Source, settings: SchemaSettings) -> tuple[str, ...]:
    """Return the columns of a table that aren't read."""
    if source.table in ("members", "movies"):
        return tuple(name for name in source.dtypes if name in getattr(settings, source.table).ignore)
    read = {MEMBER_ID, MOVIE_ID, *((RATING, RATED_AT) if source.table == "ratings" else (PLAYED_AT, COMPLETION))}
    return tuple(name for name in source.dtypes if name not in read)
