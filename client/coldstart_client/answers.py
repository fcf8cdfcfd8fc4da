"""Responses of the service as Python dataclasses."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from coldstart_client.v1 import enjoyment_service_pb2 as pb


@dataclass(frozen=True)
class Prediction:
    """The prediction of a member's rating of a movie, on the rating scale of the training data."""

    movie_id: str
    rating: float
    """Expected rating."""
    lower: float
    """Lower end of the 90 % prediction interval."""
    upper: float
    """Upper end of the 90 % prediction interval."""
    probability_enjoyed: float
    """Probability that the rating is at or above the model's `enjoyed_from`."""
    prior_rating: float
    """Rating predicted by the factorization alone, without the correction by trees."""
    movie_evidence: str
    """What the model knows about the movie: "rated", "described" or "unknown"."""
    extrapolation: float
    """How far the member is from the training data, as the share of raters who are closer, 0 to 1."""
    title: str = ""
    """Title of the movie in the catalogue; empty if unknown."""

    @classmethod
    def of(cls, message: pb.Prediction) -> Self:
        """Create an instance from the protobuf message."""
        return cls(
            message.movie_id,
            message.rating,
            message.lower,
            message.upper,
            message.probability_enjoyed,
            message.prior_rating,
            _word(pb.MovieEvidence, message.movie_evidence, "MOVIE_EVIDENCE_"),
            message.extrapolation,
            message.title,
        )


@dataclass(frozen=True)
class Unused:
    """What the model could not use of a request: counts, and whether the member was unknown."""

    unknown_attributes: int
    unseen_categories: int
    plays_of_unknown_movies: int
    unknown_member: bool
    unknown_genres: int
    ratings_of_unknown_movies: int
    stored_facts_may_be_missing: bool
    """Whether the service's store of members didn't answer in time, or lacks ratings that were recorded."""


@dataclass(frozen=True)
class Predictions:
    """Predictions for one member, in the order of the requested movies. Iterating yields each `Prediction`."""

    predictions: tuple[Prediction, ...]
    member_evidence: str
    """What the model knew of the member: "nothing", "attributes", "plays", "attributes and plays", "ratings" or
    "attributes and ratings"; ratings imply plays."""
    model_version: str
    unused: Unused

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)

    @classmethod
    def of(cls, message: pb.PredictEnjoymentResponse) -> Self:
        """Create an instance from the protobuf response."""
        return cls(*_common(message))


@dataclass(frozen=True)
class Ranking(Predictions):
    """One page of the best movies for a member, best first."""

    next_page_token: str
    """Token for requesting the next page; empty on the last page."""

    @classmethod
    def of(cls, message: pb.RankMoviesResponse) -> Self:  # type: ignore[override] # of its own message
        """Create an instance from the protobuf response."""
        return cls(*_common(message), message.next_page_token)


@dataclass(frozen=True)
class SuggestedMovie:
    """A movie to ask a member to rate."""

    movie_id: str
    title: str
    """Title of the movie in the catalogue; empty if unknown."""
    probability_seen: float
    """Probability that the member has seen the movie; 1 if it is among the member's plays."""
    expected_width: float
    """Expected width of the catalogue's 90 % intervals after asking for this movie and those before, in rating points.

    It is comparable with `Suggestions.current_width` only.
    """


@dataclass(frozen=True)
class Suggestions:
    """The movies to ask a member to rate, best first. Iterating yields each `SuggestedMovie`."""

    movies: tuple[SuggestedMovie, ...]
    member_evidence: str
    """What the model knew of the member, as in `Predictions`."""
    model_version: str
    unused: Unused
    current_width: float
    """Width of the catalogue's 90 % intervals as they are, in rating points."""

    def __iter__(self) -> Iterator[SuggestedMovie]:
        return iter(self.movies)

    def __len__(self) -> int:
        return len(self.movies)

    @classmethod
    def of(cls, message: pb.SuggestMoviesToRateResponse) -> Self:
        """Create an instance from the protobuf response."""
        return cls(
            tuple(
                SuggestedMovie(movie.movie_id, movie.title, movie.probability_seen, movie.expected_width)
                for movie in message.movies
            ),
            _evidence(message.member_evidence),
            message.model_version,
            _unused(message.unused),
            message.current_width,
        )


@dataclass(frozen=True)
class Part:
    """The rating points that one group of facts, such as plays, adds to a prediction."""

    group: str
    description: str
    rating: float
    """Rating points that the group adds; negative if it lowers the rating."""


@dataclass(frozen=True)
class NextFact:
    """The one fact, not known of the member yet, that is expected to narrow the prediction's interval most."""

    attribute: str | None
    """Name of the attribute to ask for; None if plays are suggested."""
    plays: int | None
    """Number of further plays, of whatever movies; None if an attribute is suggested."""
    expected_width: float
    """Expected width of the 90 % interval once the fact is known, in rating points."""
    current_width: float
    """Width of the interval as it is."""

    @classmethod
    def of(cls, message: pb.NextFact) -> Self:
        """Create an instance from the protobuf message."""
        is_attribute = message.WhichOneof("fact") == "attribute"
        return cls(
            message.attribute if is_attribute else None,
            None if is_attribute else message.plays,
            message.expected_width,
            message.current_width,
        )


@dataclass(frozen=True)
class Explanation:
    """A prediction, and the rating points that each group of facts, such as plays, adds to it."""

    prediction: Prediction
    member_evidence: str
    model_version: str
    unused: Unused
    parts: tuple[Part, ...]
    """What each group adds; the ratings sum to `rating_before_cut`."""
    rating_before_cut: float
    """Predicted rating before it is clipped to the rating scale."""
    next_fact: NextFact | None = None
    """The fact to ask for next; None if it wasn't requested, or no fact is expected to narrow the interval."""

    @classmethod
    def of(cls, message: pb.ExplainEnjoymentResponse) -> Self:
        """Create an instance from the protobuf response."""
        return cls(
            Prediction.of(message.prediction),
            _evidence(message.member_evidence),
            message.model_version,
            _unused(message.unused),
            tuple(Part(part.group, part.description, part.rating) for part in message.parts),
            message.rating_before_cut,
            NextFact.of(message.next_fact) if message.HasField("next_fact") else None,
        )


@dataclass(frozen=True)
class Attribute:
    """A member or movie attribute that the model can use."""

    name: str
    kind: str
    """Type of the values: "categorical" or "numeric"."""
    categories: tuple[str, ...]
    has_other: bool
    """Whether categories that are not listed are treated as a category "other"."""


@dataclass(frozen=True)
class ServedModel:
    """Description of the model that the service serves: its data, rating scale, attributes and scores."""

    model_version: str
    trained_at: datetime
    data: dict[str, int]
    """Number of members, raters, movies, ratings and plays in the training data, by name."""
    scale: tuple[float, float]
    """Lowest and highest rating."""
    enjoyed_from: float
    member_attributes: tuple[Attribute, ...]
    movie_attributes: tuple[Attribute, ...]
    genres: tuple[str, ...]
    scores: dict[str, dict[str, float]]
    """Evaluation scores by what is known of members, as in `Predictions.member_evidence`, then by score name."""
    data_fingerprint: str
    """Fingerprint of the training data, the same for the same tables."""
    seed: int
    """Random seed of the training."""
    format: int
    """Format of the model's files."""
    libraries: dict[str, str]
    """Versions of the libraries that trained it, by name."""

    @classmethod
    def of(cls, message: pb.GetModelResponse) -> Self:
        """Create an instance from the protobuf response."""
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
            message.data_fingerprint,
            message.seed,
            message.format,
            dict(message.libraries),
        )


@dataclass(frozen=True)
class Recorded:
    """Confirmation that the service has written a reported rating, its withdrawal or a completion to disk."""

    request_id: str
    """Idempotency key of the report."""
    duplicate: bool
    """Whether a report with this key had already been recorded, so that this call changed nothing."""
    counts_already: bool
    """Whether predictions for the member use the rating, or a later one of the movie, from the next call on."""

    @classmethod
    def of(cls, request: pb.RecordOutcomeRequest, message: pb.RecordOutcomeResponse) -> Self:
        """Create an instance from a request and the protobuf response to it."""
        return cls(request.request_id, message.duplicate, message.counts_already)


def evidence_name(words: str) -> str:
    """Return the name of the protobuf `MemberEvidence` value for a value of `Predictions.member_evidence`."""
    return "MEMBER_EVIDENCE_" + words.replace(" ", "_").upper()


def as_plain(answer: Any) -> dict[str, Any]:
    """Return a response as a dictionary that can be encoded as JSON."""
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
        message.ratings_of_unknown_movies,
        message.stored_facts_may_be_missing,
    )


def _evidence(number: int) -> str:
    return _word(pb.MemberEvidence, number, "MEMBER_EVIDENCE_")


def _word(kind: Any, number: int, prefix: str) -> str:
    """Return an enum value's name in words, or its number if this client doesn't define the value."""
    known = kind.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix(prefix).replace("_", " ").lower() if known else str(number)
