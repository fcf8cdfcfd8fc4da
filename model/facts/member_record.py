"""Records of members in an external store, such as Redis, in a format that doesn't depend on the model's version.

docs/members.md describes the format for programs that write records. Attributes and categories are stored by name and
movies by id, so that each version of the model can use the facts that it supports, exactly like those in a request. A
record holds a member's attributes, plays and ratings.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from features.schema import Schema
from features.values.attribute_value import Value, WrongKind, encode_attribute
from features.values.numbers import LARGEST, number_of
from features.values.times import EARLIEST_SECONDS, LATEST_SECONDS
from model.errors import BadRecord
from model.facts.catalogue import Catalogue
from model.facts.facts import MemberFacts, Play
from model.facts.member_key import PLAIN, MemberKey

VERSION = 1
KEY_PREFIX = "coldstart:member:"
RECORD_BYTES = 4 * 1024 * 1024
"""Maximum size of a member's record in bytes; larger records are refused."""
MOST_ATTRIBUTES, MOST_PLAYS = 1_000, 10_000
"""Maximum numbers of attributes, and of plays and of ratings each, in a member's record, the same as in a request."""


class RecordedPlay(NamedTuple):
    """One play in a member's record; unknown values are NaN."""

    movie_id: str
    completion: float = math.nan
    """Share of the movie that was watched, 0 to 1."""
    played_at: float = math.nan
    """Time of the play in seconds since 1970 UTC."""


class RecordedRating(NamedTuple):
    """One rating in a member's record."""

    movie_id: str
    rating: float
    """The rating; a model whose scale doesn't include it leaves it out."""
    rated_at: float = math.nan
    """Time of the rating in seconds since 1970 UTC; NaN if unknown."""


@dataclass(frozen=True)
class MemberRecord:
    """What a record in an external store says of a member: attributes by name, plays and ratings by movie id."""

    attributes: Mapping[str, Value]
    """Value of each known attribute, by its name."""
    plays: Sequence[RecordedPlay]
    """Plays, at most one of each movie."""
    ratings: Sequence[RecordedRating] = ()
    """Ratings, at most one of each movie."""

    def facts(self, schema: Schema, catalogue: Catalogue) -> MemberFacts:
        """Return the attributes, plays and ratings, encoded for a model with this schema and catalogue.

        Attributes and movies that the model doesn't have are left out, and so are values of the wrong kind and ratings
        off the scale.
        """
        given: dict[int, float] = {}
        for position, attribute in enumerate(schema.member_attributes):
            if attribute.name in self.attributes:
                try:
                    given[position] = encode_attribute(attribute, self.attributes[attribute.name])
                except WrongKind:
                    continue
        rows = ((catalogue.row(play.movie_id), play) for play in self.plays)
        plays = [Play(row, play.completion, play.played_at) for row, play in rows if row is not None]
        for rated in self.ratings:
            row = catalogue.row(rated.movie_id)
            if row is not None and schema.scale.low <= rated.rating <= schema.scale.high:
                plays.append(Play(row, played_at=rated.rated_at, rating=rated.rating))
        return MemberFacts.nothing(schema).with_attributes(given).with_plays(plays, schema)


def record_key(member_id: str, key: MemberKey = PLAIN) -> str:
    """Return the key of a member's record in the external store; it holds a hash of the member's id."""
    return KEY_PREFIX + key.hex_of(member_id)


def key_of_hash(first: int, second: int) -> str:
    """Return the key of a member's record from the two 64-bit halves of the hash of the id."""
    return KEY_PREFIX + (first.to_bytes(8, "little") + second.to_bytes(8, "little")).hex()


def to_json(record: MemberRecord) -> bytes:
    """Return a member's record as JSON, in the documented format."""
    plays = {
        play.movie_id: {
            name: getattr(play, name) for name in ("completion", "played_at") if math.isfinite(getattr(play, name))
        }
        for play in record.plays
    }
    content = {"version": VERSION, "attributes": dict(record.attributes), "plays": plays}
    if record.ratings:
        content["ratings"] = {
            movie_id: {"rating": rating} | ({"rated_at": rated_at} if math.isfinite(rated_at) else {})
            for movie_id, rating, rated_at in record.ratings
        }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def from_json(content: bytes) -> MemberRecord:
    """Parse a member's record from JSON. Raises BadRecord if the content violates the documented format."""
    if len(content) > RECORD_BYTES:
        raise BadRecord("the record is too long")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRecord("the record is no JSON") from error
    if not isinstance(given, dict) or given.get("version") != VERSION:
        raise BadRecord("the record has another version")
    attributes, plays, ratings = (given.get(name, {}) for name in ("attributes", "plays", "ratings"))
    if not isinstance(attributes, dict) or len(attributes) > MOST_ATTRIBUTES:
        raise BadRecord("attributes are no object, or too many")
    if not isinstance(plays, dict) or len(plays) > MOST_PLAYS:
        raise BadRecord("plays are no object, or too many")
    if not isinstance(ratings, dict) or len(ratings) > MOST_PLAYS:
        raise BadRecord("ratings are no object, or too many")
    return MemberRecord(
        {name: _value(value) for name, value in attributes.items() if value is not None},
        [_play(movie_id, play) for movie_id, play in plays.items()],
        [_rating(movie_id, rating) for movie_id, rating in ratings.items()],
    )


def _value(value: Any) -> Value:
    if isinstance(value, (str, bool)):
        return value
    return _number(value, "an attribute", -LARGEST, LARGEST)


def _play(movie_id: str, play: Any) -> RecordedPlay:
    if not isinstance(play, dict):
        raise BadRecord("a play is no object")
    completion = play.get("completion")
    return RecordedPlay(
        movie_id,
        math.nan if completion is None else _number(completion, "a completion", 0, 1),
        _time(play.get("played_at"), "a played_at"),
    )


def _rating(movie_id: str, rating: Any) -> RecordedRating:
    if not isinstance(rating, dict):
        raise BadRecord("a rating is no object")
    number = _number(rating.get("rating"), "a rating", -LARGEST, LARGEST)
    return RecordedRating(movie_id, number, _time(rating.get("rated_at"), "a rated_at"))


def _time(value: Any, what: str) -> float:
    return math.nan if value is None else _number(value, what, EARLIEST_SECONDS, LATEST_SECONDS + 1)


def _number(value: Any, what: str, least: float, most: float) -> float:
    number = number_of(value)
    if number is None or not least <= number <= most:
        raise BadRecord(f"{what} is no number from {least:g} to {most:g}")
    return number
