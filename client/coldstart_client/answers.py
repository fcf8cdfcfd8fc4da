"""The responses of the service as plain Python values."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from coldstart_client.v1 import enjoyment_service_pb2 as pb


@dataclass(frozen=True)
class Prediction:
    """A predicted rating of a movie by a member, on the rating scale of the training data."""

    movie_id: str
    rating: float
    """Expected rating."""
    lower: float
    """Lower end of the 90 % prediction interval."""
    upper: float
    """Upper end of the 90 % prediction interval."""
    probability_enjoyed: float
    """Probability of a rating at or above the model's `enjoyed_from`."""
    prior_rating: float
    """Rating that the factorization prior predicts without the trees."""
    movie_evidence: str
    """What the prediction knows of the movie: "rated", "described" or "unknown"."""
    extrapolation: float
    """How far the member is from the raters of the training data: 0 among them, 1 far outside."""

    @classmethod
    def of(cls, message: pb.Prediction) -> Self:
        """Build from the message."""
        return cls(
            message.movie_id,
            message.rating,
            message.lower,
            message.upper,
            message.probability_enjoyed,
            message.prior_rating,
            _word(pb.MovieEvidence, message.movie_evidence, "MOVIE_EVIDENCE_"),
            message.extrapolation,
        )


@dataclass(frozen=True)
class Unused:
    """Counts of the facts in a request that the model could not use."""

    unknown_attributes: int
    unseen_categories: int
    plays_of_unknown_movies: int
    unknown_member: bool
    unknown_genres: int


@dataclass(frozen=True)
class Predictions:
    """The predictions for one member in the order of the requested movies; iterates over them."""

    predictions: tuple[Prediction, ...]
    member_evidence: str
    """The facts of the member that the model used: "nothing", "attributes", "plays" or "attributes and plays"."""
    model_version: str
    unused: Unused

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)

    @classmethod
    def of(cls, message: pb.PredictEnjoymentResponse) -> Self:
        """Build from the response message."""
        return cls(*_common(message))


@dataclass(frozen=True)
class Ranking(Predictions):
    """One page of the best movies for a member, best first."""

    next_page_token: str
    """Page token of the next page; empty on the last."""

    @classmethod
    def of(cls, message: pb.RankMoviesResponse) -> Self:  # type: ignore[override] # of its own message
        """Build from the response message."""
        return cls(*_common(message), message.next_page_token)


@dataclass(frozen=True)
class Part:
    """The contribution of one group of facts to a prediction."""

    group: str
    description: str
    rating: float
    """Contribution in rating points, positive or negative."""


@dataclass(frozen=True)
class Explanation:
    """A prediction and the contributions that sum to it."""

    prediction: Prediction
    member_evidence: str
    model_version: str
    unused: Unused
    parts: tuple[Part, ...]
    """Their ratings sum to `rating_before_cut`."""
    rating_before_cut: float
    """The predicted rating before it is clipped to the rating scale."""

    @classmethod
    def of(cls, message: pb.ExplainEnjoymentResponse) -> Self:
        """Build from the response message."""
        return cls(
            Prediction.of(message.prediction),
            _evidence(message.member_evidence),
            message.model_version,
            _unused(message.unused),
            tuple(Part(part.group, part.description, part.rating) for part in message.parts),
            message.rating_before_cut,
        )


@dataclass(frozen=True)
class Attribute:
    """An attribute that the model can use."""

    name: str
    kind: str
    """"categorical" or "numeric"."""
    categories: tuple[str, ...]
    has_other: bool
    """Whether categories that are not listed count as a category "other"."""


@dataclass(frozen=True)
class ServedModel:
    """Description of the model that the service predicts with."""

    model_version: str
    trained_at: datetime
    data: dict[str, int]
    """Size of the training data: numbers of members, raters, movies, ratings and plays."""
    scale: tuple[float, float]
    """Lowest and highest rating."""
    enjoyed_from: float
    member_attributes: tuple[Attribute, ...]
    movie_attributes: tuple[Attribute, ...]
    genres: tuple[str, ...]
    scores: dict[str, dict[str, float]]
    """Evaluation scores by kind of member evidence, then by name."""

    @classmethod
    def of(cls, message: pb.GetModelResponse) -> Self:
        """Build from the response message."""
        return cls(
            message.model_version,
            message.trained_at.ToDatetime(UTC),
            {field.name: getattr(message.data, field.name) for field in message.data.DESCRIPTOR.fields},
            (message.scale.low, message.scale.high),
            message.scale.enjoyed_from,
            tuple(map(_attribute, message.member_attributes)),
            tuple(map(_attribute, message.movie_attributes)),
            tuple(message.genres),
            {_evidence(scores.member_evidence): dict(scores.scores) for scores in message.scores},
        )


@dataclass(frozen=True)
class Recorded:
    """The receipt of an outcome that is on the service's disk."""

    request_id: str
    """Idempotency key that the outcome was sent with."""
    duplicate: bool
    """Whether an outcome with this id had been recorded before, so that this call changed nothing."""


def evidence_name(words: str) -> str:
    """The name of a `MemberEvidence` value in the proto, from `Predictions.member_evidence`."""
    return "MEMBER_EVIDENCE_" + words.replace(" ", "_").upper()


def as_plain(answer: Any) -> dict[str, Any]:
    """A response as a dictionary that JSON can encode."""
    plain: dict[str, Any] = asdict(answer)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


def _common(message: Any) -> tuple[tuple[Prediction, ...], str, str, Unused]:
    return (
        tuple(map(Prediction.of, message.predictions)),
        _evidence(message.member_evidence),
        message.model_version,
        _unused(message.unused),
    )


def _attribute(message: pb.Attribute) -> Attribute:
    kind = _word(pb.AttributeKind, message.kind, "ATTRIBUTE_KIND_")
    return Attribute(message.name, kind, tuple(message.categories), message.has_other)


def _unused(message: pb.UnusedFacts) -> Unused:
    return Unused(
        message.unknown_attributes,
        message.unseen_categories,
        message.plays_of_unknown_movies,
        message.unknown_member,
        message.unknown_genres,
    )


def _evidence(number: int) -> str:
    return _word(pb.MemberEvidence, number, "MEMBER_EVIDENCE_")


def _word(kind: Any, number: int, prefix: str) -> str:
    """The name of an enum value in words, or its number if a newer server sends a value that is not in this proto."""
    known = kind.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix(prefix).replace("_", " ").lower() if known else str(number)
