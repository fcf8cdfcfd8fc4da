"""Offline scoring of members and movies with the code that serves."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from features.columns import MEMBER_ID, MOVIE_ID
from model.facts.facts import MemberFacts, MovieFacts
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS
from training.data.dataset import Dataset

COLUMNS = {MEMBER_ID: pl.String, MOVIE_ID: pl.String} | {
    name: pl.Int8 if name == "movie_evidence" else pl.Float64 for name in ARRAYS
}
"""What is written, also where there is nobody to predict."""


def write_table(rows: pl.DataFrame, out: Path) -> None:
    """Write a table as Parquet or, where the file's name ends so, as CSV: the whole or nothing."""
    beside = out.with_name(f".{out.name}.part")
    if out.suffix == ".csv":
        rows.write_csv(beside)
    else:
        rows.write_parquet(beside)
    beside.replace(out)


def predictions_of(model: Model, data: Dataset, pairs: pl.DataFrame | None) -> Iterator[pl.DataFrame]:
    """One frame a member; facts of members and movies come from the data directory, in the terms of the model."""
    row_of = {movie_id: model.catalogue.row(movie_id) for movie_id in data.movie_ids}
    catalogue_row = [row_of[movie_id] for movie_id in data.movie_ids]
    raters = set(data.raters.tolist())
    members = {member_id: row for row, member_id in enumerate(data.member_ids)}
    wanted = (
        {key[0]: list(rows[MOVIE_ID]) for key, rows in pairs.group_by(MEMBER_ID, maintain_order=True)}
        if pairs is not None
        else {member_id: list(data.movie_ids) for member_id, row in members.items() if row not in raters}
    )
    plays = {key[0]: rows for key, rows in data.plays.group_by("member")}
    nothing = MemberFacts.nothing(model.schema)
    described = descriptions(data)
    for member_id, movie_ids in wanted.items():
        member = nothing
        if member_id in members:
            row = members[member_id]
            member = MemberFacts(data.attributes[row], nothing.movies, nothing.completion, nothing.age_days)
            if row in plays:
                member = facts_of_plays(member, plays[row], catalogue_row)
        movies = [model.catalogue.asked(movie_id, described.get(movie_id), member.movies) for movie_id in movie_ids]
        found = model.predict(member, movies)
        yield pl.DataFrame(
            {MEMBER_ID: [member_id] * len(movie_ids), MOVIE_ID: movie_ids}
            | {name: getattr(found, name) for name in ARRAYS}
        )


def descriptions(data: Dataset) -> dict[str, MovieFacts]:
    """What a dataset tells of each movie, by id."""
    return {
        movie_id: MovieFacts(float(data.release_year[row]), data.genres[row], data.movie_attributes[row])
        for row, movie_id in enumerate(data.movie_ids)
    }


def facts_of_plays(member: MemberFacts, plays: pl.DataFrame, catalogue_row: list[int | None]) -> MemberFacts:
    """The member with its plays of a dataset, as far as the model knows their movies."""
    known = [
        (catalogue_row[movie], place) for place, movie in enumerate(plays["movie"]) if catalogue_row[movie] is not None
    ]
    known.sort()
    rows = plays[[place for _, place in known]]
    unknown = float("nan")
    return MemberFacts(
        member.attributes,
        pl.Series([row for row, _ in known], dtype=pl.Int32).to_numpy(),
        rows["completion"].fill_null(unknown).cast(pl.Float32).to_numpy(),
        rows["age_days"].fill_null(unknown).cast(pl.Float32).to_numpy(),
    )
