"""Predictions in protobuf's own encoding, made of whole columns at once: message objects cost four times as much.

The encoding is that of protobuf.dev/programming-guides/encoding; protobuf itself reads what is written here.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.prediction.predictions import Predictions

VARINT, FIXED_64, LENGTH = 0, 1, 2
"""Wire types."""
DOUBLES = ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "extrapolation")


def _tag(field: str, wire_type: int) -> int:
    """What stands before a field's value: one byte, since the numbers of the fields are below 16."""
    return pb.Prediction.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type


_TAIL = np.dtype(
    [part for name in DOUBLES for part in ((f"tag:{name}", "u1"), (name, "<f8"))]
    + [("tag:movie_evidence", "u1"), ("movie_evidence", "u1")]
)
"""A prediction but for its movie_id, which alone differs in length; a kind of evidence is a varint of one byte."""
_BLANK = np.zeros(1, _TAIL)
for _name in DOUBLES:
    _BLANK[f"tag:{_name}"] = _tag(_name, FIXED_64)
_BLANK["tag:movie_evidence"] = _tag("movie_evidence", VARINT)
_MOVIE_ID = _tag("movie_id", LENGTH)
_PREDICTIONS = pb.PredictEnjoymentResponse.DESCRIPTOR.fields_by_name["predictions"].number << 3 | LENGTH
"""The same in both responses that have predictions."""


def predictions_bytes(movie_ids: Sequence[str], predicted: Predictions) -> bytes:
    """All predictions as the field `predictions` of a response; raises ValueError for other than one id each."""
    return _joined(movie_ids, _tails([predicted]))


def many_predictions_bytes(movie_ids: Sequence[Sequence[str]], predicted: Sequence[Predictions]) -> list[bytes]:
    """The same for several responses at once."""
    tails, end, found = _tails(predicted), 0, []
    for ids, one in zip(movie_ids, predicted, strict=True):
        start, end = end, end + len(one.rating)
        found.append(_joined(ids, tails[start:end]))
    return found


def _tails(predicted: Sequence[Predictions]) -> list[bytes]:
    """What follows the movie_id, of all predictions one after the other."""
    tails = _BLANK.repeat(sum(len(one.rating) for one in predicted))
    for name in (*DOUBLES, "movie_evidence"):
        tails[name] = np.concatenate([getattr(one, name) for one in predicted])
    told: list[bytes] = tails.view(f"V{_TAIL.itemsize}").tolist()
    return told


def _joined(movie_ids: Sequence[str], tails: Sequence[bytes]) -> bytes:
    parts = [b""] * (2 * len(tails))
    parts[::2] = map(_start, movie_ids)
    parts[1::2] = tails
    return b"".join(parts)


@lru_cache(maxsize=65536)
def _start(movie_id: str) -> bytes:
    """A prediction up to its movie_id: tag and length of the whole prediction, then tag, length and bytes of the id."""
    encoded = movie_id.encode()
    id_length = _varint(len(encoded))
    whole = 1 + len(id_length) + len(encoded) + _TAIL.itemsize
    return bytes((_PREDICTIONS, *_varint(whole), _MOVIE_ID, *id_length)) + encoded


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; all bytes but the last have their highest bit set."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
