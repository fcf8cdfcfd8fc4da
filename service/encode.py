"""From what the model says to response messages."""

from collections.abc import Sequence
from datetime import datetime

from features.schema import Attribute
from model.evidence import MemberEvidence
from model.model import Model
from model.predictions import GROUPS, Explanation, NextFact, Predictions
from protos.coldstart.v1 import enjoyment_service_pb2 as pb
from service.request_facts import Unused

_KINDS = {"categorical": pb.ATTRIBUTE_KIND_CATEGORICAL, "numeric": pb.ATTRIBUTE_KIND_NUMERIC}


def prediction_response(
    movie_ids: Sequence[str], predicted: Predictions, unused: Unused, version: str
) -> pb.PredictEnjoymentResponse:
    """The answer of PredictEnjoyment."""
    return pb.PredictEnjoymentResponse(
        predictions=_predictions(movie_ids, predicted),
        member_evidence=_evidence(predicted.member_evidence),
        model_version=version,
        unused=_unused(unused),
    )


def ranking_response(
    movie_ids: Sequence[str], predicted: Predictions, unused: Unused, version: str, next_page_token: str
) -> pb.RankMoviesResponse:
    """The answer of RankMovies."""
    return pb.RankMoviesResponse(
        predictions=_predictions(movie_ids, predicted),
        member_evidence=_evidence(predicted.member_evidence),
        model_version=version,
        unused=_unused(unused),
        next_page_token=next_page_token,
    )


def explanation_response(
    movie_ids: Sequence[str], explained: Explanation, next_fact: NextFact | None, unused: Unused, version: str
) -> pb.ExplainEnjoymentResponse:
    """The answer of ExplainEnjoyment."""
    return pb.ExplainEnjoymentResponse(
        prediction=_predictions(movie_ids, explained.predictions)[0],
        member_evidence=_evidence(explained.predictions.member_evidence),
        model_version=version,
        unused=_unused(unused),
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
        data=pb.DataCounts(**manifest.data),
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


def _predictions(movie_ids: Sequence[str], predicted: Predictions) -> list[pb.Prediction]:
    columns = (
        predicted.rating,
        predicted.lower,
        predicted.upper,
        predicted.probability_enjoyed,
        predicted.prior_rating,
        predicted.movie_evidence,
        predicted.extrapolation,
    )
    return [
        pb.Prediction(
            movie_id=movie_id,
            rating=rating,
            lower=lower,
            upper=upper,
            probability_enjoyed=probability_enjoyed,
            prior_rating=prior_rating,
            movie_evidence=movie_evidence,
            extrapolation=extrapolation,
        )
        for (
            movie_id,
            rating,
            lower,
            upper,
            probability_enjoyed,
            prior_rating,
            movie_evidence,
            extrapolation,
        ) in zip(movie_ids, *(column.tolist() for column in columns), strict=True)
    ]


def _evidence(evidence: MemberEvidence) -> str:
    """The name of the contract's value."""
    return f"MEMBER_EVIDENCE_{evidence.name}"


def _next_fact(fact: NextFact) -> pb.NextFact:
    told = pb.NextFact(expected_width=fact.expected_width, current_width=fact.current_width)
    if fact.attribute is None:
        told.plays = fact.plays
    else:
        told.attribute = fact.attribute
    return told


def _unused(unused: Unused) -> pb.UnusedFacts | None:
    """None where everything was used."""
    told = pb.UnusedFacts(
        unknown_attributes=unused.attributes,
        unseen_categories=unused.categories,
        plays_of_unknown_movies=unused.plays,
        unknown_member=unused.member,
        unknown_genres=unused.genres,
    )
    return told if told.ByteSize() else None


def _attribute(attribute: Attribute) -> pb.Attribute:
    return pb.Attribute(
        name=attribute.name,
        kind=_KINDS[attribute.kind],
        categories=attribute.categories,
        has_other=attribute.has_other,
    )
