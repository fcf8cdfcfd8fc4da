"""Predicts ratings for tables of members and movies without a server, with the same code as the service."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.columns import COMPLETION, MEMBER_ID, MOVIE_ID, TITLE
from features.movies import MEMBER, MOVIE
from features.plays import AGE_DAYS
from model.facts.catalogue import Catalogue
from model.facts.evidence import MovieEvidence
from model.facts.facts import MemberFacts, MovieFacts
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS, Predictions
from training.data.dataset import Dataset

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


def predictions_of(model: Model, data: Dataset, pairs: pl.DataFrame | None) -> Iterator[pl.DataFrame]:
    """Yield a table of predictions for each member, from the attributes and plays in a data directory.

    `pairs` has the columns member_id and movie_id of the pairs to predict. If it is None, every movie is predicted for
    every never-rater.
    """
    facts, described = member_facts(model, data), descriptions(data)
    row_of = {member_id: row for row, member_id in enumerate(data.member_ids)}
    nothing = MemberFacts.nothing(model.schema)
    for member_id, movie_ids in _wanted(data, pairs):
        member = facts(row_of[member_id]) if member_id in row_of else nothing
        movies = [model.catalogue.asked(movie_id, described.get(movie_id), member.movies) for movie_id in movie_ids]
        predictions = model.predict(member, movies)
        yield table_of_predictions(member_id, movie_ids, predictions)


def rankings_of(model: Model, data: Dataset, top: int) -> Iterator[pl.DataFrame]:
    """Yield a table with the best `top` movies of the catalogue for each never-rater, best first, without those played.

    The numbers and the order are those of the service's RankMovies.
    """
    facts, catalogue, raters = member_facts(model, data), model.catalogue, set(data.raters.tolist())
    for row, member_id in enumerate(data.member_ids):
        if row not in raters:
            rows, predictions = model.rank(facts(row), most=top)
            yield table_of_ranking(member_id, catalogue, rows, predictions)


def table_of_predictions(member_id: str, movie_ids: Sequence[str], predictions: Predictions) -> pl.DataFrame:
    """Return the predictions of a member's ratings of movies as a table."""
    ids = {MEMBER_ID: [member_id] * len(movie_ids), MOVIE_ID: movie_ids}
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


def _values(predictions: Predictions) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """Return the columns of a table of predictions but for the ids; kinds of evidence are in words."""
    columns: dict[str, Sequence[Any] | NDArray[Any]] = {name: getattr(predictions, name) for name in ARRAYS}
    known = predictions.member_evidence.name.lower().replace("_", " ")
    return columns | {
        "movie_evidence": [EVIDENCE[int(kind)] for kind in predictions.movie_evidence],
        "member_evidence": [known] * len(predictions.rating),
    }


def member_facts(model: Model, data: Dataset) -> Callable[[int], MemberFacts]:
    """Return a function that maps a member's row in the data to the attributes and plays that the model can use."""
    catalogue_row = [model.catalogue.row(movie_id) for movie_id in data.movie_ids]
    nothing = MemberFacts.nothing(model.schema)
    starts = np.searchsorted(data.plays[MEMBER], np.arange(len(data.member_ids) + 1))  # plays are sorted by member

    def facts(row: int) -> MemberFacts:
        member = replace(nothing, attributes=data.attributes[row])
        start, end = starts[row], starts[row + 1]
        return _with_plays(member, data.plays[start:end], catalogue_row) if start < end else member

    return facts


def descriptions(data: Dataset) -> dict[str, MovieFacts]:
    """Return the year, genres and attributes of each movie in the data, by movie id."""
    return {
        movie_id: MovieFacts(float(data.release_year[row]), data.genres[row], data.movie_attributes[row])
        for row, movie_id in enumerate(data.movie_ids)
    }


def _wanted(data: Dataset, pairs: pl.DataFrame | None) -> Iterator[tuple[str, list[str]]]:
    """Yield each member to predict, with the movies to predict for that member."""
    if pairs is not None:
        for (member_id,), rows in pairs.group_by(MEMBER_ID, maintain_order=True):
            yield str(member_id), rows[MOVIE_ID].to_list()
        return
    raters, movie_ids = set(data.raters.tolist()), data.movie_ids.to_list()
    for row, member_id in enumerate(data.member_ids):
        if row not in raters:
            yield member_id, movie_ids


def _with_plays(member: MemberFacts, plays: pl.DataFrame, catalogue_row: list[int | None]) -> MemberFacts:
    """Return the member with the given plays, except plays of movies that aren't in the model's catalogue."""
    known = sorted(
        (row, place) for place, movie in enumerate(plays[MOVIE]) if (row := catalogue_row[movie]) is not None
    )
    rows = plays[[place for _, place in known]]
    unknown = float("nan")
    return MemberFacts(
        member.attributes,
        pl.Series([row for row, _ in known], dtype=pl.Int32).to_numpy(),
        rows[COMPLETION].fill_null(unknown).cast(pl.Float32).to_numpy(),
        rows[AGE_DAYS].fill_null(unknown).cast(pl.Float32).to_numpy(),
    )
