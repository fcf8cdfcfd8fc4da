"""Estimates the work of a request from its size."""

from typing import Any

from coldstart_client.v1 import enjoyment_service_pb2 as pb

MOVIES_PER_CALL = 200
PLAYS_PER_CALL = 1_000
"""Movies to predict, or plays of the member, that take about as long as a small call."""
RANKING = 4.0
EXPLANATION = 2.0
"""Cost of these calls, in small calls; a ranking scores the whole catalogue."""


def cost_of(request: Any) -> float:
    """The cost of a request, in small calls: at least 1."""
    match request:
        case pb.PredictEnjoymentRequest():
            movies = len(request.movie_ids) + len(request.new_movies)
            return 1.0 + movies / MOVIES_PER_CALL + len(request.member.plays) / PLAYS_PER_CALL
        case pb.RankMoviesRequest():
            return RANKING + len(request.member.plays) / PLAYS_PER_CALL
        case pb.ExplainEnjoymentRequest():
            return EXPLANATION + len(request.member.plays) / PLAYS_PER_CALL
    return 1.0
