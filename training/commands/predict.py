"""`training predict`: offline scoring of members and movies with the code that serves."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from features.columns import MEMBER_ID, MOVIE_ID
from model.artifact.artifact import ArtifactError, load_model
from model.facts.facts import MemberFacts, MovieFacts
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS
from model.store.open import open_store
from model.store.store import StoreError
from training.data.dataset import Dataset, make_dataset
from training.data.folders import refuse_unwritable
from training.data.reading.tables import read_tables
from training.errors import DataError, Problem

FAILED, REFUSED = 1, 2

COLUMNS = {MEMBER_ID: pl.String, MOVIE_ID: pl.String} | {
    name: pl.Int8 if name == "movie_evidence" else pl.Float64 for name in ARRAYS
}
"""What is written, also where there is nobody to predict."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `training predict`."""
    parser.add_argument("--data", type=Path, required=True, help="the data directory whose members are predicted")
    parser.add_argument("--models", required=True, help="the folder, or address, of published models")
    parser.add_argument("--out", type=Path, required=True, help="a file to write: .parquet or .csv")
    parser.add_argument(
        "--pairs", type=Path, help="a table of member_id and movie_id to predict; else all never-raters by all movies"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write member_id, movie_id and all numbers of each prediction."""
    if arguments.out.suffix not in (".parquet", ".csv"):
        print("--out must end with .parquet or .csv", file=sys.stderr)
        return REFUSED
    if not arguments.out.parent.is_dir():
        print("--out is in a folder that isn't there", file=sys.stderr)
        return REFUSED
    if arguments.out.is_dir():
        print("--out is a folder", file=sys.stderr)
        return REFUSED
    refuse_unwritable("--out", arguments.out.parent)
    tables = read_tables(arguments.data)
    try:
        store = open_store(arguments.models)
        version = store.current()
        if version is None:
            raise StoreError("no model is published there")
        model = load_model(store.fetch(version))
    except (StoreError, ArtifactError) as error:
        print(error, file=sys.stderr)
        return FAILED
    pairs = _pairs(arguments.pairs) if arguments.pairs else None
    data = make_dataset(tables, model.schema)
    predictions = pl.concat([pl.DataFrame(schema=COLUMNS), *predictions_of(model, data, pairs)])
    write_table(predictions, arguments.out)
    print(f"{len(predictions):,} predictions by version {version}")
    return 0


def write_table(rows: pl.DataFrame, out: Path) -> None:
    """Write a table as Parquet or, where the file's name ends so, as CSV: the whole or nothing."""
    beside = out.with_name(f".{out.name}.part")
    if out.suffix == ".csv":
        rows.write_csv(beside)
    else:
        rows.write_parquet(beside)
    beside.replace(out)


def _pairs(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        return table.select(pl.col(MEMBER_ID, MOVIE_ID).cast(pl.String)).drop_nulls()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError([Problem("pairs", f"can't be read: {type(error).__name__}")]) from error


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
