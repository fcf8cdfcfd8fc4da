"""What a request says of a member or of a movie, checked and encoded for one model."""

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
class Unused:
    """What a request tells that the model can't use, counted while it is decoded."""

    attributes: int = 0
    """Attributes that the model does not have."""
    categories: int = 0
    """Values in categories that it has not seen."""
    plays: int = 0
    """Plays of movies that the catalogue lacks."""
    member: bool = False
    """Whether the member_id is unknown."""
    genres: int = 0
    """Genres that the model does not have."""
    movies: int = 0
    """Movies asked for that the catalogue lacks; their predictions' evidence tells of them."""

    unseen: tuple[int, ...] = ()
    """Positions of the member's attributes among whose categories its value isn't."""

    @property
    def told(self) -> bool:
        """Whether there is anything that a response tells of."""
        return bool(self.attributes or self.categories or self.plays or self.member or self.genres)


UNKNOWN: tuple[int, Attribute | None] = (-1, None)
"""Stands for an attribute that the model does not have."""


class FactsDecoder:
    """Decodes facts for one model, adding to the violations and to the unused facts that it is handed."""

    def __init__(self, model: Model) -> None:
        self._schema = model.schema
        self._members = model.members
        self._catalogue = model.catalogue
        self._nobody = MemberFacts.nothing(model.schema)
        self._member_attributes = _by_name(model.schema.member_attributes)
        self._movie_attributes = _by_name(model.schema.movie_attributes)

    def member(
        self, member: pb.Member, found: Violations, unused: Unused, recorded: MemberRecord | None
    ) -> MemberFacts:
        """What is stored of the member, then what the request says; a record counts before the model's own table."""
        if len(member.member_id) > ID_LENGTH:
            found.add("member.member_id", f"must have at most {ID_LENGTH} characters")
        stored = None
        if recorded is not None:
            stored = recorded.facts(self._schema, self._catalogue)
        elif member.member_id:
            stored = self._members.find(member.member_id)
        unused.member = bool(member.member_id) and stored is None
        given = self._attributes(member.attributes, self._member_attributes, "member.attributes", found, unused)
        if unused.categories:
            unused.unseen = tuple(position for position, value in given.items() if math.isnan(value))
        plays = self._plays(member.plays, found, unused)
        facts = self._nobody if stored is None else stored
        return facts.with_attributes(given).with_all_plays(plays, self._schema)

    def _plays(self, plays: Sequence[pb.Play], found: Violations, unused: Unused) -> Plays:
        """The plays of movies that the catalogue has, worked out field by field, which costs half of play by play."""
        if not found.check_count(len(plays), PLAYS, "member.plays"):
            return Plays([], [], [])
        every = list(plays)
        movie_ids = [play.movie_id for play in every]
        rows = self._catalogue.rows(movie_ids)
        shares = [play.completion for play in every]
        for number in [number for number, share in enumerate(shares) if not 0 < share <= 1]:
            if every[number].HasField("completion"):
                found.check_share(shares[number], f"member.plays[{number}].completion")
            else:
                shares[number] = math.nan  # not there, which reads as 0
        times = [math.nan] * len(every)
        for number in [number for number, play in enumerate(every) if play.HasField("played_at")]:
            played_at = every[number].played_at
            times[number] = played_at.seconds + played_at.nanos / 1e9
            found.check_time(played_at, f"member.plays[{number}].played_at")
        usable = [row for row in rows if row is not None]
        if len(usable) < len(rows):
            for number, row in enumerate(rows):
                if row is None:
                    unused.plays += 1
                    found.check_id(movie_ids[number], f"member.plays[{number}].movie_id")
            known = [number for number, row in enumerate(rows) if row is not None]
            shares, times = ([column[number] for number in known] for column in (shares, times))
        return Plays(usable, shares, times)

    def _attributes(
        self,
        given: Mapping[str, pb.AttributeValue],
        known: Mapping[str, tuple[int, Attribute]],
        path: str,
        found: Violations,
        unused: Unused,
    ) -> dict[int, float]:
        """Encoded values by position in the schema. Paths name only attributes that the model has."""
        encoded: dict[int, float] = {}
        if not found.check_count(len(given), ATTRIBUTES, path):
            return encoded
        for name in given:
            value = given[name]  # a map's own items() takes longer
            position, attribute = known.get(name, UNKNOWN)
            place = path if attribute is None else f'{path}["{name}"]'
            kind = value.WhichOneof("kind")
            if kind is None:
                found.add(place, "must have a value of one kind")
                continue
            told = getattr(value, kind)
            if kind == "text":
                found.check_text(told, place)
            elif kind == "number":
                found.check_number(told, place)
            if attribute is None:
                unused.attributes += 1
                found.check_name(name, path)
                continue
            try:
                encoded[position] = encode_attribute(attribute, told)
            except WrongKind:
                found.add(place, "must be a number" if attribute.kind == "numeric" else "must be text or a flag")
                continue
            unused.categories += math.isnan(encoded[position])
        return encoded

    def description(self, movie: pb.Movie, path: str, found: Violations, unused: Unused) -> MovieFacts:
        """What a request says of a movie."""
        found.check_id(movie.movie_id, f"{path}.movie_id")
        if movie.HasField("release_year"):
            found.check_year(movie.release_year, f"{path}.release_year")
        found.check_genres(movie.genres, f"{path}.genres")
        given = self._attributes(movie.attributes, self._movie_attributes, f"{path}.attributes", found, unused)
        unused.genres += sum(genre not in self._schema.genres for genre in movie.genres)
        year = movie.release_year if movie.HasField("release_year") else None
        return MovieFacts.of(self._schema, year, movie.genres, given)


def _by_name(attributes: Sequence[Attribute]) -> dict[str, tuple[int, Attribute]]:
    return {attribute.name: (position, attribute) for position, attribute in enumerate(attributes)}
