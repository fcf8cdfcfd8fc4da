"""Checks before any work that a folder can be written to after it."""

import os
from pathlib import Path

from training.errors import DataError, Problem


def refuse_unwritable(option: str, folder: Path) -> None:
    """Raise DataError that names the option unless files can be made in the folder, which needn't be there yet."""
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(one))
    if not nearest.is_dir():
        raise DataError([Problem(option, f"{nearest} is no folder: name another place")])
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError([Problem(option, f"{nearest} can't be written to: name another place, or change its rights")])
