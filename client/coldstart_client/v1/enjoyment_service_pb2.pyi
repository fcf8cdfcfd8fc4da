import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemberEvidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMBER_EVIDENCE_UNSPECIFIED: _ClassVar[MemberEvidence]
    MEMBER_EVIDENCE_NOTHING: _ClassVar[MemberEvidence]
    MEMBER_EVIDENCE_ATTRIBUTES: _ClassVar[MemberEvidence]
    MEMBER_EVIDENCE_PLAYS: _ClassVar[MemberEvidence]
    MEMBER_EVIDENCE_ATTRIBUTES_AND_PLAYS: _ClassVar[MemberEvidence]
    MEMBER_EVIDENCE_RATINGS: _ClassVar[MemberEvidence]
    MEMBER_EVIDENCE_ATTRIBUTES_AND_RATINGS: _ClassVar[MemberEvidence]

class MovieEvidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVIE_EVIDENCE_UNSPECIFIED: _ClassVar[MovieEvidence]
    MOVIE_EVIDENCE_RATED: _ClassVar[MovieEvidence]
    MOVIE_EVIDENCE_DESCRIBED: _ClassVar[MovieEvidence]
    MOVIE_EVIDENCE_UNKNOWN: _ClassVar[MovieEvidence]

class AttributeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTRIBUTE_KIND_UNSPECIFIED: _ClassVar[AttributeKind]
    ATTRIBUTE_KIND_CATEGORICAL: _ClassVar[AttributeKind]
    ATTRIBUTE_KIND_NUMERIC: _ClassVar[AttributeKind]
MEMBER_EVIDENCE_UNSPECIFIED: MemberEvidence
MEMBER_EVIDENCE_NOTHING: MemberEvidence
MEMBER_EVIDENCE_ATTRIBUTES: MemberEvidence
MEMBER_EVIDENCE_PLAYS: MemberEvidence
MEMBER_EVIDENCE_ATTRIBUTES_AND_PLAYS: MemberEvidence
MEMBER_EVIDENCE_RATINGS: MemberEvidence
MEMBER_EVIDENCE_ATTRIBUTES_AND_RATINGS: MemberEvidence
MOVIE_EVIDENCE_UNSPECIFIED: MovieEvidence
MOVIE_EVIDENCE_RATED: MovieEvidence
MOVIE_EVIDENCE_DESCRIBED: MovieEvidence
MOVIE_EVIDENCE_UNKNOWN: MovieEvidence
ATTRIBUTE_KIND_UNSPECIFIED: AttributeKind
ATTRIBUTE_KIND_CATEGORICAL: AttributeKind
ATTRIBUTE_KIND_NUMERIC: AttributeKind

class Member(_message.Message):
    __slots__ = ("member_id", "attributes", "plays", "ratings")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    PLAYS_FIELD_NUMBER: _ClassVar[int]
    RATINGS_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    attributes: _containers.MessageMap[str, AttributeValue]
    plays: _containers.RepeatedCompositeFieldContainer[Play]
    ratings: _containers.RepeatedCompositeFieldContainer[Rating]
    def __init__(self, member_id: _Optional[str] = ..., attributes: _Optional[_Mapping[str, AttributeValue]] = ..., plays: _Optional[_Iterable[_Union[Play, _Mapping]]] = ..., ratings: _Optional[_Iterable[_Union[Rating, _Mapping]]] = ...) -> None: ...

class AttributeValue(_message.Message):
    __slots__ = ("text", "number", "flag")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    text: str
    number: float
    flag: bool
    def __init__(self, text: _Optional[str] = ..., number: _Optional[float] = ..., flag: _Optional[bool] = ...) -> None: ...

class Play(_message.Message):
    __slots__ = ("movie_id", "completion", "played_at")
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    PLAYED_AT_FIELD_NUMBER: _ClassVar[int]
    movie_id: str
    completion: float
    played_at: _timestamp_pb2.Timestamp
    def __init__(self, movie_id: _Optional[str] = ..., completion: _Optional[float] = ..., played_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Rating(_message.Message):
    __slots__ = ("movie_id", "rating", "rated_at")
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    RATED_AT_FIELD_NUMBER: _ClassVar[int]
    movie_id: str
    rating: float
    rated_at: _timestamp_pb2.Timestamp
    def __init__(self, movie_id: _Optional[str] = ..., rating: _Optional[float] = ..., rated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Movie(_message.Message):
    __slots__ = ("movie_id", "release_year", "genres", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_YEAR_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    movie_id: str
    release_year: int
    genres: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.MessageMap[str, AttributeValue]
    def __init__(self, movie_id: _Optional[str] = ..., release_year: _Optional[int] = ..., genres: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Mapping[str, AttributeValue]] = ...) -> None: ...

class PredictEnjoymentRequest(_message.Message):
    __slots__ = ("member", "movie_ids", "new_movies")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    MOVIE_IDS_FIELD_NUMBER: _ClassVar[int]
    NEW_MOVIES_FIELD_NUMBER: _ClassVar[int]
    member: Member
    movie_ids: _containers.RepeatedScalarFieldContainer[str]
    new_movies: _containers.RepeatedCompositeFieldContainer[Movie]
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ..., movie_ids: _Optional[_Iterable[str]] = ..., new_movies: _Optional[_Iterable[_Union[Movie, _Mapping]]] = ...) -> None: ...

class PredictEnjoymentResponse(_message.Message):
    __slots__ = ("predictions", "member_evidence", "model_version", "unused")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    member_evidence: MemberEvidence
    model_version: str
    unused: UnusedFacts
    def __init__(self, predictions: _Optional[_Iterable[_Union[Prediction, _Mapping]]] = ..., member_evidence: _Optional[_Union[MemberEvidence, str]] = ..., model_version: _Optional[str] = ..., unused: _Optional[_Union[UnusedFacts, _Mapping]] = ...) -> None: ...

class Prediction(_message.Message):
    __slots__ = ("movie_id", "rating", "lower", "upper", "probability_enjoyed", "prior_rating", "movie_evidence", "extrapolation", "title")
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_ENJOYED_FIELD_NUMBER: _ClassVar[int]
    PRIOR_RATING_FIELD_NUMBER: _ClassVar[int]
    MOVIE_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    EXTRAPOLATION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    movie_id: str
    rating: float
    lower: float
    upper: float
    probability_enjoyed: float
    prior_rating: float
    movie_evidence: MovieEvidence
    extrapolation: float
    title: str
    def __init__(self, movie_id: _Optional[str] = ..., rating: _Optional[float] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ..., probability_enjoyed: _Optional[float] = ..., prior_rating: _Optional[float] = ..., movie_evidence: _Optional[_Union[MovieEvidence, str]] = ..., extrapolation: _Optional[float] = ..., title: _Optional[str] = ...) -> None: ...

class UnusedFacts(_message.Message):
    __slots__ = ("unknown_attributes", "unseen_categories", "plays_of_unknown_movies", "unknown_member", "unknown_genres", "ratings_of_unknown_movies", "stored_facts_may_be_missing")
    UNKNOWN_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    PLAYS_OF_UNKNOWN_MOVIES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_MEMBER_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_GENRES_FIELD_NUMBER: _ClassVar[int]
    RATINGS_OF_UNKNOWN_MOVIES_FIELD_NUMBER: _ClassVar[int]
    STORED_FACTS_MAY_BE_MISSING_FIELD_NUMBER: _ClassVar[int]
    unknown_attributes: int
    unseen_categories: int
    plays_of_unknown_movies: int
    unknown_member: bool
    unknown_genres: int
    ratings_of_unknown_movies: int
    stored_facts_may_be_missing: bool
    def __init__(self, unknown_attributes: _Optional[int] = ..., unseen_categories: _Optional[int] = ..., plays_of_unknown_movies: _Optional[int] = ..., unknown_member: _Optional[bool] = ..., unknown_genres: _Optional[int] = ..., ratings_of_unknown_movies: _Optional[int] = ..., stored_facts_may_be_missing: _Optional[bool] = ...) -> None: ...

class RankMoviesRequest(_message.Message):
    __slots__ = ("member", "page_size", "page_token", "genres", "min_release_year", "max_release_year")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    MIN_RELEASE_YEAR_FIELD_NUMBER: _ClassVar[int]
    MAX_RELEASE_YEAR_FIELD_NUMBER: _ClassVar[int]
    member: Member
    page_size: int
    page_token: str
    genres: _containers.RepeatedScalarFieldContainer[str]
    min_release_year: int
    max_release_year: int
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., genres: _Optional[_Iterable[str]] = ..., min_release_year: _Optional[int] = ..., max_release_year: _Optional[int] = ...) -> None: ...

class RankMoviesResponse(_message.Message):
    __slots__ = ("predictions", "member_evidence", "model_version", "unused", "next_page_token")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    member_evidence: MemberEvidence
    model_version: str
    unused: UnusedFacts
    next_page_token: str
    def __init__(self, predictions: _Optional[_Iterable[_Union[Prediction, _Mapping]]] = ..., member_evidence: _Optional[_Union[MemberEvidence, str]] = ..., model_version: _Optional[str] = ..., unused: _Optional[_Union[UnusedFacts, _Mapping]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExplainEnjoymentRequest(_message.Message):
    __slots__ = ("member", "movie_id", "new_movie", "suggest_next_fact")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_MOVIE_FIELD_NUMBER: _ClassVar[int]
    SUGGEST_NEXT_FACT_FIELD_NUMBER: _ClassVar[int]
    member: Member
    movie_id: str
    new_movie: Movie
    suggest_next_fact: bool
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ..., movie_id: _Optional[str] = ..., new_movie: _Optional[_Union[Movie, _Mapping]] = ..., suggest_next_fact: _Optional[bool] = ...) -> None: ...

class ExplainEnjoymentResponse(_message.Message):
    __slots__ = ("prediction", "member_evidence", "model_version", "unused", "parts", "rating_before_cut", "next_fact")
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    MEMBER_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    RATING_BEFORE_CUT_FIELD_NUMBER: _ClassVar[int]
    NEXT_FACT_FIELD_NUMBER: _ClassVar[int]
    prediction: Prediction
    member_evidence: MemberEvidence
    model_version: str
    unused: UnusedFacts
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    rating_before_cut: float
    next_fact: NextFact
    def __init__(self, prediction: _Optional[_Union[Prediction, _Mapping]] = ..., member_evidence: _Optional[_Union[MemberEvidence, str]] = ..., model_version: _Optional[str] = ..., unused: _Optional[_Union[UnusedFacts, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., rating_before_cut: _Optional[float] = ..., next_fact: _Optional[_Union[NextFact, _Mapping]] = ...) -> None: ...

class NextFact(_message.Message):
    __slots__ = ("attribute", "plays", "expected_width", "current_width")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    PLAYS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_WIDTH_FIELD_NUMBER: _ClassVar[int]
    CURRENT_WIDTH_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    plays: int
    expected_width: float
    current_width: float
    def __init__(self, attribute: _Optional[str] = ..., plays: _Optional[int] = ..., expected_width: _Optional[float] = ..., current_width: _Optional[float] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("group", "description", "rating")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    group: str
    description: str
    rating: float
    def __init__(self, group: _Optional[str] = ..., description: _Optional[str] = ..., rating: _Optional[float] = ...) -> None: ...

class SuggestMoviesToRateRequest(_message.Message):
    __slots__ = ("member", "size", "movie_ids", "genres", "min_release_year", "max_release_year")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MOVIE_IDS_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    MIN_RELEASE_YEAR_FIELD_NUMBER: _ClassVar[int]
    MAX_RELEASE_YEAR_FIELD_NUMBER: _ClassVar[int]
    member: Member
    size: int
    movie_ids: _containers.RepeatedScalarFieldContainer[str]
    genres: _containers.RepeatedScalarFieldContainer[str]
    min_release_year: int
    max_release_year: int
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ..., size: _Optional[int] = ..., movie_ids: _Optional[_Iterable[str]] = ..., genres: _Optional[_Iterable[str]] = ..., min_release_year: _Optional[int] = ..., max_release_year: _Optional[int] = ...) -> None: ...

class SuggestMoviesToRateResponse(_message.Message):
    __slots__ = ("movies", "member_evidence", "model_version", "unused", "current_width")
    MOVIES_FIELD_NUMBER: _ClassVar[int]
    MEMBER_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    CURRENT_WIDTH_FIELD_NUMBER: _ClassVar[int]
    movies: _containers.RepeatedCompositeFieldContainer[SuggestedMovie]
    member_evidence: MemberEvidence
    model_version: str
    unused: UnusedFacts
    current_width: float
    def __init__(self, movies: _Optional[_Iterable[_Union[SuggestedMovie, _Mapping]]] = ..., member_evidence: _Optional[_Union[MemberEvidence, str]] = ..., model_version: _Optional[str] = ..., unused: _Optional[_Union[UnusedFacts, _Mapping]] = ..., current_width: _Optional[float] = ...) -> None: ...

class SuggestedMovie(_message.Message):
    __slots__ = ("movie_id", "title", "probability_seen", "expected_width")
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_SEEN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_WIDTH_FIELD_NUMBER: _ClassVar[int]
    movie_id: str
    title: str
    probability_seen: float
    expected_width: float
    def __init__(self, movie_id: _Optional[str] = ..., title: _Optional[str] = ..., probability_seen: _Optional[float] = ..., expected_width: _Optional[float] = ...) -> None: ...

class RecordOutcomeRequest(_message.Message):
    __slots__ = ("request_id", "member_id", "movie_id", "rating", "completion", "happened_at", "shown", "rating_withdrawn")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    MOVIE_ID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    HAPPENED_AT_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    RATING_WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    member_id: str
    movie_id: str
    rating: float
    completion: float
    happened_at: _timestamp_pb2.Timestamp
    shown: ShownPrediction
    rating_withdrawn: bool
    def __init__(self, request_id: _Optional[str] = ..., member_id: _Optional[str] = ..., movie_id: _Optional[str] = ..., rating: _Optional[float] = ..., completion: _Optional[float] = ..., happened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shown: _Optional[_Union[ShownPrediction, _Mapping]] = ..., rating_withdrawn: _Optional[bool] = ...) -> None: ...

class ShownPrediction(_message.Message):
    __slots__ = ("prediction", "member_evidence", "model_version")
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    MEMBER_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    prediction: Prediction
    member_evidence: MemberEvidence
    model_version: str
    def __init__(self, prediction: _Optional[_Union[Prediction, _Mapping]] = ..., member_evidence: _Optional[_Union[MemberEvidence, str]] = ..., model_version: _Optional[str] = ...) -> None: ...

class RecordOutcomeResponse(_message.Message):
    __slots__ = ("duplicate", "counts_already")
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_ALREADY_FIELD_NUMBER: _ClassVar[int]
    duplicate: bool
    counts_already: bool
    def __init__(self, duplicate: _Optional[bool] = ..., counts_already: _Optional[bool] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model_version", "trained_at", "data", "data_fingerprint", "seed", "scale", "member_attributes", "movie_attributes", "genres", "scores", "format", "libraries")
    class LibrariesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRAINED_AT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATA_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    MOVIE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LIBRARIES_FIELD_NUMBER: _ClassVar[int]
    model_version: str
    trained_at: _timestamp_pb2.Timestamp
    data: DataCounts
    data_fingerprint: str
    seed: int
    scale: RatingScale
    member_attributes: _containers.RepeatedCompositeFieldContainer[Attribute]
    movie_attributes: _containers.RepeatedCompositeFieldContainer[Attribute]
    genres: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedCompositeFieldContainer[EvidenceScores]
    format: int
    libraries: _containers.ScalarMap[str, str]
    def __init__(self, model_version: _Optional[str] = ..., trained_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[_Union[DataCounts, _Mapping]] = ..., data_fingerprint: _Optional[str] = ..., seed: _Optional[int] = ..., scale: _Optional[_Union[RatingScale, _Mapping]] = ..., member_attributes: _Optional[_Iterable[_Union[Attribute, _Mapping]]] = ..., movie_attributes: _Optional[_Iterable[_Union[Attribute, _Mapping]]] = ..., genres: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[_Union[EvidenceScores, _Mapping]]] = ..., format: _Optional[int] = ..., libraries: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DataCounts(_message.Message):
    __slots__ = ("members", "raters", "movies", "ratings", "plays")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    RATERS_FIELD_NUMBER: _ClassVar[int]
    MOVIES_FIELD_NUMBER: _ClassVar[int]
    RATINGS_FIELD_NUMBER: _ClassVar[int]
    PLAYS_FIELD_NUMBER: _ClassVar[int]
    members: int
    raters: int
    movies: int
    ratings: int
    plays: int
    def __init__(self, members: _Optional[int] = ..., raters: _Optional[int] = ..., movies: _Optional[int] = ..., ratings: _Optional[int] = ..., plays: _Optional[int] = ...) -> None: ...

class RatingScale(_message.Message):
    __slots__ = ("low", "high", "enjoyed_from")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    ENJOYED_FROM_FIELD_NUMBER: _ClassVar[int]
    low: float
    high: float
    enjoyed_from: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ..., enjoyed_from: _Optional[float] = ...) -> None: ...

class Attribute(_message.Message):
    __slots__ = ("name", "kind", "categories", "has_other")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    HAS_OTHER_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: AttributeKind
    categories: _containers.RepeatedScalarFieldContainer[str]
    has_other: bool
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[AttributeKind, str]] = ..., categories: _Optional[_Iterable[str]] = ..., has_other: _Optional[bool] = ...) -> None: ...

class EvidenceScores(_message.Message):
    __slots__ = ("member_evidence", "scores")
    class ScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MEMBER_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    member_evidence: MemberEvidence
    scores: _containers.ScalarMap[str, float]
    def __init__(self, member_evidence: _Optional[_Union[MemberEvidence, str]] = ..., scores: _Optional[_Mapping[str, float]] = ...) -> None: ...
