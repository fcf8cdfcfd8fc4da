"""Copies a data directory from a remote address that fsspec supports into a local folder, where it is read."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from model.store.open import is_address
from training.errors import DataError, Problem, TrainingError, UsageError, WorkFailed, is_no_room


def data_place(text: str) -> Path | str:
    """Return the argparse value of a data directory: a path or, if it is one, an address."""
    return text if is_address(text) else Path(text)


def copy_folder(address: str, names: Collection[str], into: Path) -> None:
    """Copy the files and folders with these names at an address into a folder.

    All others are represented by empty files, since tables are also looked for under similar names. Raises DataError if
    there is no such folder, UsageError if the address needs a package that isn't installed or can't be opened, and
    WorkFailed if the copy fails.
    """
    remote, root = _opened(address)
    try:
        entries = remote.ls(root, detail=True)
        paths: dict[str, Path] = {}
        for entry in entries:
            place = entry["name"].rstrip("/")
            name = place.rpartition("/")[2]
            if place == root:  # object stores list an empty object in place of a folder
                continue
            if name not in names:
                (into / name).touch()
            elif entry["type"] == "directory":
                paths |= {path: _below(into / name, path, place) for path in remote.find(place)}
            else:
                paths[place] = into / name
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        remote.get(list(paths), [str(path) for path in paths.values()])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError([Problem(address, "there is no such folder")]) from error
    except Exception as error:  # each protocol has errors of its own
        if isinstance(error, TrainingError) or is_no_room(error):
            raise
        raise WorkFailed(f"{address} can't be read: {type(error).__name__}") from error


def _opened(address: str) -> tuple[Any, str]:
    """Return the remote file system, and the path of the folder in it."""
    try:
        import fsspec  # imported here because only addresses need the extra

        remote, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise UsageError(f"{address} needs the extra `remote`, and what fsspec needs for this protocol") from error
    except Exception as error:  # each protocol has errors of its own for an address that it can't take
        raise UsageError(f"{address} can't be opened: {error}") from error
    return remote, str(root).rstrip("/")


def _below(folder: Path, path: str, root: str) -> Path:
    """Return where a remote file below `root` is copied to. Raises DataError if that were outside the folder."""
    place = path.removeprefix(root).lstrip("/")
    if ".." in place.split("/"):
        raise DataError([Problem(folder.name, f"can't be read: {place} leads out of its folder")])
    return folder / place
