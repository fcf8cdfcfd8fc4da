"""Features of movies: columns that are summed over plays, and encodings of year, genres and attributes."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.attributes import encode
from features.exact_sums import on_grid
from features.schema import Attribute

MOVIE = "movie"
"""Column that holds the row number of a movie in the catalogue."""
MEMBER = "member"
"""Column that holds the row number of a member."""

PRIOR_RATINGS = 5.0
"""Number of made-up ratings at the overall mean that are added to a movie's ratings, to shrink its mean."""
DECILES = 10


def play_weighted_columns(
    table: pl.DataFrame, release_year: NDArray[np.float32], genres: NDArray[np.float32], genre_names: Sequence[str]
) -> tuple[list[str], NDArray[np.float32], float]:
    """Return the names and (M, C) values of the movie columns that are summed over a member's plays, and the mean year.

    The sums are inputs of the regressions that predict a member's taste from plays. `table` has the columns plays and
    quality of the M movies; `release_year` (M,) and `genres` (M, G) are NaN if unknown. In the result, the column year
    is centred on the mean release year, all others on their mean over all plays, and unknown values are 0.
    """
    plays = table["plays"].to_numpy()
    quality, popularity = table["quality"].to_numpy(), np.log1p(plays)
    weight = plays if plays.any() else np.ones_like(plays)
    columns: dict[str, NDArray[np.float64]] = {}
    year = float(release_year.mean(where=np.isfinite(release_year))) if np.isfinite(release_year).any() else 0.0
    scales = {"quality": _standardise(quality, weight), "popularity": _standardise(popularity, weight)}
    scales["year"] = scaled_year(release_year.astype(float), year)
    for name, scaled in scales.items():
        columns[name] = scaled
        columns[f"{name}_squared"] = scaled * scaled
    for name, values in (("quality", quality), ("popularity", popularity)):
        decile = _weighted_decile(values, weight)
        columns |= {f"{name}_decile_{place}": (decile == place).astype(float) for place in range(DECILES)}
    known = np.isfinite(genres[:, 0]) if genres.size else np.zeros(len(plays), bool)
    share = np.nan_to_num(genres) / np.maximum(np.nan_to_num(genres).sum(1, keepdims=True), 1)
    columns |= {f"genre:{name}": np.where(known, share[:, place], np.nan) for place, name in enumerate(genre_names)}
    centred = [column if name == "year" else _centre(column, weight) for name, column in columns.items()]
    return list(columns), on_grid(np.nan_to_num(np.stack(centred, axis=1))).astype(np.float32), year


def scaled_year(release_year: NDArray[np.float64], mean_year: float) -> NDArray[np.float64]:
    """Return release years as decades since the mean year, clipped to the range from -6 to 6."""
    return np.clip((release_year - mean_year) / 10, -6, 6)


def describe(
    release_year: NDArray[np.float32],
    genres: NDArray[np.float32],
    attributes: NDArray[np.float32],
    year: Attribute,
    movie_attributes: Sequence[Attribute],
) -> NDArray[np.float32]:
    """Return the (N, W) encoding of release year, genres and attributes of N movies, for linear models; NaN if unknown.

    `release_year` is (N,), `genres` (N, G) and `attributes` (N, B). The encoding of the release year is defined by
    `year`.
    """
    parts = [encode(release_year[:, None], [year]), genres, encode(attributes, movie_attributes)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _standardise(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    if not (weight * known).any():
        return np.zeros_like(values)
    mean = np.average(values[known], weights=weight[known])
    deviation = np.sqrt(np.average((values[known] - mean) ** 2, weights=weight[known]))
    scaled = (values - mean) / (deviation if deviation > 1e-9 else 1.0)
    return np.clip(scaled, -4, 4)


def _centre(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    if not (weight * known).any():
        return np.zeros_like(values)
    return np.where(known, values - np.average(values[known], weights=weight[known]), 0.0)


def _weighted_decile(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order]) - weight[order] / 2
    decile = np.empty(len(values), np.int64)
    decile[order] = np.minimum(below * DECILES / max(weight.sum(), 1.0), DECILES - 1)
    return decile
