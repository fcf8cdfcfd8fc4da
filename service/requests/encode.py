"""Encodes predictions as response messages, or directly as bytes for responses with many predictions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

import numpy as np

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Attribute
from model.facts.evidence import MemberEvidence
from model.prediction.interview import Interview
from model.prediction.model import Model
from model.prediction.predictions import GROUPS, Explanation, NextFact, Predictions
from service.requests.decode import UnusedFacts

KINDS = {"categorical": pb.ATTRIBUTE_KIND_CATEGORICAL, "numeric": pb.ATTRIBUTE_KIND_NUMERIC}
Title = Callable[[str], str]
"""Returns the title of the movie with an id."""
UNUSED_FIELDS = tuple(pb.UnusedFacts.DESCRIPTOR.fields_by_name)
_unused_values: Callable[[UnusedFacts], tuple[int, ...]] = attrgetter(*UNUSED_FIELDS)


def prediction_responses(
    movie_ids: Sequence[Sequence[str]], predictions: Sequence[Predictions], unused: Sequence[UnusedFacts], model: Model
) -> list[bytes]:
    """Encode several responses of PredictEnjoyment by a model.

    The predictions and the other fields are encoded separately: concatenating encoded messages merges their fields.
    """
    return [
        encoded + _response_end(response.member_evidence, model.version, _unused_values(facts))
        for encoded, response, facts in zip(
            batch_predictions_bytes(movie_ids, predictions, model.catalogue.title), predictions, unused, strict=True
        )
    ]


@lru_cache(maxsize=1024)
def _response_end(evidence: MemberEvidence, version: str, unused_values: tuple[int, ...]) -> bytes:
    """Encode a response without its predictions; results are cached, since there are few different ones."""
    return pb.PredictEnjoymentResponse(
        member_evidence=_evidence(evidence), model_version=version, unused=_unused(unused_values)
    ).SerializeToString()


def ranking_response(
    movie_ids: Sequence[str], predictions: Predictions, unused: UnusedFacts, model: Model, next_page_token: str
) -> bytes:
    """Encode the response of RankMovies with the movies of one page, best first."""
    rest = pb.RankMoviesResponse(
        member_evidence=_evidence(predictions.member_evidence),
        model_version=model.version,
        next_page_token=next_page_token,
        unused=_unused(_unused_values(unused)),
    )
    return predictions_bytes(movie_ids, predictions, model.catalogue.title) + rest.SerializeToString()


def explanation_response(
    movie_ids: Sequence[str], explanation: Explanation, next_fact: NextFact | None, unused: UnusedFacts, model: Model
) -> pb.ExplainEnjoymentResponse:
    """Return the response of ExplainEnjoyment: a prediction, what adds up to it, and the next fact to ask for.

    The last is left out if there is none.
    """
    encoded = predictions_bytes(movie_ids, explanation.predictions, model.catalogue.title)
    return pb.ExplainEnjoymentResponse(
        prediction=pb.PredictEnjoymentResponse.FromString(encoded).predictions[0],
        member_evidence=_evidence(explanation.predictions.member_evidence),
        model_version=model.version,
        unused=_unused(_unused_values(unused)),
        parts=[
            pb.Part(group=part.group, description=GROUPS[part.group], rating=part.rating) for part in explanation.parts
        ],
        rating_before_cut=explanation.rating_before_cut,
        next_fact=None if next_fact is None else _next_fact(next_fact),
    )


def suggestion_response(interview: Interview, unused: UnusedFacts, model: Model) -> pb.SuggestMoviesToRateResponse:
    """Return the response of SuggestMoviesToRate, with the movies in the order in which to ask for them."""
    catalogue = model.catalogue
    return pb.SuggestMoviesToRateResponse(
        movies=[
            pb.SuggestedMovie(
                movie_id=catalogue.movie_ids[row],
                title=catalogue.titles[row],
                probability_seen=probability,
                expected_width=width,
            )
            for row, probability, width in zip(
                interview.rows.tolist(),
                interview.probability_seen.tolist(),
                interview.expected_width.tolist(),
                strict=True,
            )
        ],
        member_evidence=_evidence(interview.member_evidence),
        model_version=model.version,
        unused=_unused(_unused_values(unused)),
        current_width=interview.current_width,
    )


def model_response(model: Model) -> pb.GetModelResponse:
    """Return the response of GetModel, which describes the model: its version, data, attributes and scores."""
    manifest, schema = model.manifest, model.schema
    response = pb.GetModelResponse(
        model_version=model.version,
        data=pb.DataCounts(**{name: manifest.data.get(name, 0) for name in pb.DataCounts.DESCRIPTOR.fields_by_name}),
        data_fingerprint=manifest.data_fingerprint,
        seed=manifest.seed,
        scale=pb.RatingScale(low=schema.scale.low, high=schema.scale.high, enjoyed_from=schema.scale.enjoyed_from),
        member_attributes=map(_attribute, schema.member_attributes),
        movie_attributes=map(_attribute, schema.movie_attributes),
        genres=schema.genres,
        scores=[
            pb.EvidenceScores(member_evidence=_evidence(evidence), scores=manifest.scores[evidence.name.lower()])
            for evidence in MemberEvidence
            if evidence.name.lower() in manifest.scores
        ],
        format=manifest.format,
        libraries=manifest.libraries,
    )
    response.trained_at.FromDatetime(datetime.fromisoformat(model.run.trained_at))
    return response


def _evidence(evidence: MemberEvidence) -> pb.MemberEvidence:
    """Return what is known of a member as the value of the enum in the gRPC contract, which has the same numbers."""
    return cast("pb.MemberEvidence", int(evidence))


def _next_fact(fact: NextFact) -> pb.NextFact:
    response = pb.NextFact(expected_width=fact.expected_width, current_width=fact.current_width)
    if fact.attribute is None:
        response.plays = fact.plays
    else:
        response.attribute = fact.attribute
    return response


def _unused(values: tuple[int, ...]) -> pb.UnusedFacts | None:
    """Return the message that counts what the model couldn't use of a request; None if all was used.

    `values` are the counts, in the order of `UNUSED_FIELDS`.
    """
    fields: dict[str, Any] = dict(zip(UNUSED_FIELDS, values, strict=True))
    return pb.UnusedFacts(**fields) if any(values) else None


def _attribute(attribute: Attribute) -> pb.Attribute:
    return pb.Attribute(
        name=attribute.name,
        kind=KINDS[attribute.kind],
        categories=attribute.categories,
        has_other=attribute.has_other,
    )


VARINT, FIXED_64, LENGTH = 0, 1, 2
"""Wire types of protobuf."""
DOUBLES = ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "extrapolation")
"""Fields of pb.Prediction of type double, ordered by field number."""


def _tag(field: str, wire_type: int) -> int:
    """Return the byte that precedes a field of an encoded pb.Prediction; field numbers are below 16, so it is one."""
    return pb.Prediction.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type


_TAIL = np.dtype(
    [part for name in DOUBLES for part in ((f"tag:{name}", "u1"), (name, "<f8"))]
    + [("tag:movie_evidence", "u1"), ("movie_evidence", "u1")]
)
"""Layout of an encoded prediction after movie_id and title, the fields of variable length. Evidence is a one-byte
varint."""
_BLANK = np.zeros(1, _TAIL)
for _name in DOUBLES:
    _BLANK[f"tag:{_name}"] = _tag(_name, FIXED_64)
_BLANK["tag:movie_evidence"] = _tag("movie_evidence", VARINT)
_MOVIE_ID, _TITLE = _tag("movie_id", LENGTH), _tag("title", LENGTH)
_PREDICTIONS = pb.PredictEnjoymentResponse.DESCRIPTOR.fields_by_name["predictions"].number << 3 | LENGTH
"""Tag of the field `predictions`, the same in the responses of PredictEnjoyment and RankMovies."""


def predictions_bytes(movie_ids: Sequence[str], predictions: Predictions, title: Title) -> bytes:
    """Encode the field `predictions` of a response, with the titles that `title` returns for the ids.

    Raises ValueError if the numbers of ids and predictions differ.
    """
    return _joined(movie_ids, title, _tails([predictions]))


def batch_predictions_bytes(
    movie_ids: Sequence[Sequence[str]], predictions: Sequence[Predictions], title: Title
) -> list[bytes]:
    """Encode the field `predictions` of several responses, with the titles that `title` returns for the ids."""
    tails, end, fields = _tails(predictions), 0, []
    for response_ids, response in zip(movie_ids, predictions, strict=True):
        start, end = end, end + len(response.rating)
        fields.append(_joined(response_ids, title, tails[start:end]))
    return fields


def _tails(predictions: Sequence[Predictions]) -> list[bytes]:
    """Encode the part after movie_id and title of each prediction, for all responses in order."""
    columns = _BLANK.repeat(sum(len(response.rating) for response in predictions))
    for name in (*DOUBLES, "movie_evidence"):
        columns[name] = np.concatenate([getattr(response, name) for response in predictions])
    tails: list[bytes] = columns.view(f"V{_TAIL.itemsize}").tolist()
    return tails


def _joined(movie_ids: Sequence[str], title: Title, tails: Sequence[bytes]) -> bytes:
    parts = [b""] * (2 * len(tails))
    parts[::2] = map(_start, movie_ids, map(title, movie_ids))
    parts[1::2] = tails
    return b"".join(parts)


@lru_cache(maxsize=65536)
def _start(movie_id: str, title: str) -> bytes:
    """Encode the start of a prediction: its tag and length, then its movie_id and, if it isn't empty, its title."""
    texts = _text(_MOVIE_ID, movie_id) + (_text(_TITLE, title) if title else b"")
    return bytes((_PREDICTIONS, *_varint(len(texts) + _TAIL.itemsize))) + texts


def _text(tag: int, text: str) -> bytes:
    encoded = text.encode()
    return bytes((tag, *_varint(len(encoded)))) + encoded


def _varint(number: int) -> bytes:
    """Encode a varint: seven bits per byte, lowest bits first, with the highest bit set in all bytes but the last."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
