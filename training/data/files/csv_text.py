"""Explains in words why a CSV file can't be read: its encoding, its separator, or a line with too many fields."""

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import TextIO

from features.columns import MEMBER_ID, MOVIE_ID

HEAD_BYTES = 1 << 16
"""Number of bytes at the start of a file in which the encoding and the header are looked for."""
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "|"}
"""Separators that other programs write in place of commas, and their names."""


def fault_of_head(path: Path) -> str | None:
    """Return why a file can't be CSV in UTF-8 with commas, judged by its first bytes; None if nothing is wrong."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in head:
        return "it is UTF-16 or no text: save it as CSV in UTF-8"
    header = head.removeprefix(BOM_UTF8).partition(b"\n")[0].decode("utf-8", errors="replace")
    if not _has_id(header, ","):
        for separator, name in SEPARATORS.items():
            if _has_id(header, separator):
                return f"its columns are separated by {name}: separate them by commas, or write Parquet"
    if "\r" in header.rstrip("\r"):
        return "its lines end with a carriage return alone: save it with the line ends of Unix or Windows"
    return _fault_of_end(path, len(next(csv.reader([header]), [])))


def _fault_of_end(path: Path, columns: int) -> str | None:
    """Return why the end of a file isn't a row: it was cut short, or is a line about the rows; None if it is a row."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - HEAD_BYTES, 0))
        *_, last = file.read().rstrip(b"\r\n").rpartition(b"\n")
        file.seek(-1, SEEK_END)
        is_ended = file.read() == b"\n"
    written = last.decode("utf-8", errors="replace")
    if written.count('"') % 2:  # part of a value that holds line ends
        return None
    fields = len(next(csv.reader([written]), []))
    if fields == columns or (is_ended and fields != 1):
        return None
    return f"its last line has {fields} of {columns} fields: it may be cut short, or hold a line that is no row"


def fault_of_lines(path: Path) -> str | None:
    """Return which line of a file can't be read and why, or None if every line can. Reads the file line by line."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f"line {number:,} isn't UTF-8: save the file in UTF-8 (it may be Latin-1 or Windows-1252)"
    with path.open(encoding="utf-8-sig", newline="") as text:
        return _fault_of_rows(text)


def _fault_of_rows(text: TextIO) -> str | None:
    quotes: list[int] = []  # number of double quotes in each line of the current row

    def counted() -> Iterator[str]:
        for line in text:
            quotes.append(line.count('"'))
            yield line

    rows = csv.reader(counted(), strict=True)
    header, begin = 0, 1
    try:
        for row in rows:
            header = header or len(row)
            if len(row) > header:
                return f"line {begin:,} has {len(row)} fields, the header {header}: quote values that hold commas"
            if sum(quotes) % 2:
                return f'line {begin:,} has a single double quote: write "" for it, and quotes around the value'
            quotes.clear()
            begin = rows.line_num + 1
    except csv.Error:
        return f'line {begin:,} has a double quote that isn\'t closed: write "" for a quote within a quoted value'
    return None


def _has_id(header: str, separator: str) -> bool:
    names = {name.strip().strip('"') for name in re.split(re.escape(separator), header)}
    return bool(names & {MEMBER_ID, MOVIE_ID})
