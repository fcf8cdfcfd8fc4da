"""Prepares the folder for outcomes, the ratings and completions that callers report."""

import os
from pathlib import Path

from service.errors import FolderUnusable


def prepare(folder: Path) -> None:
    """Create the folder for outcomes (reported ratings and completions) if it is missing.

    Raises FolderUnusable if no file can be written to it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trial = folder / f".trial-{os.getpid()}"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise FolderUnusable(f"it can't be written to: {error.strerror}") from None
