"""The request of the benchmark: 20 movies for a member whose facts are inline."""

from dataclasses import dataclass

import numpy as np

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.prediction.model import Model
from service.requests.decode import Decoder, PredictionQuery
from service.requests.encode import prediction_responses

MOVIES, PLAYS, ATTRIBUTES = 20, 30, 6
UNKNOWN_ATTRIBUTES = ("region", "language", "device", "household", "plan", "newsletter")
"""Fill up to six attributes where the model has fewer; callers send what they have."""


@dataclass(frozen=True)
class Question:
    """A request, and what the model in this very process answers."""

    request: pb.PredictEnjoymentRequest
    asked: PredictionQuery
    """The request as the model sees it."""
    answer: pb.PredictEnjoymentResponse


def member_of(
    model: Model, random: np.random.Generator, plays: int = PLAYS, ratings: int = 0
) -> tuple[pb.Member, list[str]]:
    """A member of six attributes with plays and ratings of the catalogue, and the other movies that are rated.

    All are drawn.
    """
    member = pb.Member()
    for attribute in model.schema.member_attributes[:ATTRIBUTES]:
        if attribute.kind == "numeric":
            member.attributes[attribute.name].number = float(np.mean(attribute.knots or (0.0,)))
        else:
            member.attributes[attribute.name].text = str(random.choice(attribute.categories))
    for name in UNKNOWN_ATTRIBUTES[: ATTRIBUTES - len(member.attributes)]:
        member.attributes[name].text = "unknown to the model"
    drawn = random.permutation(np.flatnonzero(model.catalogue.rated))
    movie_ids = [model.catalogue.movie_ids[row] for row in drawn]
    for movie_id in movie_ids[:plays]:
        member.plays.add(movie_id=movie_id, completion=float(random.random()))
    scale, known = model.schema.scale, plays + ratings
    for movie_id in movie_ids[plays:known]:
        member.ratings.add(movie_id=movie_id, rating=float(np.rint(random.uniform(scale.low, scale.high))))
    return member, movie_ids[known:]


def question_of(model: Model, seed: int, plays: int = PLAYS, ratings: int = 0) -> Question:
    """The request, drawn with this seed, and its answer."""
    member, others = member_of(model, np.random.default_rng(seed), plays, ratings)
    request = pb.PredictEnjoymentRequest(member=member, movie_ids=others[:MOVIES])
    asked = Decoder(model).prediction(request)
    predicted = model.predict(asked.member, asked.movies)
    [answer] = prediction_responses([asked.movie_ids], [predicted], [asked.unused], model)
    return Question(request, asked, pb.PredictEnjoymentResponse.FromString(answer))


def trees_alone(model: Model, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """(N, F) features of the question's pairs, ready-made, and (N,) what the trees say of them."""
    features = model.features(question.asked.member, question.asked.movies)
    booster = model.trees.booster
    if booster is None:
        raise ValueError("the model has no trees to compare with")
    return features, np.asarray(booster.predict(features))
