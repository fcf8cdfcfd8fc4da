"""Lets two versions predict recorded ratings again, as the service answers for a member's id."""

from collections.abc import Iterable, Sequence

import numpy as np

from features.schema import Scale
from model.facts.facts import MemberFacts
from model.facts.outcome_record import Outcome
from model.prediction.model import Model
from model.prediction.predictions import Predictions
from training.versions.guard.judgement import Replay, VersionPredictions

SESSION_SECONDS = 3600.0
"""A member counts by the ratings given within an hour of the first, and not before that hour is over. What counts of a
member must not change after it was looked at, or the test would not be valid."""


def comparable(outcomes: Iterable[Outcome], since: float) -> list[Outcome]:
    """Return the ratings that neither version can have learned from, in the order in which they were received.

    That are those given and received after `since`, when the current version had been trained (seconds since 1970).
    Where tokens are used, only outcomes of callers with a token count.
    """
    rated = [each for each in outcomes if each.rating is not None and min(each.happened_at, each.received_at) > since]
    if any(each.caller is not None for each in rated):
        rated = [each for each in rated if each.caller is not None]
    return sorted(rated, key=lambda each: (each.received_at, each.request_id))


def replay(outcomes: Iterable[Outcome], current: Model, before: Model, now: float, most_members: int) -> Replay:
    """Predict ratings by two versions, from the facts of members and movies that each version was published with.

    Only members whom at least one version knows count: of the others, callers know more than these versions do.
    Members whose first hour isn't over at `now` (seconds since 1970) are left out.
    """
    models = (current, before)
    predicted: tuple[list[Predictions], list[Predictions]] = ([], [])
    ratings: list[float] = []
    counts: list[int] = []
    for member_id, of_member in _sessions(outcomes, current.schema.scale, now).items():
        known = [model.members.find(member_id) for model in models]
        if len(counts) < most_members and any(facts is not None for facts in known):
            ratings += of_member.values()
            counts.append(len(of_member))
            for model, facts, predictions in zip(models, known, predicted, strict=True):
                predictions.append(_predictions(model, facts, list(of_member)))
    member = np.repeat(np.arange(len(counts)), counts)
    return Replay(member, np.array(ratings, np.float64), *map(_joined, predicted))


def _sessions(outcomes: Iterable[Outcome], scale: Scale, now: float) -> dict[str, dict[str, float]]:
    """Return the ratings on the scale in each member's first hour, by member and movie, if that hour is over.

    Members are in the order of their first ratings. Of several ratings of one movie by a member, the first counts.
    """
    began: dict[str, float] = {}
    sessions: dict[str, dict[str, float]] = {}
    for outcome in outcomes:
        rating, received = outcome.rating, outcome.received_at
        if rating is None or not scale.low <= rating <= scale.high:
            continue
        end = began.setdefault(outcome.member_id, received) + SESSION_SECONDS
        if received < end <= now:
            sessions.setdefault(outcome.member_id, {}).setdefault(outcome.movie_id, rating)
    return sessions


def _predictions(model: Model, facts: MemberFacts | None, movie_ids: Iterable[str]) -> Predictions:
    member = MemberFacts.nothing(model.schema) if facts is None else facts
    return model.predict(member, [model.catalogue.asked(movie_id, None, member.movies) for movie_id in movie_ids])


def _joined(predictions: Sequence[Predictions]) -> VersionPredictions:
    parts = ([getattr(each, name) for each in predictions] for name in VersionPredictions._fields)
    return VersionPredictions(*(np.concatenate([np.empty(0), *arrays]) for arrays in parts))
