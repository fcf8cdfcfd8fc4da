"""Answers the questions of a challenge (ratings to predict in a contest) with a model's predictions."""

import polars as pl

from features.columns import MEMBER_ID, MOVIE_ID, RATING
from model.prediction.model import Model
from training.challenge.make import QUESTION
from training.data.reading.tables import Tables
from training.versions.offline import in_parts, predictions_of


def answers_of(model: Model, tables: Tables, questions: pl.DataFrame) -> pl.DataFrame:
    """Return the questions of a challenge (pairs of member and movie) with the model's predictions as answers.

    Its columns are question, member_id, movie_id and rating, the prediction. `tables` is the public data of the
    challenge, and `questions` has the first three columns.
    """
    parts = in_parts(predictions_of(model, tables, questions))
    predicted = [part.select(MEMBER_ID, MOVIE_ID, RATING) for part in parts]
    return questions.select(QUESTION, MEMBER_ID, MOVIE_ID).join(
        pl.concat(predicted), on=[MEMBER_ID, MOVIE_ID], how="left", maintain_order="left"
    )
