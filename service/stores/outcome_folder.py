"""The folder of recorded outcomes."""

import os
from pathlib import Path

from service.errors import FolderUnusable


def prepare(folder: Path) -> None:
    """Create the folder if it is missing, and try to write to it; raises FolderUnusable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trial = folder / f".trial-{os.getpid()}"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise FolderUnusable(f"it can't be written to: {error.strerror}") from None
