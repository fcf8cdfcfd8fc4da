"""From what the model says to response messages, or to their bytes where they hold many predictions."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import cast

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Attribute
from model.facts.evidence import MemberEvidence
from model.prediction.model import Model
from model.prediction.predictions import GROUPS, Explanation, NextFact, Predictions
from service.requests.facts_decoder import UnusedFacts
from service.requests.prediction_bytes import many_predictions_bytes, predictions_bytes

_KINDS = {"categorical": pb.ATTRIBUTE_KIND_CATEGORICAL, "numeric": pb.ATTRIBUTE_KIND_NUMERIC}


def prediction_responses(
    movie_ids: Sequence[Sequence[str]], predicted: Sequence[Predictions], unused: Sequence[UnusedFacts], version: str
) -> list[bytes]:
    """Answers of PredictEnjoyment: protobuf puts the fields of one message together where bytes do."""
    told = many_predictions_bytes(movie_ids, predicted)
    return [
        predictions
        + _rest(
            one.member_evidence,
            version,
            left.unknown_attributes,
            left.unseen_categories,
            left.plays_of_unknown_movies,
            left.unknown_member,
            left.unknown_genres,
        )
        for predictions, one, left in zip(told, predicted, unused, strict=True)
    ]


@lru_cache(maxsize=1024)
def _rest(
    evidence: MemberEvidence, version: str, attributes: int, categories: int, plays: int, member: bool, genres: int
) -> bytes:
    """The answer but for its predictions, with what isn't used; there are few of them, again and again."""
    unused = UnusedFacts(attributes, categories, plays, member, genres)
    return pb.PredictEnjoymentResponse(
        member_evidence=_evidence(evidence),
        model_version=version,
        unused=_unused(unused) if unused.is_reported else None,
    ).SerializeToString()


def ranking_response(
    movie_ids: Sequence[str], predicted: Predictions, unused: UnusedFacts, version: str, next_page_token: str
) -> bytes:
    """The answer of RankMovies, in the same way."""
    rest = pb.RankMoviesResponse(
        member_evidence=_evidence(predicted.member_evidence),
        model_version=version,
        next_page_token=next_page_token,
        unused=_unused(unused) if unused.is_reported else None,
    )
    return predictions_bytes(movie_ids, predicted) + rest.SerializeToString()


def explanation_response(
    movie_ids: Sequence[str], explained: Explanation, next_fact: NextFact | None, unused: UnusedFacts, version: str
) -> pb.ExplainEnjoymentResponse:
    """The answer of ExplainEnjoyment."""
    return pb.ExplainEnjoymentResponse(
        prediction=pb.PredictEnjoymentResponse.FromString(
            predictions_bytes(movie_ids, explained.predictions)
        ).predictions[0],
        member_evidence=_evidence(explained.predictions.member_evidence),
        model_version=version,
        unused=_unused(unused) if unused.is_reported else None,
        parts=[
            pb.Part(group=part.group, description=GROUPS[part.group], rating=part.rating) for part in explained.parts
        ],
        rating_before_cut=explained.rating_before_cut,
        next_fact=None if next_fact is None else _next_fact(next_fact),
    )


def model_response(model: Model) -> pb.GetModelResponse:
    """The answer of GetModel."""
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
    """The contract's value: the numbers are the same."""
    return cast("pb.MemberEvidence", int(evidence))


def _next_fact(fact: NextFact) -> pb.NextFact:
    told = pb.NextFact(expected_width=fact.expected_width, current_width=fact.current_width)
    if fact.attribute is None:
        told.plays = fact.plays
    else:
        told.attribute = fact.attribute
    return told


def _unused(unused: UnusedFacts) -> pb.UnusedFacts:
    return pb.UnusedFacts(
        unknown_attributes=unused.unknown_attributes,
        unseen_categories=unused.unseen_categories,
        plays_of_unknown_movies=unused.plays_of_unknown_movies,
        unknown_member=unused.unknown_member,
        unknown_genres=unused.unknown_genres,
    )


def _attribute(attribute: Attribute) -> pb.Attribute:
    return pb.Attribute(
        name=attribute.name,
        kind=_KINDS[attribute.kind],
        categories=attribute.categories,
        has_other=attribute.has_other,
    )
