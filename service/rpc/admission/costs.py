"""How much work a request asks for, told from its size before any of it is done."""

from typing import Any

from coldstart_client.v1 import enjoyment_service_pb2 as pb

MOVIES_A_CALL = 200
"""So many movies take about as long as a small call with all that it brings."""
PLAYS_A_CALL = 1_000
RANKING = 4.0
"""A ranking scores the whole catalogue."""
EXPLANATION = 2.0


def cost_of(request: Any) -> float:
    """The work in small calls; 1 for any message that brings none to speak of."""
    match request:
        case pb.PredictEnjoymentRequest():
            movies = len(request.movie_ids) + len(request.new_movies)
            return 1.0 + movies / MOVIES_A_CALL + len(request.member.plays) / PLAYS_A_CALL
        case pb.RankMoviesRequest():
            return RANKING + len(request.member.plays) / PLAYS_A_CALL
        case pb.ExplainEnjoymentRequest():
            return EXPLANATION + len(request.member.plays) / PLAYS_A_CALL
    return 1.0
