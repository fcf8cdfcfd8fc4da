"""A typed client for the coldstart service, blocking or asyncio, with deadlines, retries, TLS and bearer tokens."""

from coldstart_client.answers import (
    Explanation,
    NextFact,
    Prediction,
    Predictions,
    Ranking,
    Recorded,
    ServedModel,
    SuggestedMovie,
    Suggestions,
)
from coldstart_client.asynchronous import AsyncClient
from coldstart_client.blocking import Client
from coldstart_client.connection import Tls
from coldstart_client.errors import CallFailed, InvalidCall, Overloaded, Refused, Unreachable
from coldstart_client.requests import Ask, Movie, Play, Rating

__all__ = [
    "Ask",
    "AsyncClient",
    "CallFailed",
    "Client",
    "Explanation",
    "InvalidCall",
    "Movie",
    "NextFact",
    "Overloaded",
    "Play",
    "Prediction",
    "Predictions",
    "Ranking",
    "Rating",
    "Recorded",
    "Refused",
    "ServedModel",
    "SuggestedMovie",
    "Suggestions",
    "Tls",
    "Unreachable",
]
