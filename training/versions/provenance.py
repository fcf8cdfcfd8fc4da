"""Where a model comes from: the commit of its code and the fingerprint (hash) of its data."""

import hashlib
import subprocess
from pathlib import Path

import polars as pl

from training.data.reading.tables import Tables

ROOT = Path(__file__).parents[2]


def commit() -> str:
    """Return the git commit of the training code, with a `+` if tracked files were changed; "" if it isn't a checkout.

    An installed package may lie inside the repository of another project, whose commit would be wrong.
    """
    try:
        folder, head = _git("rev-parse", "--show-prefix", "HEAD").splitlines()
        if folder:
            return ""
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout  # noqa: S603


def fingerprint(tables: Tables) -> str:
    """Return the SHA-256 of the tables of a data directory, whatever their file format and order of rows."""
    digest = hashlib.sha256()
    for table in (tables.members, tables.movies, tables.member_ids.to_frame()):
        digest.update(f"{table.columns} {len(table)}".encode())
        lists = [column for column, kind in table.schema.items() if isinstance(kind, pl.List)]
        flat = table.with_columns(pl.col(lists).list.join("|")) if lists else table
        digest.update(flat.write_csv().encode())
    digest.update(f"{tables.play_table.digest} {tables.scale!r}".encode())
    return digest.hexdigest()
