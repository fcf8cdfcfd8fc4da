"""Encodes predictions as response messages, or as their bytes where they hold many predictions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Attribute
from model.facts.evidence import MemberEvidence
from model.prediction.model import Model
from model.prediction.predictions import GROUPS, Explanation, NextFact, Predictions
from service.requests.facts_decoder import UnusedFacts
from service.requests.prediction_bytes import batch_predictions_bytes, predictions_bytes

KINDS = {"categorical": pb.ATTRIBUTE_KIND_CATEGORICAL, "numeric": pb.ATTRIBUTE_KIND_NUMERIC}
UNUSED_FIELDS = tuple(pb.UnusedFacts.DESCRIPTOR.fields_by_name)
_unused_values: Callable[[UnusedFacts], tuple[int, ...]] = attrgetter(*UNUSED_FIELDS)


def prediction_responses(
    movie_ids: Sequence[Sequence[str]], predictions: Sequence[Predictions], unused: Sequence[UnusedFacts], version: str
) -> list[bytes]:
    """Encoded responses of PredictEnjoyment; the concatenation of two messages has the fields of both."""
    return [
        encoded + _response_end(response.member_evidence, version, _unused_values(facts))
        for encoded, response, facts in zip(
            batch_predictions_bytes(movie_ids, predictions), predictions, unused, strict=True
        )
    ]


@lru_cache(maxsize=1024)
def _response_end(evidence: MemberEvidence, version: str, unused_values: tuple[int, ...]) -> bytes:
    """The response without its predictions, of which there are few different ones."""
    return pb.PredictEnjoymentResponse(
        member_evidence=_evidence(evidence), model_version=version, unused=_unused(unused_values)
    ).SerializeToString()


def ranking_response(
    movie_ids: Sequence[str], predictions: Predictions, unused: UnusedFacts, version: str, next_page_token: str
) -> bytes:
    """The encoded response of RankMovies."""
    rest = pb.RankMoviesResponse(
        member_evidence=_evidence(predictions.member_evidence),
        model_version=version,
        next_page_token=next_page_token,
        unused=_unused(_unused_values(unused)),
    )
    return predictions_bytes(movie_ids, predictions) + rest.SerializeToString()


def explanation_response(
    movie_ids: Sequence[str], explanation: Explanation, next_fact: NextFact | None, unused: UnusedFacts, version: str
) -> pb.ExplainEnjoymentResponse:
    """The response of ExplainEnjoyment."""
    encoded = predictions_bytes(movie_ids, explanation.predictions)
    return pb.ExplainEnjoymentResponse(
        prediction=pb.PredictEnjoymentResponse.FromString(encoded).predictions[0],
        member_evidence=_evidence(explanation.predictions.member_evidence),
        model_version=version,
        unused=_unused(_unused_values(unused)),
        parts=[
            pb.Part(group=part.group, description=GROUPS[part.group], rating=part.rating) for part in explanation.parts
        ],
        rating_before_cut=explanation.rating_before_cut,
        next_fact=None if next_fact is None else _next_fact(next_fact),
    )


def model_response(model: Model) -> pb.GetModelResponse:
    """The response of GetModel."""
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
    """The contract's value, which is the same number."""
    return cast("pb.MemberEvidence", int(evidence))


def _next_fact(fact: NextFact) -> pb.NextFact:
    response = pb.NextFact(expected_width=fact.expected_width, current_width=fact.current_width)
    if fact.attribute is None:
        response.plays = fact.plays
    else:
        response.attribute = fact.attribute
    return response


def _unused(values: tuple[int, ...]) -> pb.UnusedFacts | None:
    """The message with these values of `UNUSED_FIELDS`; None if all facts were used."""
    fields: dict[str, Any] = dict(zip(UNUSED_FIELDS, values, strict=True))
    return pb.UnusedFacts(**fields) if any(values) else None


def _attribute(attribute: Attribute) -> pb.Attribute:
    return pb.Attribute(
        name=attribute.name,
        kind=KINDS[attribute.kind],
        categories=attribute.categories,
        has_other=attribute.has_other,
    )
