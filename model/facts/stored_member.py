"""What a store outside the model holds of a member: a record, which other services write, and live ratings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from features.schema import Schema
from model.facts.catalogue import Catalogue
from model.facts.facts import MemberFacts, Play
from model.facts.live_ratings import LiveRating
from model.facts.member_record import MemberRecord


class StoredEntry(NamedTuple):
    """What lies in a store under the keys of a member."""

    record: bytes | None
    """The member's record, undecoded; None if there is none."""
    live: list[LiveRating]
    complete: bool
    """Whether the store holds all live ratings that were reported, of all members."""


@dataclass(frozen=True)
class StoredMember:
    """What a store holds of a member."""

    record: MemberRecord | None = None
    """Attributes, plays and ratings, as another service wrote them; None if there is no record."""
    live: Sequence[LiveRating] = ()
    """Ratings and withdrawals that callers reported, at most one of each movie."""
    may_lack: bool = False
    """Whether facts may be missing: the store didn't answer, or it may lack ratings that were reported."""

    def facts(
        self, published: Callable[[], MemberFacts | None], schema: Schema, catalogue: Catalogue
    ) -> MemberFacts | None:
        """Return what is stored, encoded for a model with this schema and catalogue; None if nothing is.

        `published` returns what is published with the model, which counts if there is no record. Live ratings are added
        to either: of two ratings of one movie the later counts.
        """
        known = published() if self.record is None else self.record.facts(schema, catalogue)
        if not self.live or (known is None and all(each.rating is None for each in self.live)):
            return known
        return _with_live(MemberFacts.nothing(schema) if known is None else known, self.live, schema, catalogue)


def _with_live(facts: MemberFacts, live: Sequence[LiveRating], schema: Schema, catalogue: Catalogue) -> MemberFacts:
    """Return facts with live ratings added, and without ratings that were taken back, of which plays remain.

    Ratings of movies that the catalogue lacks, or off the scale, are left out.
    """
    plays = []
    for movie_id, rating, rated_at, _ in live:
        row = catalogue.row(movie_id)
        if row is None:
            continue
        if rating is None:
            facts = _without_rating(facts, row, rated_at)
        elif schema.scale.low <= rating <= schema.scale.high:
            plays.append(Play(row, played_at=rated_at, rating=rating))
    return facts.with_plays(plays, schema)


def _without_rating(facts: MemberFacts, row: int, withdrawn_at: float) -> MemberFacts:
    """Return facts without the rating of the movie in a row, unless it is known to be later than its withdrawal."""
    times = facts.ratings.rated_at[facts.ratings.movies == row]
    if not len(times) or bool(np.greater(times, withdrawn_at).any()):
        return facts
    return replace(facts, ratings=facts.ratings.without(row))
