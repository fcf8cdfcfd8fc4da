"""What `import coldstart` offers in a notebook: train, evaluate and load."""

import os
import sys
from pathlib import Path
from typing import Any, TextIO

from coldstart.errors import FrontError
from coldstart.frames import FrameKind
from coldstart.jobs import DataDirectory, run_job, temporary_folder
from coldstart.shown_evaluation import Evaluation
from coldstart.trained_model import TrainedModel
from model.facts.member_key import MemberKey
from model.store.open import open_store


def train(
    data: str | Path | None = None,
    *,
    members: Any = None,
    movies: Any = None,
    ratings: Any = None,
    plays: Any = None,
    schema: str | None = None,
    seed: int = 0,
    progress: bool = True,
    **options: Any,
) -> TrainedModel:
    """Train and evaluate a model on frames or on a data directory, as `coldstart retrain` does.

    Nothing is published yet: `publish` of the model does that. The same tables, seed and libraries give the same
    version, in whatever form the tables come, and the same as the command's.

    Args:
        data: A folder with the tables, in place of frames.
        members: Frame of polars, pandas or Arrow with `member_id` and any attributes.
        movies: Frame with `movie_id` and, if known, `title`, `release_year`, `genres` and any attributes.
        ratings: Frame with `member_id`, `movie_id`, `rating` and, if known, `rated_at`.
        plays: Frame with `member_id`, `movie_id` and, if known, `played_at` and `completion`; None if there is none.
        schema: Text of a schema.toml, such as '[ratings]\\nscale = [1, 5]', for frames.
        seed: Seed of all random numbers.
        progress: Whether to show each step.
        options: Options of `coldstart retrain`, such as `min_holders=10`, `publish="none"`, `settings="settings.toml"`.

    Raises:
        InvalidTables: Frames are missing or of another library.
        JobFailed: The data or an option is refused, with every problem in the message; or the work failed.
    """
    tables = {"members": members, "movies": movies, "ratings": ratings, "plays": plays}
    directory = DataDirectory(data, tables, schema)
    place = temporary_folder(directory)
    run_job(
        "retrain", {"data": directory.folder, "models": place, "seed": seed, **options}, show=_output(progress)
    )  # fmt: skip
    store = open_store(place)
    [version] = store.versions()
    return TrainedModel(store, version, directory.frames, directory, _member_key(options.get("member_key")))


def evaluate(
    data: str | Path | None = None,
    *,
    members: Any = None,
    movies: Any = None,
    ratings: Any = None,
    plays: Any = None,
    schema: str | None = None,
    seed: int = 0,
    progress: bool = True,
    **options: Any,
) -> Evaluation:
    """Evaluate predictions as if members never rated, on frames or on a data directory, as `coldstart evaluate` does.

    The arguments are those of `train`; `options` are options of `coldstart evaluate`, such as `folds=3` or
    `by_time=True`.
    """
    tables = {"members": members, "movies": movies, "ratings": ratings, "plays": plays}
    directory = DataDirectory(data, tables, schema)
    out = temporary_folder(directory)
    run_job("evaluate", {"data": directory.folder, "out": out, "seed": seed, **options}, show=_output(progress))
    return Evaluation.read(out / "report.json", out / "report.html", directory.frames)


def load(
    models: str | Path,
    version: str | None = None,
    *,
    frames: FrameKind = "polars",
    member_key: str | Path | None = None,
) -> TrainedModel:
    """Load a version from a store in a folder or at an address; by default the one that serves.

    Frames come out in the library `frames`. `member_key` is the file with the secret that hashes of members' ids are
    keyed with; by default, the environment variable COLDSTART_MEMBER_KEY names it. Raises FrontError if there is no
    such version, and ArtifactError if it is damaged or another key is needed.
    """
    store = open_store(models)
    version = version or store.current()
    if version is None or version not in store.versions():
        raise FrontError(f"there is no version {version} there" if version else "no version serves there")
    return TrainedModel(store, version, frames, None, _member_key(member_key))


def _member_key(file: str | Path | None) -> MemberKey:
    """Return the key in a file, or in the one that the environment names; plain hashes if there is none."""
    place = file or os.environ.get("COLDSTART_MEMBER_KEY")
    return MemberKey.read(Path(place) if place else None)


def _output(progress: bool) -> TextIO | None:
    """Return where to show progress: the output of a notebook's cell, else stderr; None if it isn't wanted."""
    if not progress:
        return None
    return sys.stdout if "ipykernel" in type(sys.stdout).__module__ else sys.stderr
