"""From response messages to plain Python values."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from coldstart_client.v1 import enjoyment_service_pb2 as pb


@dataclass(frozen=True)
class Prediction:
    """What one member is expected to think of one movie. Ratings are on the data's own scale."""

    movie_id: str
    rating: float
    """Expected rating."""
    lower: float
    """Lower end of the 90 % interval."""
    upper: float
    """Upper end."""
    probability_enjoyed: float
    """0 to 1."""
    prior_rating: float
    """What the factorization prior alone says."""
    movie_evidence: str
    """What the model knows of the movie: rated, described or unknown."""
    extrapolation: float
    """0 among the raters that the model learned from, 1 far outside."""

    @classmethod
    def of(cls, message: pb.Prediction) -> Self:
        """From its message."""
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
    """What the model could not use of a request."""

    unknown_attributes: int
    unseen_categories: int
    plays_of_unknown_movies: int
    unknown_member: bool
    unknown_genres: int


@dataclass(frozen=True)
class Predictions:
    """Predictions of one member, in the order asked; iterating gives them."""

    predictions: tuple[Prediction, ...]
    member_evidence: str
    """What the model could use of the member: nothing, attributes, plays, attributes and plays."""
    model_version: str
    unused: Unused

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)

    @classmethod
    def of(cls, message: pb.PredictEnjoymentResponse) -> Self:
        """From its message."""
        return cls(*_common(message))


@dataclass(frozen=True)
class Ranking(Predictions):
    """One page of the best movies for a member, best first."""

    next_page_token: str
    """Asks for the next page; empty where this is the last."""

    @classmethod
    def of(cls, message: pb.RankMoviesResponse) -> Self:  # type: ignore[override] # of its own message
        """From its message."""
        return cls(*_common(message), message.next_page_token)


@dataclass(frozen=True)
class Part:
    """What one group of facts adds to a prediction."""

    group: str
    description: str
    rating: float
    """In rating points of either sign."""


@dataclass(frozen=True)
class Explanation:
    """One prediction and what it is made of."""

    prediction: Prediction
    member_evidence: str
    model_version: str
    unused: Unused
    parts: tuple[Part, ...]
    """Their ratings sum to `rating_before_cut`."""
    rating_before_cut: float
    """The rating before it is cut to the scale."""

    @classmethod
    def of(cls, message: pb.ExplainEnjoymentResponse) -> Self:
        """From its message."""
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
    """categorical or numeric."""
    categories: tuple[str, ...]
    has_other: bool
    """Whether any further category counts as one called "other"."""


@dataclass(frozen=True)
class ServedModel:
    """What is known of the model that serves."""

    model_version: str
    trained_at: datetime
    data: dict[str, int]
    """How large the training data was: members, raters, movies, ratings, plays."""
    scale: tuple[float, float]
    """The lowest and the highest rating."""
    enjoyed_from: float
    member_attributes: tuple[Attribute, ...]
    movie_attributes: tuple[Attribute, ...]
    genres: tuple[str, ...]
    scores: dict[str, dict[str, float]]
    """Scores by name, for each kind of evidence."""

    @classmethod
    def of(cls, message: pb.GetModelResponse) -> Self:
        """From its message."""
        return cls(
            message.model_version,
            message.trained_at.ToDatetime(UTC),
            {field.name: getattr(message.data, field.name) for field in message.data.DESCRIPTOR.fields},
            (message.scale.low, message.scale.high),
            message.scale.enjoyed_from,
            tuple(map(_attribute, message.member_attributes)),
            tuple(map(_attribute, message.movie_attributes)),
            tuple(message.genres),
            {_evidence(each.member_evidence): dict(each.scores) for each in message.scores},
        )


@dataclass(frozen=True)
class Recorded:
    """An outcome is on the service's disk."""

    request_id: str
    """That it was sent under."""
    duplicate: bool
    """Whether one of this id had been recorded before, so that nothing changed."""


def evidence_name(words: str) -> str:
    """The contract's name of a member evidence, of the words that an answer has for it."""
    return "MEMBER_EVIDENCE_" + words.replace(" ", "_").upper()


def as_plain(answer: Any) -> dict[str, Any]:
    """An answer as a dictionary that JSON takes."""
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
    """The name of an enum's value in words; its number where a newer server sends what this client doesn't know."""
    known = kind.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix(prefix).replace("_", " ").lower() if known else str(number)
