"""Encodes predictions to protobuf's wire format a column at a time, at a quarter of the cost of message objects.

The format is documented at protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.prediction.predictions import Predictions

VARINT, FIXED_64, LENGTH = 0, 1, 2
"""Wire types."""
DOUBLES = ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "extrapolation")
"""The fields of type double, in the order of their numbers."""


def _tag(field: str, wire_type: int) -> int:
    """The tag before a field's value: one byte, since field numbers are below 16."""
    return pb.Prediction.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type


_TAIL = np.dtype(
    [part for name in DOUBLES for part in ((f"tag:{name}", "u1"), (name, "<f8"))]
    + [("tag:movie_evidence", "u1"), ("movie_evidence", "u1")]
)
"""A prediction without its movie_id, the only field of variable length; evidence is a varint of one byte."""
_BLANK = np.zeros(1, _TAIL)
for _name in DOUBLES:
    _BLANK[f"tag:{_name}"] = _tag(_name, FIXED_64)
_BLANK["tag:movie_evidence"] = _tag("movie_evidence", VARINT)
_MOVIE_ID = _tag("movie_id", LENGTH)
_PREDICTIONS = pb.PredictEnjoymentResponse.DESCRIPTOR.fields_by_name["predictions"].number << 3 | LENGTH
"""The tag of `predictions`, which is the same in both responses that have them."""


def predictions_bytes(movie_ids: Sequence[str], predictions: Predictions) -> bytes:
    """The encoded field `predictions` of a response; raises ValueError unless there is an id for each prediction."""
    return _joined(movie_ids, _tails([predictions]))


def batch_predictions_bytes(movie_ids: Sequence[Sequence[str]], predictions: Sequence[Predictions]) -> list[bytes]:
    """The encoded field `predictions` of each of several responses."""
    tails, end, fields = _tails(predictions), 0, []
    for response_ids, response in zip(movie_ids, predictions, strict=True):
        start, end = end, end + len(response.rating)
        fields.append(_joined(response_ids, tails[start:end]))
    return fields


def _tails(predictions: Sequence[Predictions]) -> list[bytes]:
    """The bytes after the movie_id of each prediction, of all responses in order."""
    columns = _BLANK.repeat(sum(len(response.rating) for response in predictions))
    for name in (*DOUBLES, "movie_evidence"):
        columns[name] = np.concatenate([getattr(response, name) for response in predictions])
    tails: list[bytes] = columns.view(f"V{_TAIL.itemsize}").tolist()
    return tails


def _joined(movie_ids: Sequence[str], tails: Sequence[bytes]) -> bytes:
    parts = [b""] * (2 * len(tails))
    parts[::2] = map(_start, movie_ids)
    parts[1::2] = tails
    return b"".join(parts)


@lru_cache(maxsize=65536)
def _start(movie_id: str) -> bytes:
    """The start of a prediction: its tag and length, then tag, length and bytes of its movie_id."""
    encoded = movie_id.encode()
    id_length = _varint(len(encoded))
    length = 1 + len(id_length) + len(encoded) + _TAIL.itemsize
    return bytes((_PREDICTIONS, *_varint(length), _MOVIE_ID, *id_length)) + encoded


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; all bytes but the last have their highest bit set."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
