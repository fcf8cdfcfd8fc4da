"""Explains in words why a CSV file can't be read: its encoding, its separator, or a line with too many fields."""

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
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
    return None


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
    rows = csv.reader(text, strict=True)
    header, begin = 0, 1
    try:
        for row in rows:
            header = header or len(row)
            if len(row) > header:
                return f"line {begin:,} has {len(row)} fields, the header {header}: quote values that hold commas"
            begin = rows.line_num + 1
    except csv.Error:
        return f'line {begin:,} has a double quote that isn\'t closed: write "" for a quote within a quoted value'
    return None


def _has_id(header: str, separator: str) -> bool:
    names = {name.strip().strip('"') for name in re.split(re.escape(separator), header)}
    return bool(names & {MEMBER_ID, MOVIE_ID})
