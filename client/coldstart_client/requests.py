"""Builds request messages from Python values, including the scalars and arrays of NumPy and pandas."""

import calendar
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any, SupportsFloat, SupportsIndex, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from coldstart_client.answers import Prediction, Predictions, evidence_name
from coldstart_client.connection import sendable
from coldstart_client.v1 import enjoyment_service_pb2 as pb

Id: TypeAlias = str | SupportsIndex | uuid.UUID
"""Id of a member or movie. Whole numbers are sent as their text, as training reads them."""

Attribute: TypeAlias = str | bool | SupportsFloat | None
"""Value of an attribute: a category, a flag or a number. None and NaN mean unknown and are not sent."""

Moment: TypeAlias = datetime | date
"""A time, in UTC if it has no time zone. A date is its first moment in UTC."""

NUMBERS = (float, int, Decimal, Real)
"""Types of numbers; Real, which includes those of NumPy, takes longer to check."""

PYTHON_TYPES = (str, int, bool)
"""Types whose values are never missing, and that need no conversion."""

PYTHON_UNITS = {"M": "datetime64[us]", "m": "timedelta64[us]"}
"""NumPy types, by kind, that convert to times and durations of Python; nanoseconds would convert to integers."""


@dataclass(frozen=True)
class Play:
    """A movie that the member watched, at least in part."""

    movie_id: Id
    completion: SupportsFloat | None = None
    """Share of the movie that was watched, 0 to 1; None if unknown."""
    played_at: Moment | None = None
    """Time of the play; None if unknown."""


@dataclass(frozen=True)
class Rating:
    """What the member thought of a movie."""

    movie_id: Id
    rating: SupportsFloat
    """The rating, on the model's rating scale."""
    rated_at: Moment | None = None
    """Time of the rating; None if unknown."""


Plays: TypeAlias = Iterable[Id | Play] | Mapping[Any, SupportsFloat | None]
"""Plays of a member: ids and `Play` objects, or a mapping from ids to completions."""

Ratings: TypeAlias = Iterable[Rating] | Mapping[Any, SupportsFloat]
"""Ratings of a member: `Rating` objects, or a mapping from ids to ratings."""


Years: TypeAlias = tuple[SupportsIndex | None, SupportsIndex | None]
"""First and last release year of a filter; None for no limit."""


@dataclass(frozen=True)
class Movie:
    """What is known of a movie before anybody has rated it; what is left out is taken from the catalogue.

    `Client.model` lists the genres and the attributes that the model can use.
    """

    movie_id: Id
    release_year: SupportsIndex | float | None = None
    """Year of the first release; None if unknown."""
    genres: Iterable[str] | None = ()
    attributes: Mapping[str, Attribute] | None = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """The movies and the member of one prediction in `Client.stream`; fields are arguments of `Client.predict`."""

    movies: Iterable[Id] = ()
    member_id: Id | None = ""
    attributes: Mapping[str, Attribute] | None = field(default_factory=dict)
    plays: Plays | None = ()
    ratings: Ratings | None = ()
    new_movies: Iterable[Movie] | None = ()


class Requests(Iterator[pb.PredictEnjoymentRequest]):
    """The messages of a stream of prediction requests, built one by one as gRPC reads them."""

    def __init__(self, asks: Iterable[Ask]) -> None:
        self.error: Exception | None = None
        """Error that ended the requests early, which gRPC would only log."""
        self._asks = iter(asks)

    def __next__(self) -> pb.PredictEnjoymentRequest:
        try:
            return sendable(prediction(next(self._asks)))
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 # the stream raises it after the responses to earlier requests
            self.error = error
            raise StopIteration from None

    def finish(self) -> None:
        """Raise the error that ended the stream's requests early, if any."""
        if self.error is not None:
            raise self.error


def member(
    member_id: Id | None,
    attributes: Mapping[str, Attribute] | None,
    plays: Plays | None,
    ratings: Ratings | None = (),
) -> pb.Member:
    """Build the message that says of whom ratings are predicted: id, attributes, plays and ratings.

    Raises TypeError or ValueError, with the name of the argument, if a value can't be sent. All functions below do.
    """
    known_id = _plain(member_id)
    message = pb.Member(member_id="" if known_id is None else _id(known_id, "member_id"))
    _set_attributes(message, attributes, "attributes")
    for number, play in enumerate(_plays(plays)):
        if type(play) is str:  # the usual case, and there may be thousands
            message.plays.add(movie_id=play)
        else:
            _add_play(message, play if isinstance(play, Play) else Play(play), f"plays[{number}]")
    for number, rating in enumerate(_ratings(ratings)):
        _add_rating(message, rating, f"ratings[{number}]")
    return message


def prediction(ask: Ask) -> pb.PredictEnjoymentRequest:
    """Build a request for PredictEnjoyment or StreamPredictEnjoyment."""
    return pb.PredictEnjoymentRequest(
        member=member(ask.member_id, ask.attributes, ask.plays, ask.ratings),
        movie_ids=_ids(ask.movies, "movies"),
        new_movies=[
            _description(movie, f"new_movies[{number}]")
            for number, movie in enumerate(_listed(ask.new_movies, "new_movies"))
        ],
    )


def explanation(whom: pb.Member, movie: Id | Movie, suggest_next_fact: bool = False) -> pb.ExplainEnjoymentRequest:
    """Build a request for ExplainEnjoyment, for a movie given by its id or by its description."""
    request = pb.ExplainEnjoymentRequest(member=whom, suggest_next_fact=bool(suggest_next_fact))
    if isinstance(movie, Movie):
        request.new_movie.CopyFrom(_description(movie, "movie"))
    else:
        request.movie_id = _id(movie, "movie")
    return request


def ranking(
    whom: pb.Member,
    page_size: SupportsIndex,
    page_token: str,
    genres: Iterable[str] | None,
    years: Years,
) -> pb.RankMoviesRequest:
    """Build a request for RankMovies. `years` is the first and the last release year, None for no limit."""
    request = pb.RankMoviesRequest(
        member=whom, page_size=_whole_number(page_size, "page_size"), page_token=_text(page_token, "page_token")
    )
    _set_filters(request, genres, years)
    return request


def suggestions(
    whom: pb.Member, size: SupportsIndex, movies: Iterable[Id] | None, genres: Iterable[str] | None, years: Years
) -> pb.SuggestMoviesToRateRequest:
    """Build a request for SuggestMoviesToRate. `years` is as for `ranking`."""
    request = pb.SuggestMoviesToRateRequest(member=whom, size=_whole_number(size, "size"))
    request.movie_ids.extend(_ids(movies, "movies"))
    _set_filters(request, genres, years)
    return request


def outcome(
    request_id: Id | None,
    member_id: Id,
    movie_id: Id,
    rating: SupportsFloat | None,
    completion: SupportsFloat | None,
    happened_at: Moment | None,
    shown: tuple[Predictions, Prediction] | None,
    rating_withdrawn: bool = False,
) -> pb.RecordOutcomeRequest:
    """Build a request for RecordOutcome, which reports a rating, its withdrawal or a completion.

    `request_id` is a random UUID if it is None or empty. `shown` is the response that the member saw, and the
    prediction in it that this outcome follows.
    """
    key = _plain(request_id)
    request = pb.RecordOutcomeRequest(
        request_id=_id(uuid.uuid4() if key in (None, "") else key, "request_id"), member_id=_id(member_id, "member_id"),
        movie_id=_id(movie_id, "movie_id"), rating=_number(rating, "rating"),
        completion=_number(completion, "completion"), rating_withdrawn=_plain(rating_withdrawn) or False,
    )  # fmt: skip
    _set_time(request.happened_at, happened_at, "happened_at")
    if shown is not None:
        _set_shown(request.shown, shown)
    return request


def _plain(value: Any) -> Any:
    """Convert a scalar of NumPy or pandas to a Python value, and NaN, NaT and NA to None."""
    if value is None or type(value) in PYTHON_TYPES:  # most values, which saves the slower checks
        return value
    if type(value) is float:
        return value if value == value else None
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        python_unit = PYTHON_UNITS.get(getattr(value.dtype, "kind", ""))
        value = (value.astype(python_unit) if python_unit else value).item()
    can_be_missing = isinstance(value, (float, Decimal, datetime))
    return None if type(value).__name__ == "NAType" or (can_be_missing and value != value) else value


def _type(value: Any) -> str:
    return type(value).__name__


def _text(value: Any, name: str) -> str:
    text = _plain(value)
    if not isinstance(text, str):
        raise TypeError(f"{name} must be text, not {_type(value)}")
    return text


def _texts(values: Any, name: str) -> list[str]:
    return [_text(value, f"{name}[{number}]") for number, value in enumerate(_listed(values, name))]


def _id(value: Any, name: str, field: str = "") -> str:
    """Return an id as text; errors name the argument, and the field of it, if any."""
    plain = _plain(value)
    if plain is None:
        raise ValueError(f"{name}{field} is missing")
    if isinstance(plain, int) and not isinstance(plain, bool):
        return str(int(plain))
    if not isinstance(plain, (str, uuid.UUID)):
        raise TypeError(f"{name}{field} must be text or a whole number, not {_type(value)}")
    return str(plain)


def _number(value: Any, name: str, field: str = "") -> float | None:
    """Return a number, or None if it is missing; errors name the argument, and the field of it, if any."""
    plain = _plain(value)
    if plain is None:
        return None
    if isinstance(plain, bool) or not isinstance(plain, NUMBERS):
        raise TypeError(f"{name}{field} must be a number, not {_type(value)}")
    try:
        return float(plain)
    except OverflowError:
        raise ValueError(f"{name}{field} is too large a number") from None


def _whole_number(value: Any, name: str) -> int:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, int):
        raise TypeError(f"{name} must be a whole number, not {_type(value)}")
    if not -(2**31) <= plain < 2**31:
        raise ValueError(f"{name} is too large a number")
    return int(plain)


def _listed(values: Any, name: str) -> list[Any]:
    """Return the values of any iterable of single values as a list; None counts as empty."""
    values = _plain(values)
    if values is None:
        return []
    is_list = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))
    if not is_list or hasattr(values, "columns"):  # a data frame would yield its columns
        raise TypeError(f"{name} must be a list, not {_type(values)}")
    return list(values)


def _ids(values: Any, name: str) -> list[str]:
    ids = _listed(values, name)
    if set(map(type, ids)) <= {str}:  # the usual case, and there may be thousands
        return ids
    return [_id(value, f"{name}[{number}]") for number, value in enumerate(ids)]


def _plays(plays: Any) -> list[Any]:
    """Return ids and `Play` objects."""
    if isinstance(plays, Mapping):
        return [Play(movie_id, completion) for movie_id, completion in plays.items()]
    return _listed(plays, "plays")


def _ratings(ratings: Any) -> list[Any]:
    """Return `Rating` objects, and whatever else is given in their place."""
    if isinstance(ratings, Mapping):
        return [Rating(movie_id, rating) for movie_id, rating in ratings.items()]
    return _listed(ratings, "ratings")


def _set_filters(
    request: pb.RankMoviesRequest | pb.SuggestMoviesToRateRequest, genres: Iterable[str] | None, years: Years
) -> None:
    request.genres.extend(_texts(genres, "genres"))
    limits = _listed(years, "years")
    if len(limits) != 2:
        raise ValueError("years must be the first and the last year, each may be None")
    for name, year in zip(("min_release_year", "max_release_year"), map(_plain, limits), strict=True):
        if year is not None:
            setattr(request, name, _whole_number(year, "years"))


def _description(movie: Any, name: str) -> pb.Movie:
    if not isinstance(movie, Movie):
        raise TypeError(f"{name} must be a Movie, not {_type(movie)}")
    year = _plain(movie.release_year)
    if isinstance(year, float) and year.is_integer():  # as in a column of a data frame in which some are missing
        year = int(year)
    message = pb.Movie(
        movie_id=_id(movie.movie_id, name, ".movie_id"),
        release_year=None if year is None else _whole_number(year, f"{name}.release_year"),
        genres=_texts(movie.genres, f"{name}.genres"),
    )
    _set_attributes(message, movie.attributes, f"{name}.attributes")
    return message


def _set_attributes(message: pb.Member | pb.Movie, attributes: Any, argument: str) -> None:
    """Set the attributes of a member or a movie in a message, except missing values."""
    if not (attributes is None or hasattr(attributes, "items")):
        raise TypeError(f"{argument} must be a mapping from names to values, not {_type(attributes)}")
    for name, given in () if attributes is None else attributes.items():
        value = _plain(given)
        if not isinstance(name, str):
            raise TypeError(f"{argument} must have text as names, not {_type(name)}")
        if isinstance(value, str):
            message.attributes[name].text = value
        elif isinstance(value, bool):
            message.attributes[name].flag = value
        elif isinstance(value, NUMBERS):
            number = _number(value, f'{argument}["{name}"]')
            message.attributes[name].number = number  # type: ignore[assignment] # not None
        elif value is not None:
            raise TypeError(f'{argument}["{name}"] must be text, a flag or a number, not {_type(value)}')


def _add_play(message: pb.Member, play: Play, name: str) -> None:
    added = message.plays.add(
        movie_id=_id(play.movie_id, name, ".movie_id"), completion=_number(play.completion, name, ".completion")
    )
    if play.played_at is not None:
        _set_time(added.played_at, play.played_at, f"{name}.played_at")


def _add_rating(message: pb.Member, rating: Any, name: str) -> None:
    if not isinstance(rating, Rating):
        raise TypeError(f"{name} must be a Rating, not {_type(rating)}")
    number = _number(rating.rating, name, ".rating")
    if number is None:
        raise ValueError(f"{name}.rating is missing")
    added = message.ratings.add(movie_id=_id(rating.movie_id, name, ".movie_id"), rating=number)
    if rating.rated_at is not None:
        _set_time(added.rated_at, rating.rated_at, f"{name}.rated_at")


def _set_shown(message: pb.ShownPrediction, shown: tuple[Predictions, Prediction]) -> None:
    try:
        answer, predicted = shown
        evidence: Any = pb.MemberEvidence.Value(evidence_name(answer.member_evidence))
        message.prediction.rating, message.prediction.lower = predicted.rating, predicted.lower
        message.prediction.upper = predicted.upper
        message.prediction.probability_enjoyed = predicted.probability_enjoyed
        message.member_evidence = evidence
        message.model_version = answer.model_version
    except (TypeError, ValueError, AttributeError):
        raise TypeError("shown must be a response and one of its predictions, as (response, prediction)") from None


def _set_time(field: Timestamp, value: Any, name: str) -> None:
    """Set a time in a message, unless it is missing."""
    moment = _plain(value)
    if moment is None:
        return
    if not isinstance(moment, datetime):
        if not isinstance(moment, date):
            raise TypeError(f"{name} must be a datetime or date, not {_type(value)}")
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 # UTC is the default
    field.seconds = calendar.timegm(moment.utctimetuple())
    field.nanos = moment.microsecond * 1000
