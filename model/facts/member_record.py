"""What a store outside the model says of a member: a documented format that outlives every version of the model.

docs/members.md describes it for those who write records. It names attributes, categories and movies as the data does,
so that each model takes from a record what it can use, exactly as from a request.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from features.schema import Schema
from features.values.attribute_value import Value, WrongKind, encode_attribute
from model.errors import BadRecord
from model.facts.catalogue import Catalogue
from model.facts.facts import MemberFacts, Play
from model.facts.member_table import key_of

VERSION = 1
KEY_PREFIX = "coldstart:member:"
RECORD_BYTES = 4 * 1024 * 1024
"""A longer record is none."""
MOST_ATTRIBUTES, MOST_PLAYS = 1_000, 10_000
"""As in a request."""


class RecordedPlay(NamedTuple):
    """One play; NaN where something isn't known."""

    movie_id: str
    completion: float = math.nan
    """0 to 1."""
    played_at: float = math.nan
    """Seconds since 1970 UTC."""


@dataclass(frozen=True)
class MemberRecord:
    """What is known of a member, in the data's own words."""

    attributes: Mapping[str, Value]
    """Values by the attribute's name."""
    plays: Sequence[RecordedPlay]
    """Each movie once."""

    def facts(self, schema: Schema, catalogue: Catalogue) -> MemberFacts:
        """What a model can use of it; what it can't use, a value of the wrong kind too, is left out."""
        given: dict[int, float] = {}
        for position, attribute in enumerate(schema.member_attributes):
            if attribute.name in self.attributes:
                try:
                    given[position] = encode_attribute(attribute, self.attributes[attribute.name])
                except WrongKind:
                    continue
        rows = ((catalogue.row(play.movie_id), play) for play in self.plays)
        plays = [Play(row, play.completion, play.played_at) for row, play in rows if row is not None]
        return MemberFacts.nothing(schema).with_attributes(given).with_plays(plays, schema)


def record_key(member_id: str) -> str:
    """The key under which a member's record stands: no id can be read from it."""
    return key_of_hash(*key_of(member_id))


def key_of_hash(first: int, second: int) -> str:
    """The same from the two halves of the id's hash."""
    return KEY_PREFIX + (first.to_bytes(8, "little") + second.to_bytes(8, "little")).hex()


def to_json(record: MemberRecord) -> bytes:
    """The record as a store holds it."""
    plays = {
        play.movie_id: {
            name: getattr(play, name) for name in ("completion", "played_at") if math.isfinite(getattr(play, name))
        }
        for play in record.plays
    }
    content = {"version": VERSION, "attributes": dict(record.attributes), "plays": plays}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def from_json(content: bytes) -> MemberRecord:
    """The record that a store holds; raises BadRecord for anything else."""
    if len(content) > RECORD_BYTES:
        raise BadRecord("the record is too long")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRecord("the record is no JSON") from error
    if not isinstance(given, dict) or given.get("version") != VERSION:
        raise BadRecord("the record has another version")
    attributes, plays = given.get("attributes", {}), given.get("plays", {})
    if not isinstance(attributes, dict) or len(attributes) > MOST_ATTRIBUTES:
        raise BadRecord("attributes are no object, or too many")
    if not isinstance(plays, dict) or len(plays) > MOST_PLAYS:
        raise BadRecord("plays are no object, or too many")
    return MemberRecord(
        {name: _value(value) for name, value in attributes.items() if value is not None},
        [_play(movie_id, play) for movie_id, play in plays.items()],
    )


def _value(value: Any) -> Value:
    if isinstance(value, (str, bool)):
        return value
    return _number(value, "an attribute", -3.4e38, 3.4e38)


def _play(movie_id: str, play: Any) -> RecordedPlay:
    if not isinstance(play, dict):
        raise BadRecord("a play is no object")
    completion, played_at = play.get("completion"), play.get("played_at")
    return RecordedPlay(
        movie_id,
        math.nan if completion is None else _number(completion, "a completion", 0, 1),
        math.nan if played_at is None else _number(played_at, "a played_at", -62_135_596_800, 253_402_300_800),
    )


def _number(value: Any, what: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise BadRecord(f"{what} is no number from {least:g} to {most:g}")
    return float(value)
