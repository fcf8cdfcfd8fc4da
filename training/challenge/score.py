"""Scores the answers to a challenge by comparing them with the true ratings."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from features.columns import MEMBER_ID, MOVIE_ID, RATING
from features.values import column_types, numbers
from features.values.categories import category
from training.challenge.make import (
    ABOUT,
    ANSWERS,
    ANSWERS_FILE,
    DATA,
    EVIDENCE,
    KIND,
    PART,
    PUBLIC,
    QUESTION,
    QUESTIONS,
)
from training.data.reading.sources import collect, open_file
from training.errors import DataError, Problem
from training.evaluation.movie_means import movie_means
from training.evaluation.scores import gain_percent, rmse

ALL = "all"
"""Key of the scores over all members, whatever is known of them."""


@dataclass(frozen=True)
class Key:
    """The true ratings of a challenge (a contest to predict ratings), and how it was made."""

    answers: pl.DataFrame
    """Columns question, member_id, movie_id, rating, evidence, part and movie_mean, in the order of the questions."""
    about: dict[str, Any]
    """How the challenge was made: `low` and `high` of the rating scale, `fingerprint` of the public data, `seed` and
    `share`."""


def read_key(folder: Path) -> Key:
    """Return the true ratings in the folder of a challenge, to score answers by.

    Raises DataError if the folder isn't a whole challenge.
    """
    try:
        about = json.loads((folder / ANSWERS / ABOUT).read_text(encoding="utf-8"))
        answers = pl.read_parquet(folder / ANSWERS / ANSWERS_FILE)
        (about["low"], about["high"], about["fingerprint"])  # raises KeyError if one is missing
        means, _ = movie_means(pl.scan_parquet(folder / PUBLIC / DATA / "ratings.parquet"), answers[MOVIE_ID])
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        text = f"isn't the folder of a challenge, or not the whole of it: {type(error).__name__}"
        raise DataError([Problem(str(folder), text)]) from error
    return Key(answers.with_columns(movie_mean=means), about)


def read_answers(file: Path, key: Key) -> pl.Series:
    """Return the predicted ratings in a file of answers, in the order of the challenge's questions.

    Raises DataError listing all problems.
    """
    source = open_file(file.name, file)
    (rows,) = collect(source, source.rows)
    return check_answers(rows, file.name, key)


def check_answers(rows: pl.DataFrame, name: str, key: Key) -> pl.Series:
    """Return the predicted ratings in a table of answers, in the order of the challenge's questions.

    Raises DataError listing all problems; its messages refer to the table by `name`.
    """
    joined_on = [QUESTION] if QUESTION in rows.columns else [MEMBER_ID, MOVIE_ID]
    lacking = [column for column in [*joined_on, RATING] if column not in rows.columns]
    if lacking:
        text = f"needs the columns question and rating (or member_id, movie_id and rating); lacks {', '.join(lacking)}"
        raise DataError([Problem(name, text)])
    dtype = rows.schema[RATING]
    if not column_types.is_number(dtype):
        raise DataError([Problem(name, f"holds {dtype}, but must hold {column_types.NUMBER_TYPES}", RATING)])
    rows = rows.select(
        *(_id(column, rows.schema[column]) for column in joined_on), numbers.number(RATING, dtype).alias(RATING)
    )
    wanted = key.answers.select(pl.col(joined_on).cast(pl.String))
    no_number = rows.filter(pl.col(RATING).is_null())
    unknown = rows.join(wanted, on=joined_on, how="anti", nulls_equal=True)
    repeated = rows.filter(pl.struct(joined_on).is_duplicated())
    missing = wanted.join(rows, on=joined_on, how="anti")
    checks = (
        (no_number, RATING, "whose rating is no finite number"),
        (unknown, joined_on[0], "of no question of the challenge"),
        (repeated, joined_on[0], "with a question that is answered more than once"),
        (missing, joined_on[0], "missing: every question needs an answer"),
    )
    problems = [
        Problem(name, text, column, len(wrong), " ".join(str(wrong.item(0, part)) for part in joined_on))
        for wrong, column, text in checks
        if not wrong.is_empty()
    ]
    if problems:
        raise DataError(problems)
    return wanted.join(rows, on=joined_on, how="left", maintain_order="left")[RATING]


def score(key: Key, ratings: pl.Series, part: str) -> dict[str, dict[str, float]]:
    """Return the scores of the answers to the quiz or the test, by what is known of the members, and over `all`.

    `ratings` are the answers in the order of the questions. Scores are the number of questions, the RMSE, the RMSE of
    the movie means, and the improvement over the movie means in percent.
    """
    low, high = key.about["low"], key.about["high"]
    rows = key.answers.with_columns(ratings.clip(low, high).alias("answer")).filter(pl.col(PART) == part)
    by_evidence = {ALL: _scores(rows)}
    for kind in EVIDENCE:
        own = rows.filter(pl.col(KIND) == kind)
        if not own.is_empty():
            by_evidence[kind] = _scores(own)
    return by_evidence


def read_questions(folder: Path) -> pl.DataFrame:
    """Return question, member_id and movie_id of each question of a challenge, as text.

    Raises DataError if the file can't be read.
    """
    try:
        return pl.read_csv(folder / PUBLIC / QUESTIONS, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError([Problem(QUESTIONS, f"can't be read: {type(error).__name__}")]) from error


def _id(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return an expression for ids as text. Question numbers written as floats (1.0) become integers."""
    written = category(QUESTION, dtype) if column == QUESTION else pl.col(column).cast(pl.String)
    return written.alias(column)


def _scores(rows: pl.DataFrame) -> dict[str, float]:
    truth, answers, means = (rows[name].to_numpy() for name in (RATING, "answer", "movie_mean"))
    error, base = rmse(answers, truth), rmse(means, truth)
    return {
        "questions": float(len(rows)),
        "rmse": error,
        "movie_mean_rmse": base,
        "improvement_percent": gain_percent(error, base),
    }
