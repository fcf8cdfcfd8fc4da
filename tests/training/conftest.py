"""A small sound data directory that tests bend to their needs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

RATERS, MOVIES = 25, 8

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
