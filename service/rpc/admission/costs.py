"""Estimates how much work a request is, from its kind and size, for admission control."""

from typing import Any

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.requests.limits import DEFAULT_SUGGESTIONS, SUGGESTIONS

MOVIES_PER_CALL = 200
PLAYS_PER_CALL = 1_000
"""Number of movies to predict, or of plays of the member, that costs about as much as one small call."""
RANKING = 4.0
EXPLANATION = 2.0
SUGGESTION = 4.0
"""Base costs of these requests, in units of a small call. A ranking and a suggestion score the whole catalogue."""
SUGGESTIONS_PER_CALL = 4
"""Number of suggested movies that costs about as much as one small call."""


def cost_of(request: Any) -> float:
    """Return the amount of work of a request, in units of a small call; at least 1."""
    match request:
        case pb.PredictEnjoymentRequest():
            movies = len(request.movie_ids) + len(request.new_movies)
            return 1.0 + movies / MOVIES_PER_CALL + len(request.member.plays) / PLAYS_PER_CALL
        case pb.RankMoviesRequest():
            return RANKING + len(request.member.plays) / PLAYS_PER_CALL
        case pb.SuggestMoviesToRateRequest():
            size = min(max(request.size, 0) or DEFAULT_SUGGESTIONS, SUGGESTIONS)
            return SUGGESTION + size / SUGGESTIONS_PER_CALL + len(request.member.plays) / PLAYS_PER_CALL
        case pb.ExplainEnjoymentRequest():
            return EXPLANATION + len(request.member.plays) / PLAYS_PER_CALL
    return 1.0
