"""Tables of MovieLens, and models that the real training makes of some of their members."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.pair_features import MOVIE_NUMBERS
from model.artifact.artifact import MEMBERS, Parts, load_model, write_files, write_manifest
from model.artifact.serialization import Core, to_json
from model.cores import usable_cores
from model.facts.catalogue import Catalogue
from model.files.manifest import FORMAT, Manifest
from model.files.plain_files import RUN
from model.prediction.model import Model
from training.data.dataset import Dataset, make_dataset
from training.data.datasets.movielens import read_release
from training.data.infer_schema import infer_schema
from training.data.passes.passes import passes_in_threads
from training.data.reading.tables import Tables, read_tables
from training.data.writer import write_data_directory
from training.fit.fit_model import fit_model
from training.settings import FitSettings, with_value
from training.versions.member_files import write_members

MOVIELENS = Path(__file__).parents[3] / "shared" / "data" / "ml-1m"
"""Where the data set is, if it is there: its terms forbid to keep it in the project."""
MIN_HOLDERS = 20
"""A text value that fewer raters hold counts as "other", as by default."""

DEFAULT = FitSettings()
NO_TIME = "2000-01-01T00:00:00+00:00"


@contextmanager
def movielens_tables(source: Path) -> Iterator[Tables]:
    """Import a MovieLens release, as `training import movielens` does, and read its tables."""
    with tempfile.TemporaryDirectory(prefix="coldstart-privacy-") as folder:
        _, frames, lowest = read_release(source)
        data = Path(folder) / "data"
        schema = f"[ratings]\nscale = [{lowest}, 5.0]\nenjoyed_from = 4.0\n"
        write_data_directory(data, [frames], "benchmarks.privacy", schema)
        yield read_tables(data)


def some_members(tables: Tables, most: int | None, seed: int) -> Tables:
    """Return the tables with at most so many members, drawn at random."""
    count = len(tables.member_ids)
    if most is None or most >= count:
        return tables
    kept = np.zeros(count, bool)
    kept[np.random.default_rng([seed, 20]).permutation(count)[:most]] = True
    return tables.of_members(kept)


def add_views_per_landmark(parser: argparse.ArgumentParser) -> None:
    """Add the option `--views-per-landmark`."""
    default = DEFAULT.prior.with_plays.views_per_landmark
    parser.add_argument(
        "--views-per-landmark", type=int, default=default,
        help="landmarks are means of up to so many raters' views (default %(default)s)",
    )  # fmt: skip


def with_landmarks_of(views: int) -> FitSettings:
    """Return the default settings with landmarks that are means of so many views."""
    places = (f"prior.{name}.views_per_landmark" for name in ("with_plays", "attributes_only"))
    return reduce(lambda settings, place: with_value(settings, place, views), places, DEFAULT)


def dataset_of(tables: Tables) -> Dataset:
    """Return the dataset that a retrain makes of tables."""
    return make_dataset(tables, infer_schema(tables, MIN_HOLDERS)[0])


def trained(
    tables: Tables, kept: NDArray[np.bool_] | None = None, seed: int = 0, settings: FitSettings = DEFAULT
) -> Model:
    """Fit a model to the members in a mask, or to all, write it as a version's folder, and load it as the service does.

    Only the evaluation and the gate, on which no served number depends, are left out.
    """
    data = dataset_of(tables if kept is None else tables.of_members(kept))
    with passes_in_threads(usable_cores()) as passes:
        core = fit_model(passes, data, seed, settings, _ignore).core
    with tempfile.TemporaryDirectory(prefix="coldstart-privacy-") as place:
        return load_model(_written(Path(place) / "model", data, core))


def _written(folder: Path, data: Dataset, core: Core) -> Path:
    write_members(folder / MEMBERS, data)
    files = write_files(folder, Parts(data.schema, _catalogue(data, core), core), {})
    version = write_manifest(folder, Manifest(FORMAT, 0, "", {}, {}, {}, files))
    (folder / RUN).write_bytes(to_json({"trained_at": NO_TIME, "seconds": 0.0}))
    return folder.rename(folder.with_name(version))


def _catalogue(data: Dataset, core: Core) -> Catalogue:
    rated = np.isfinite(core.pairs.movies.numbers[:, MOVIE_NUMBERS.index("quality")])
    titles = data.titles.fill_null("").to_list()
    return Catalogue(
        data.movie_ids.to_list(), rated, data.release_year, data.genres, data.movie_attributes, titles
    )  # fmt: skip


def _ignore(step: str, share: float | None = None) -> None:
    """Show no progress."""


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)
