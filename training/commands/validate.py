"""`training validate`: check a data directory, and show what it contains."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from model.exit_codes import ExitCode
from training.commands.terminal import add_member_key, at_least, member_key, print_warnings
from training.data.files.remote_folder import data_place
from training.data.overview import ColumnOverview, Overview, TableOverview, make_overview
from training.data.reading.schema_file import SCHEMA_FILE
from training.data.reading.tables import temporary_tables
from training.errors import DataError, Problem, is_of_disk, shortened

WIDTH = 100
"""Maximum length of a line, in characters."""
NAME_WIDTH = 24
"""Maximum length of a column's name, in characters."""
BAR_WIDTH = 40
"""Length of the bar of the most frequent rating, in characters."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `training validate`."""
    parser.add_argument("--data", type=data_place, required=True, help="the data directory to check")
    add_member_key(parser)
    parser.add_argument("--min-holders", type=at_least(1), default=20, help="as for retrain (default 20)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, also if the data are refused")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the warnings and an overview of the tables, or all problems if the data can't be used.

    Examples are printed even if the output isn't a terminal, because whoever calls this command wants to see the data.
    """
    try:
        with temporary_tables(arguments.data, member_key(arguments)) as tables:
            overview = make_overview(tables, arguments.min_holders)
    except DataError as error:
        if is_of_disk(error):
            raise
        if arguments.json:
            print(_json(error.problems, error.warnings))
        else:
            print(error, file=sys.stderr)
            print_warnings(error.warnings, always_examples=True)
        return error.exit_code
    print(_json((), tables.warnings, overview) if arguments.json else described(overview, tables.warnings))
    return ExitCode.DONE


def _json(problems: Iterable[Problem], warnings: Iterable[Problem], overview: Overview | None = None) -> str:
    texts = {"problems": [*map(_fields, problems)], "warnings": [*map(_fields, warnings)]}
    return json.dumps(texts | (asdict(overview) if overview else {}), indent=2)


def _fields(problem: Problem) -> dict[str, Any]:
    fields = asdict(problem)
    del fields["is_warning"]
    return fields


def described(overview: Overview, warnings: tuple[Problem, ...]) -> str:
    """Return the warnings, then each table with its columns, the ids in common and the ratings, as aligned text."""
    sections = [_warnings(warnings), _tables(overview), _in_common(overview), _ratings(overview)]
    return "\n\n".join("\n".join(line.rstrip() for line in section) for section in sections)


def _warnings(warnings: tuple[Problem, ...]) -> Iterator[str]:
    yield f"{len(warnings) or 'no'} warning{'' if len(warnings) == 1 else 's'}"
    for warning in warnings:
        yield from wrap(str(warning), WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _tables(overview: Overview) -> Iterator[str]:
    columns = [column for table in overview.tables.values() for column in table.columns]
    name_width = min(max(len(column.name) for column in columns), NAME_WIDTH)
    value_width = max(len("values"), *(len(f"{column.values:,}") for column in columns))
    for place, (name, table) in enumerate(overview.tables.items()):
        if place:
            yield ""
        yield f"{name}: {_rows(name, table)}"
        yield f"  {'column':{name_width}}  {'kind':11}  {'values':>{value_width}}  missing  examples or range"
        for column in table.columns:
            if column.kind == "ignored":
                yield f"  {shortened(_printable(column.name), name_width):{name_width}}  ignored"
                continue
            start = (
                f"  {shortened(_printable(column.name), name_width):{name_width}}  {column.kind:11}  "
                f"{column.values:>{value_width},}  {_share(column.missing, table.rows_used):>7}  "
            )
            if column.left_out:
                yield f"{start}left out: too few {'movies' if name == 'movies' else 'raters'} per value"
            else:
                yield start + _contents(column, table.rows_used - column.missing, WIDTH - len(start))


def _rows(name: str, table: TableOverview) -> str:
    """Return the number of rows and files, and of pairs, since each pair of member and movie counts once."""
    rows = f"{table.rows:,} rows in {f'{len(table.files):,} files' if len(table.files) > 1 else ''.join(table.files)}"
    if not table.files:
        rows = "no such table"
    if name == "plays":
        return f"{rows}; {table.rows_used:,} pairs of member and movie played or rated"
    return f"{rows}; {table.rows_used:,} pairs of member and movie" if table.rows_used != table.rows else rows


def _contents(column: ColumnOverview, known: int, width: int) -> str:
    """Return range or examples of a column in at most `width` characters; `known` is the number of its values."""
    if column.lowest is not None:
        middle = "" if column.median is None else f", median {_number(column.median)}"
        return shortened(f"{_end(column, column.lowest)} to {_end(column, column.highest)}{middle}", width)
    note = f"; {column.merged:,} rare value{'' if column.merged == 1 else 's'} merged" if column.merged else ""
    shown = ""
    for example in column.examples:
        share = "" if column.kind == "title" else f" {_share(example.rows, known)}"
        longer = f"{shown}, {_printable(example.value)}{share}".removeprefix(", ")
        if len(longer) + len(note) > width - len(", …"):
            return f"{shown}, …{note}" if shown else shortened(longer, width)
        shown = longer
    return f"{shown}{', …' if column.values > len(column.examples) else ''}{note}"


def _end(column: ColumnOverview, value: float | str | None) -> str:
    """Return the lowest or highest value of a column; times without seconds."""
    if isinstance(value, str):
        return value.replace("T", " ")[:-4] if column.kind == "time" else _printable(value)
    return _number(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value == round(value) else f"{value:.5g}"


def _printable(value: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in value)


def _share(rows: int, of: int) -> str:
    share = rows / max(of, 1)
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def _in_common(overview: Overview) -> Iterator[str]:
    members, movies = overview.members, overview.movies
    catalogue = movies.rated + movies.only_played + movies.only_in_movies
    lines = (
        ("members who rate", members.raters, members.raters_in_members, members.raters, "are in members"),
        ("members who only play", members.players, members.players_in_members, members.players, "are in members"),
        ("members without a play", members.only_in_members, 0, 0, ""),
        ("movies rated", movies.rated, movies.rated, catalogue, "of movies"),
        ("movies only played", movies.only_played, movies.only_played, catalogue, "of movies"),
        ("movies without a play", movies.only_in_movies, movies.only_in_movies, catalogue, "of movies"),
    )
    width = max(len(f"{count:,}") for _, count, *_ in lines)
    yield "ids in common"
    for label, count, part, whole, text in lines:
        yield f"  {label:22}  {count:>{width},}" + (f"  {_share(part, whole)} {text}" if whole else "")


def _ratings(overview: Overview) -> Iterator[str]:
    low, high = overview.scale
    total = sum(count.rows for count in overview.ratings)
    most = max(count.rows for count in overview.ratings)
    enjoyed = _share(overview.enjoyed, total)
    scale = f"{low:g} to {high:g} {f'by {SCHEMA_FILE}' if overview.scale_is_stated else 'as seen'}"
    source = f"by {SCHEMA_FILE}" if overview.enjoyed_from_is_stated else "by default"
    yield f"scale {scale}, enjoyed from {overview.enjoyed_from:g} {source}: {enjoyed} of the ratings"
    labels = [
        f"{count.lowest:g}" if count.lowest == count.highest else f"{count.lowest:g} to {count.highest:g}"
        for count in overview.ratings
    ]
    label_width, width = max(map(len, labels)), len(f"{most:,}")
    for label, count in zip(labels, overview.ratings, strict=True):
        bar = "#" * round(BAR_WIDTH * count.rows / most)
        yield f"  {label:>{label_width}}  {count.rows:>{width},}  {_share(count.rows, total):>6}  {bar}"
