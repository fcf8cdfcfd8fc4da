"""Predicts ratings for tables of members and movies without a server, with the same code as the service."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, RATED_AT, RATING, TITLE
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS
from model.facts.catalogue import Catalogue
from model.facts.evidence import MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts, Ratings
from model.prediction.model import NO_ROW, Model
from model.prediction.movie_targets import Movie
from model.prediction.predictions import ARRAYS, Predictions
from training.data.dataset import Dataset, make_dataset
from training.data.reading.tables import Tables

VALUES = {name: pl.String if name == "movie_evidence" else pl.Float64 for name in ARRAYS} | {
    "member_evidence": pl.String
}
COLUMNS = {MEMBER_ID: pl.String, MOVIE_ID: pl.String} | VALUES
"""Columns and types of a table of predictions; a table without rows has them too."""
RANKING_COLUMNS = {MEMBER_ID: pl.String, "rank": pl.Int32, MOVIE_ID: pl.String, TITLE: pl.String} | VALUES
"""The same for a table of rankings."""
EVIDENCE = {int(evidence): evidence.name.lower().replace("_", " ") for evidence in MovieEvidence}
PART_ROWS = 250_000
"""Least number of predictions in a part but the last, some 20 MB."""

BLOCK_MEMBERS = 50_000
"""Number of members in pairs whose facts are in memory at once, some 150 MB."""


def in_parts(
    predictions: Iterable[pl.DataFrame], least_rows: int = PART_ROWS, columns: Mapping[str, type[pl.DataType]] = COLUMNS
) -> Iterator[pl.DataFrame]:
    """Yield the same rows in parts of at least `least_rows` rows and a last one, which may have no rows.

    `columns` are the columns of the tables: COLUMNS or RANKING_COLUMNS.
    """
    part, rows = [pl.DataFrame(schema=columns)], 0
    for table in predictions:
        part.append(table)
        rows += len(table)
        if rows >= least_rows:
            yield pl.concat(part, rechunk=True)
            part, rows = [pl.DataFrame(schema=columns)], 0
    yield pl.concat(part, rechunk=True)


def predictions_of(model: Model, tables: Tables, pairs: pl.DataFrame | None) -> Iterator[pl.DataFrame]:
    """Yield a table of predictions for each member, from the attributes, plays and ratings in a data directory.

    `pairs` has the columns member_id and movie_id of the pairs to predict. If it is None, every movie is predicted for
    every never-rater.
    """
    described = descriptions(make_dataset(tables.of_members(np.zeros(len(tables.member_ids), bool)), model.schema))
    nothing_played = MemberFacts.nothing(model.schema).movies

    @cache
    def asked(movie_id: str) -> tuple[Movie, int | None]:
        """Return how to predict a movie for those who haven't played it, and its row if that differs for players."""
        movie = model.catalogue.asked(movie_id, described.get(movie_id), nothing_played)
        return movie, None if isinstance(movie, int) else model.catalogue.row(movie_id)

    for member_id, member, movie_ids in _wanted(model, tables, pairs):
        played = set(member.movies.tolist())
        movies = [row if row in played else movie for movie, row in map(asked, movie_ids)]
        predictions = model.predict(member, movies)
        yield table_of_predictions(member_id, movie_ids, predictions)


def rankings_of(model: Model, tables: Tables, top: int) -> Iterator[pl.DataFrame]:
    """Yield a table with the best `top` movies of the catalogue for each never-rater, best first, without those played.

    The numbers and the order are those of the service's RankMovies.
    """
    for member_id, member, _ in _wanted(model, tables, None):
        rows, predictions = model.rank(member, most=top)
        yield table_of_ranking(member_id, model.catalogue, rows, predictions)


def table_of_predictions(
    member_id: str, movie_ids: Sequence[str] | pl.Series, predictions: Predictions
) -> pl.DataFrame:
    """Return the predictions of a member's ratings of movies as a table."""
    ids = {MEMBER_ID: pl.repeat(member_id, len(movie_ids), eager=True), MOVIE_ID: movie_ids}
    return pl.DataFrame(ids | _values(predictions), COLUMNS)


def table_of_ranking(
    member_id: str, catalogue: Catalogue, rows: NDArray[np.int32], predictions: Predictions
) -> pl.DataFrame:
    """Return a member's ranking as a table; `rows` are the catalogue rows of the movies, best first."""
    movies = {
        MEMBER_ID: [member_id] * len(rows),
        "rank": range(1, len(rows) + 1),
        MOVIE_ID: [catalogue.movie_ids[place] for place in rows],
        TITLE: [catalogue.titles[place] or None for place in rows],
    }
    return pl.DataFrame(movies | _values(predictions), RANKING_COLUMNS)


def _values(predictions: Predictions) -> dict[str, Sequence[Any] | NDArray[Any] | pl.Series]:
    """Return the columns of a table of predictions but for the ids; kinds of evidence are in words."""
    columns: dict[str, Sequence[Any] | NDArray[Any] | pl.Series] = {name: getattr(predictions, name) for name in ARRAYS}
    known = predictions.member_evidence.name.lower().replace("_", " ")
    return columns | {
        "movie_evidence": pl.Series(predictions.movie_evidence).replace_strict(EVIDENCE, return_dtype=pl.String),
        "member_evidence": [known] * len(predictions.rating),
    }


def member_facts(model: Model, data: Dataset, *, with_ratings: bool = False) -> Iterator[MemberFacts]:
    """Yield the facts that the model can use of each member, with one partition in memory at a time.

    These are attributes and plays, and ratings only if `with_ratings` is set.
    """
    rows = [model.catalogue.row(movie_id) for movie_id in data.movie_ids]
    catalogue_row = np.array([NO_ROW if row is None else row for row in rows], np.int32)
    for partition in data.play_table.partitions:
        plays = data.with_ages(partition.read())
        plays = plays.with_columns(pl.Series(MOVIE, catalogue_row[plays[MOVIE].to_numpy()]))
        plays = plays.filter(pl.col(MOVIE) > NO_ROW).sort(MEMBER, MOVIE)
        movies = plays[MOVIE].to_numpy()
        completion, age_days = (
            plays[name].fill_null(float("nan")).cast(pl.Float32).to_numpy() for name in (COMPLETION, AGE_DAYS)
        )
        on_scale = pl.col(RATING).is_between(model.schema.scale.low, model.schema.scale.high) & with_ratings
        rated = plays.select(pl.when(on_scale).then(RATING), RATED_AT).fill_null(float("nan"))
        values, rated_at = rated[RATING].to_numpy(), rated[RATED_AT].to_numpy()
        ends = plays[MEMBER].search_sorted(np.arange(len(partition) + 1)).to_list()
        for attributes, start, end in zip(data.attributes[partition.members], ends, ends[1:], strict=False):
            own = slice(start, end)
            ratings = Ratings.of(movies[own], values[own], rated_at[own])
            yield MemberFacts(attributes, movies[own], completion[own], age_days[own], ratings)


def descriptions(data: Dataset) -> dict[str, MovieFacts]:
    """Return the year, genres and attributes of each movie in the data, by movie id."""
    return {
        movie_id: MovieFacts(float(data.release_year[row]), data.genres[row], data.movie_attributes[row])
        for row, movie_id in enumerate(data.movie_ids)
    }


def _wanted(
    model: Model, tables: Tables, pairs: pl.DataFrame | None
) -> Iterator[tuple[str, MemberFacts, Sequence[str] | pl.Series]]:
    """Yield the id and facts of each member to predict, and the ids of the movies to predict for that member."""
    if pairs is None:
        never_raters = make_dataset(tables.of_members(tables.play_table.ratings == 0), model.schema)
        for member_id, member in zip(never_raters.member_ids, member_facts(model, never_raters), strict=True):
            yield member_id, member, never_raters.movie_ids
        return
    nothing = MemberFacts.nothing(model.schema)
    movies = pairs.group_by(MEMBER_ID, maintain_order=True).agg(MOVIE_ID)
    for block in movies.iter_slices(BLOCK_MEMBERS):
        asked = tables.of_members(tables.member_ids.is_in(block[MEMBER_ID].implode()).to_numpy())
        data = make_dataset(asked, model.schema)
        known = dict(zip(data.member_ids, member_facts(model, data, with_ratings=True), strict=True))
        for member_id, movie_ids in block.iter_rows():
            yield member_id, known.get(member_id, nothing), movie_ids
