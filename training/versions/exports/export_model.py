"""Exports the movies of a version (published model) and their factors as Parquet tables, for other tools."""

from pathlib import Path

import numpy as np
import polars as pl

from features.columns import GENRES, MOVIE_ID, RELEASE_YEAR, TITLE
from features.schema import Attribute
from model.files.atomic_write import atomic_path
from model.prediction.model import Model
from training.versions.exports.export_members import OTHER

MOVIES, FACTORS = "movies.parquet", "factors.parquet"


def export(model: Model, out: Path) -> dict[str, int]:
    """Write the tables MOVIES and FACTORS into a folder, and return the number of rows of each by file name.

    The first describes the movies as the model knows them. The second has the mean of all ratings and each movie's
    quality and taste factors, whose prediction for a member with the factors m is mean + quality + m's generosity +
    taste · m's taste. Members aren't exported.
    """
    out.mkdir(parents=True, exist_ok=True)
    tables = {MOVIES: movies_table(model), FACTORS: factors_table(model)}
    for name, table in tables.items():
        with atomic_path(out / name) as path:
            table.write_parquet(path)
    return {name: len(table) for name, table in tables.items()}


def movies_table(model: Model) -> pl.DataFrame:
    """Return the movies as the model knows them: id, title, year, genres, whether they are rated, attributes."""
    catalogue, schema = model.catalogue, model.schema
    genres = [
        [schema.genres[place] for place in np.flatnonzero(row)] if np.isfinite(row).all() else None
        for row in catalogue.genres
    ]
    columns = {
        MOVIE_ID: pl.Series(catalogue.movie_ids, dtype=pl.String),
        TITLE: pl.Series([title or None for title in catalogue.titles], dtype=pl.String),
        RELEASE_YEAR: pl.Series(catalogue.release_year).fill_nan(None).cast(pl.Int32),
        GENRES: pl.Series(genres, dtype=pl.List(pl.String)),
        "rated": pl.Series(catalogue.rated),
    }
    attributes = {
        attribute.name: _decoded(attribute, pl.Series(catalogue.attributes[:, place]).fill_nan(None))
        for place, attribute in enumerate(schema.movie_attributes)
    }
    return pl.DataFrame(columns | attributes)


def factors_table(model: Model) -> pl.DataFrame:
    """Return each movie's id, the mean of all ratings, the movie's quality and its taste factors as a list."""
    movies = model.prior.movies
    return pl.DataFrame(
        {
            MOVIE_ID: pl.Series(model.catalogue.movie_ids, dtype=pl.String),
            "mean": pl.Series([model.prior.mean] * len(movies), dtype=pl.Float64),
            "quality": pl.Series(movies[:, -1]),
            "taste": pl.Series(movies[:, :-1].tolist(), dtype=pl.List(pl.Float64)),
        }
    )


def _decoded(attribute: Attribute, encoded: pl.Series) -> pl.Series:
    """Return an attribute's values as they stand in a table: numbers, or the names of categories."""
    if attribute.kind == "numeric":
        return encoded
    names = dict(enumerate((*attribute.categories, *([OTHER] if attribute.has_other else []))))
    return encoded.cast(pl.Int32).replace_strict(names, return_dtype=pl.String)
