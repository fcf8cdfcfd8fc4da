"""Reads a data directory into checked tables in canonical form, or reports every problem."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING
from features.movies import MEMBER, MOVIE
from features.schema import Scale
from model.facts.member_key import PLAIN, MemberKey
from model.store.open import is_address
from training.data.files.forgotten_list import FORGOTTEN, NOBODY, Forgotten, read_forgotten
from training.data.files.remote_folder import copy_folder
from training.data.files.table_files import refuse_no_folder
from training.data.passes.play_table import PlayTable, joined, play_table
from training.data.reading.entities import MEMBERS, MOVIES, read_entities
from training.data.reading.events import Events, check_play_rows, check_rating_rows
from training.data.reading.merged_events import RatingCounts, merge_events
from training.data.reading.retention import Retention, retained
from training.data.reading.schema_file import SCHEMA_FILE, RatingSettings, SchemaSettings, read_schema_file
from training.data.reading.shared_ids import check_members, check_played_movies, check_rated_movies, number_ids
from training.data.reading.sources import ReadTable, Source, open_table
from training.errors import DataError, Findings, Problem

TABLES = {"members": True, "movies": True, "ratings": True, "plays": False}
"""Names of the tables in a data directory, and whether each one is required."""

NAMES = (SCHEMA_FILE, FORGOTTEN, *(f"{table}{suffix}" for table in TABLES for suffix in ("", ".csv", ".parquet")))
"""Names of all files and folders that may be read."""

Checked = TypeVar("Checked", ReadTable, Events)

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
    forgotten: Forgotten = NOBODY
    """Members who are left out of the tables, and have to be left out of what is added to them."""
    cutoff: float = -math.inf
    """Time in seconds since 1970 UTC before which ratings and plays are left out."""

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


@contextmanager
def temporary_tables(data: Path | str, key: MemberKey = PLAIN) -> Iterator[Tables]:
    """Read and check tables whose partitions are in a temporary folder; raises what `read_tables` does."""
    with TemporaryDirectory(prefix="coldstart-") as work:
        yield read_tables(data, Path(work), key)


def read_tables(
    data: Path | str, work: Path | None = None, key: MemberKey = PLAIN, retention: Retention | None = None
) -> Tables:
    """Read and check the tables of a data directory or, copied beforehand, of one at an address such as `s3://…`.

    Members on the list of forgotten ones are left out, for which `key` must be the key of their hashes; and so are rows
    that are too old by `retention`.

    Partitions of the play table are written to the folder `work`, where they must stay as long as the tables are used;
    if it is None, they are kept in memory. Raises DataError listing all problems, OSError if the disk is full, and what
    `copy_folder` does.
    """
    if not is_address(data):
        return _read_folder(Path(data), work, key, retention)
    with TemporaryDirectory(prefix="copy-", dir=work) as copy:
        copy_folder(str(data), NAMES, Path(copy))
        return _read_folder(Path(copy), work, key, retention)


def _read_folder(folder: Path, work: Path | None, key: MemberKey, retention: Retention | None) -> Tables:
    refuse_no_folder(str(folder), folder)
    findings, of_plays, forgotten = Findings(), Findings(), read_forgotten(folder, key)
    settings = SchemaSettings()
    with findings.gathered():
        settings = read_schema_file(folder)
    sources = _opened(folder, settings, forgotten, findings)
    members = _checked(sources, "members", findings, lambda source: read_entities(source, MEMBERS, settings.members))
    movies = _checked(sources, "movies", findings, lambda source: read_entities(source, MOVIES, settings.movies))
    ratings = _checked(sources, "ratings", findings, lambda source: check_rating_rows(source, settings.ratings))
    plays = _checked(sources, "plays", of_plays, lambda source: check_play_rows(source, settings.plays))
    cutoff = -math.inf
    if retention and not findings.problems and not of_plays.problems:
        ratings, plays, cutoff = retained(retention, ratings, plays, findings)
    ids = number_ids(members, movies, ratings, plays)
    play_table, counts = merge_events(ratings, plays, ids, work)
    findings.add(counts.problems(sources["ratings"], settings.ratings) if ratings is not None else [])
    findings.add((*of_plays.problems, *of_plays.warnings))
    findings.add(check_rated_movies(movies, ratings, counts.unknown, counts.unknown_movie))
    findings.add(check_played_movies(movies, plays))
    findings.add(check_members(members, ratings, plays))
    scale = None
    with findings.gathered():
        scale = _scale(settings.ratings, counts)
    findings.refuse()
    assert members is not None  # noqa: S101  # if one is None, refuse() has raised DataError
    assert movies is not None  # noqa: S101
    assert scale is not None  # noqa: S101
    tables = Tables(members.rows, movies.rows, ids.members, play_table, scale)
    read = {"members": members, "movies": movies, "ratings": ratings, "plays": plays}
    return replace(
        tables,
        files={
            name: TableFiles(sources[name].names, table.rows_in_files)
            for name, table in read.items()
            if table is not None
        },
        codes={"members": members.codes, "movies": movies.codes},
        ignored={name: _ignored(source, settings) for name, source in sources.items()},
        warnings=tuple(findings.warnings),
        stated=settings,
        forgotten=forgotten,
        cutoff=cutoff,
    )


def _opened(folder: Path, settings: SchemaSettings, forgotten: Forgotten, findings: Findings) -> dict[str, Source]:
    """Open the tables, without forgotten members.

    Adds a finding for each table that can't be opened, or is required but missing.
    """
    sources = {}
    for name, required in TABLES.items():
        with findings.gathered():
            source = open_table(folder, name, getattr(settings, name).missing)
            if source is not None:
                sources[name] = source.without(forgotten)
            elif required:
                text = f"the table is missing: there is neither {name}.parquet nor {name}.csv nor a folder {name}"
                findings.add([Problem(name, text)])
    return sources


def _checked(
    sources: Mapping[str, Source], name: str, findings: Findings, check: Callable[[Source], Checked]
) -> Checked | None:
    """Return what `check` makes of a table, and add its problems; None without a table that can be read."""
    with findings.gathered():
        if name in sources:
            table = check(sources[name])
            findings.add(table.problems)
            return table
    return None


def _scale(settings: RatingSettings, counts: RatingCounts) -> Scale | None:
    """Return the rating scale set in schema.toml, or else the range of the ratings; None without ratings."""
    levels = counts.levels.values
    if not len(levels):
        return None
    low, high = settings.scale or (float(levels[0]), float(levels[-1]))
    enjoyed_from = settings.enjoyed_from
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
