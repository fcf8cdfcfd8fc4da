"""Worlds that several folders of tests share: sample data whose truth is known, and the models made of it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before it is loaded, as the job does
os.environ.setdefault("OMP_NUM_THREADS", "1")  # several threads of LightGBM wait for each other more than they work

import polars as pl
import pytest

from model.artifact.artifact import load_model
from model.prediction.model import Model
from model.store.store import Store
from training.__main__ import main
from training.data.preparation import prepare
from training.data.reading.tables import Tables, read_tables
from training.fit.fit_model import Fit, FitSettings, fit_model


@dataclass(frozen=True)
class Published:
    """A sample data directory and the store that a retrain filled from it."""

    data: Path
    """The data directory."""
    models: Path
    """The store; `current` names the one version."""
    version: str
    """The version."""
    tables: Tables
    """The tables as they were read."""
    truth: pl.DataFrame
    """What never-raters truly feel: member_id, movie_id, enjoyment, played."""
    model: Model
    """The version, loaded."""

    @property
    def folder(self) -> Path:
        """The version's folder."""
        return self.models / "versions" / self.version


def installed_tool(name: str, package: str) -> str:
    """The path of a program that some tests need; where it is missing they are skipped, but fail in CI."""
    found = shutil.which(name)
    if found is None:
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell(f"{name} is missing: on Debian, apt-get install {package}")
    return found


def make_world(folder: Path, *sample: str) -> Published:
    data, models = folder / "data", folder / "models"
    assert main(["sample", "--out", str(data), *sample]) == 0
    assert main(["retrain", "--data", str(data), "--models", str(models)]) == 0
    store = Store(models)
    version = store.current()
    assert version is not None
    truth = pl.read_parquet(data / "truth.parquet")
    return Published(data, models, version, read_tables(data), truth, load_model(store.folder(version)))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The sample as `training sample` makes it unless told else, big enough for its truth to be learned."""
    return make_world(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A sample that is learned in seconds, for all that is not about accuracy."""
    return make_world(tmp_path_factory.mktemp("small"), "--members", "200", "--movies", "60")


@pytest.fixture(scope="session")
def small_fit(small: Published) -> Fit:
    """The fit of the small sample, with what its features were made from."""
    _, data, _ = prepare(small.data, 20)
    return fit_model(data, 0, FitSettings(), 1, lambda _: None)


@pytest.fixture
def retrained(tmp_path: Path) -> Callable[..., Store]:
    """Retrains on a data directory into a store of the test's own."""

    def retrain(data: Path, *arguments: str, name: str = "models") -> Store:
        assert main(["retrain", "--data", str(data), "--models", str(tmp_path / name), *arguments]) == 0
        return Store(tmp_path / name)

    return retrain
