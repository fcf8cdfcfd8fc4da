"""Decodes and validates the facts of members and movies in requests, encoded for one model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from features.schema import Attribute
from features.values.attribute_value import WrongKind, encode_attribute
from model.facts.facts import MemberFacts, MovieFacts, Plays
from model.facts.member_record import MemberRecord
from model.prediction.model import Model
from service.requests.limits import ATTRIBUTES, ID_LENGTH, PLAYS
from service.requests.violations import Violations


@dataclass
class UnusedFacts:
    """Facts of a request that the model can't use, counted while it is decoded.

    The fields of the message UnusedFacts have the same names here.
    """

    unknown_attributes: int = 0
    """Attributes that are not in the model's schema."""
    unseen_categories: int = 0
    """Values in categories that the model has not seen."""
    plays_of_unknown_movies: int = 0
    """Plays of movies that are not in the catalogue."""
    unknown_member: bool = False
    """Whether a member_id is given that nobody knows."""
    unknown_genres: int = 0
    """Genres that are not in the model's schema."""
    unknown_movies: int = 0
    """Requested movies that are not in the catalogue; responses show them by their predictions' evidence."""
    unseen_positions: tuple[int, ...] = ()
    """Schema positions of the member's attributes with an unseen category."""


UNKNOWN: tuple[int, Attribute | None] = (-1, None)
"""Stands for an attribute that is not in the model's schema."""


class FactsDecoder:
    """Decodes facts for one model; each method adds to the given violations and unused facts."""

    def __init__(self, model: Model) -> None:
        self._schema = model.schema
        self._members = model.members
        self._catalogue = model.catalogue
        self._no_facts = MemberFacts.nothing(model.schema)
        self._member_attributes = _by_name(model.schema.member_attributes)
        self._movie_attributes = _by_name(model.schema.movie_attributes)

    def member(
        self, member: pb.Member, violations: Violations, unused: UnusedFacts, record: MemberRecord | None
    ) -> MemberFacts:
        """The member's stored facts, overridden by those in the request; a record replaces the model's own table."""
        if len(member.member_id) > ID_LENGTH:
            violations.add("member.member_id", f"must have at most {ID_LENGTH} characters")
        stored = None
        if record is not None:
            stored = record.facts(self._schema, self._catalogue)
        elif member.member_id:
            stored = self._members.find(member.member_id)
        unused.unknown_member = bool(member.member_id) and stored is None
        attributes = self._attributes(
            member.attributes, self._member_attributes, "member.attributes", violations, unused
        )
        if unused.unseen_categories:
            unused.unseen_positions = tuple(position for position, value in attributes.items() if math.isnan(value))
        plays = self._plays(member.plays, violations, unused)
        facts = self._no_facts if stored is None else stored
        return facts.with_attributes(attributes).with_all_plays(plays, self._schema)

    def movie(self, movie: pb.Movie, path: str, violations: Violations, unused: UnusedFacts) -> MovieFacts:
        """The facts of a new movie."""
        violations.check_id(movie.movie_id, f"{path}.movie_id")
        if movie.HasField("release_year"):
            violations.check_year(movie.release_year, f"{path}.release_year")
        violations.check_genres(movie.genres, f"{path}.genres")
        attributes = self._attributes(
            movie.attributes, self._movie_attributes, f"{path}.attributes", violations, unused
        )
        unused.unknown_genres += sum(genre not in self._schema.genres for genre in movie.genres)
        year = movie.release_year if movie.HasField("release_year") else None
        return MovieFacts.of(self._schema, year, movie.genres, attributes)

    def _plays(self, plays: Sequence[pb.Play], violations: Violations, unused: UnusedFacts) -> Plays:
        """The plays of movies in the catalogue, decoded column by column at half the cost of play by play."""
        if not violations.check_count(len(plays), PLAYS, "member.plays"):
            return Plays([], [], [])
        plays = list(plays)
        movie_ids = [play.movie_id for play in plays]
        rows = self._catalogue.rows(movie_ids)
        completions = [play.completion for play in plays]
        for number in [number for number, completion in enumerate(completions) if not 0 < completion <= 1]:
            if plays[number].HasField("completion"):
                violations.check_share(completions[number], f"member.plays[{number}].completion")
            else:
                completions[number] = math.nan  # an absent field reads as 0
        times = [math.nan] * len(plays)
        for number in [number for number, play in enumerate(plays) if play.HasField("played_at")]:
            played_at = plays[number].played_at
            times[number] = played_at.seconds + played_at.nanos / 1e9
            violations.check_time(played_at, f"member.plays[{number}].played_at")
        known_rows = [row for row in rows if row is not None]
        if len(known_rows) < len(rows):
            unused.plays_of_unknown_movies += len(rows) - len(known_rows)
            for number in [number for number, row in enumerate(rows) if row is None]:
                violations.check_id(movie_ids[number], f"member.plays[{number}].movie_id")
            known = [number for number, row in enumerate(rows) if row is not None]
            completions, times = ([column[number] for number in known] for column in (completions, times))
        return Plays(known_rows, completions, times)

    def _attributes(
        self,
        values: Mapping[str, pb.AttributeValue],
        schema: Mapping[str, tuple[int, Attribute]],
        path: str,
        violations: Violations,
        unused: UnusedFacts,
    ) -> dict[int, float]:
        """Encoded values by schema position. Paths name only attributes of the schema, never what else was sent."""
        encoded: dict[int, float] = {}
        if not violations.check_count(len(values), ATTRIBUTES, path):
            return encoded
        for name in values:
            message = values[name]  # the map's items() takes longer
            position, attribute = schema.get(name, UNKNOWN)
            value_path = path if attribute is None else f'{path}["{name}"]'
            kind = message.WhichOneof("kind")
            if kind is None:
                violations.add(value_path, "must have a value of one kind")
                continue
            value = getattr(message, kind)
            if kind == "text":
                violations.check_text(value, value_path)
            elif kind == "number":
                violations.check_number(value, value_path)
            if attribute is None:
                unused.unknown_attributes += 1
                violations.check_name(name, path)
                continue
            try:
                encoded[position] = encode_attribute(attribute, value)
            except WrongKind:
                rule = "must be a number" if attribute.kind == "numeric" else "must be text or a flag"
                violations.add(value_path, rule)
                continue
            unused.unseen_categories += math.isnan(encoded[position])
        return encoded


def _by_name(attributes: Sequence[Attribute]) -> dict[str, tuple[int, Attribute]]:
    """Schema position and attribute, by name."""
    return {attribute.name: (position, attribute) for position, attribute in enumerate(attributes)}
