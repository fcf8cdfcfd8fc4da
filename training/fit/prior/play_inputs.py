"""What the visible plays of each view say of its member, as inputs of the prior's regressions."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.movies import MOVIE
from features.plays import VIEW, names, of_table
from model.prediction.prior.member_inputs import MovieColumns, join_plays
from training.data.views import Views

Array = NDArray[np.float64]


def play_features(views: Views, columns: NDArray[np.float32], column_names: list[str]) -> Array:
    """(V, F) features of the visible plays of each view; a view without plays has zeros."""
    movies = pl.LazyFrame(columns, schema=column_names).with_row_index(MOVIE).with_columns(pl.col(MOVIE).cast(pl.Int32))
    table = of_table(views.plays.lazy(), movies, column_names).collect(engine="streaming")
    features = np.zeros((len(views.member), len(names(column_names))))
    features[table[VIEW].to_numpy()] = table.drop(VIEW).to_numpy()
    return features


def play_inputs(views: Views, features: Array, movies: MovieColumns) -> Array:
    """(V, I) inputs from the visible plays of each view."""
    pairs = (views.plays[VIEW].to_numpy(), views.plays[MOVIE].to_numpy())
    shape = (len(views.member), len(movies.columns))
    seen = sparse.csr_array((np.ones(len(pairs[0])), pairs), shape=shape)
    return join_plays(
        features,
        seen @ movies.taste.astype(np.float64),
        seen @ movies.embedding.astype(np.float64),
        seen @ movies.squared_weight.astype(np.float64),
        views.play_count,
    )
