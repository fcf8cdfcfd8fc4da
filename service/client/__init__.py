"""The client of the service: one call a line, with deadlines, retries and plain answers."""

from service.client.answers import Explanation, Prediction, Predictions, Ranking, Recorded, ServedModel
from service.client.asynchronous import AsyncClient
from service.client.blocking import Client
from service.client.connection import Tls
from service.client.errors import CallFailed, InvalidCall, Overloaded, Refused, Unreachable
from service.client.requests import Ask, Play

__all__ = [
    "Ask",
    "AsyncClient",
    "CallFailed",
    "Client",
    "Explanation",
    "InvalidCall",
    "Overloaded",
    "Play",
    "Prediction",
    "Predictions",
    "Ranking",
    "Recorded",
    "Refused",
    "ServedModel",
    "Tls",
    "Unreachable",
]
