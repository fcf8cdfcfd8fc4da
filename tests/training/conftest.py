"""A small sound data directory that tests bend to their needs."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from model.store.store import Store
from training.__main__ import main
from training.data.passes.passes import Passes
from training.data.reading.tables import read_tables
from training.errors import DataError

RATERS, MOVIES = 25, 8

LIGHT = """\
folds = 3
[prior]
rank = 4
sweeps = 3
sweeps_per_round = 1
embedding = 20
sight = 10
folds = 2
[prior.with_plays]
ridges = [16.0, 64.0]
landmarks = 40
[prior.attributes_only]
ridges = [16.0, 64.0]
landmarks = 40
[trees]
trees = 10
"""
"""Settings of a fit that takes a moment, for all that is not about accuracy."""

Contents = pl.DataFrame | str | bytes | None
WriteData = Callable[..., Path]


def sound_tables() -> dict[str, pl.DataFrame]:
    """25 raters of 8 movies, 2 members who only play or are only described, and no problem anywhere."""
    raters = [f"r{number:02}" for number in range(RATERS)]
    movies = [f"m{number}" for number in range(MOVIES)]
    pairs = [(member, movie) for member in range(RATERS) for movie in range(MOVIES) if (member + movie) % 2]
    return {
        "members": pl.DataFrame(
            {
                "member_id": [*raters, "quiet"],
                "age": [20 + place for place in range(RATERS)] + [50],
                "gender": ["F" if place % 2 else "M" for place in range(RATERS)] + ["F"],
            }
        ),
        "movies": pl.DataFrame(
            {
                "movie_id": movies,
                "title": [f"Movie {number}" for number in range(MOVIES)],
                "release_year": [1990 + number for number in range(MOVIES)],
                "genres": ["Drama|Comedy" if number % 2 else "War" for number in range(MOVIES)],
            }
        ),
        "ratings": pl.DataFrame(
            {
                "member_id": [raters[member] for member, _ in pairs],
                "movie_id": [movies[movie] for _, movie in pairs],
                "rating": [1.0 + (3 * member + movie) % 5 for member, movie in pairs],
            }
        ),
        "plays": pl.DataFrame(
            {
                "member_id": ["lurker", "lurker", "r00"],
                "movie_id": ["m0", "m1", "m0"],
                "played_at": ["2024-03-01T10:00:00Z", None, "2024-03-02"],
                "completion": [0.5, 1.0, None],
            }
        ),
    }


def refusal(folder: Path) -> str:
    """The message with which a data directory is refused."""
    with pytest.raises(DataError) as raised:
        read_tables(folder)
    return str(raised.value)


def new_folder(passes: Passes) -> Path:
    """A folder for the files of a test, which all processes of the passes see."""
    return Path(tempfile.mkdtemp(dir=passes.folder))


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The option of `training retrain` and `training evaluate` for a fit that takes a moment."""
    file = tmp_path_factory.mktemp("settings") / "light.toml"
    file.write_text(LIGHT)
    return "--settings", str(file)


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    """The frames of a sound data directory."""
    return sound_tables()


@pytest.fixture
def write_data(tmp_path: Path) -> WriteData:
    """Writes a sound data directory anew, tables given by name in place of its own (None: without it)."""

    def write(kind: str = "csv", schema: str | None = None, **changed: Contents) -> Path:
        folder = tmp_path / "data"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, contents in (sound_tables() | changed).items():
            path = folder / f"{name}.{kind}"
            if isinstance(contents, pl.DataFrame):
                contents.write_csv(path) if kind == "csv" else contents.write_parquet(path)
            elif contents is not None:
                path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        if schema is not None:
            (folder / "schema.toml").write_text(schema)
        return folder

    return write


@pytest.fixture
def retrained(tmp_path: Path) -> Callable[..., Store]:
    """Retrains on a data directory into a store of the test's own."""

    def retrain(data: Path, *arguments: str, name: str = "models") -> Store:
        patient = ("--gate-most-latency-ratio", "100")  # a busy machine holds no version back
        assert main(["retrain", "--data", str(data), "--models", str(tmp_path / name), *patient, *arguments]) == 0
        return Store(tmp_path / name)

    return retrain
