"""Looks for traces of members in folders: their ids, unkeyed hashes of these, and lists of their plays."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from model.artifact.serialization import catalogue_from_bytes
from model.facts.member_key import PLAIN

FEWEST_PLAYS = 12
"""Shorter lists of plays aren't looked for, since others may have the same."""


def traces(folders: Sequence[Path], plays: Mapping[str, Sequence[str]]) -> list[str]:
    """The files below the folders with a trace of a member, and what it is.

    `plays` has the ids of the movies that each member played, by the member's id. Tables are read; all other files are
    searched byte by byte.
    """
    patterns = {b"id": [member_id.encode() for member_id in plays]}
    digests = [b"".join(half.to_bytes(8, "little") for half in PLAIN.hash_of(member_id)) for member_id in plays]
    patterns |= {b"hash": digests, b"hash as text": [digest.hex().encode() for digest in digests]}
    seen = []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = _content(path)
            seen += [
                f"{path}: {what.decode()}" for what, some in patterns.items() if any(each in content for each in some)
            ]
        for catalogue in folder.rglob("catalogue.npz"):
            seen += _play_lists(catalogue, plays)
    return seen


def _content(path: Path) -> bytes:
    """What a file holds, uncompressed; tables as text."""
    if path.suffix == ".parquet":
        rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
        return rows.with_columns(pl.col(pl.List(pl.String)).list.join("|")).write_csv().encode()
    content = path.read_bytes()
    if path.suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    return content


def _play_lists(catalogue: Path, plays: Mapping[str, Sequence[str]]) -> list[str]:
    """The files of a version that hold all plays of a member as rows of the catalogue, one after the other."""
    rows = {movie_id: row for row, movie_id in enumerate(catalogue_from_bytes(catalogue.read_bytes()).movie_ids)}
    lists = [sorted(rows[movie_id] for movie_id in movies if movie_id in rows) for movies in plays.values()]
    wanted = [
        np.array(each, kind).tobytes() for each in lists if len(each) >= FEWEST_PLAYS for kind in ("<i4", "<i8", "<f4")
    ]
    return [
        f"{path}: plays"
        for path in sorted(catalogue.parent.rglob("*.np[yz]"))
        if any(each in _content(path) for each in wanted)
    ]
