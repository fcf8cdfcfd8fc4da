"""Live ratings: what members rated, or took back, since the data of the model, by the reports of callers."""

from typing import NamedTuple

from model.facts.member_key import MemberKey
from model.facts.outcome_record import Outcome

LIVE_PREFIX = "coldstart:ratings:"
MOST_LIVE_RATINGS = 1_000
"""Maximum number of live ratings that a store keeps of one member; of more, the oldest leave first."""


class LiveRating(NamedTuple):
    """A member's rating of a movie, or its withdrawal, as a store keeps it."""

    movie_id: str
    rating: float | None
    """The rating; None if the member took it back."""
    rated_at: float
    """Time of the rating or of its withdrawal, in seconds since 1970 UTC; the latest of each movie counts."""
    received_at: float
    """Time when the service received it, in seconds since 1970 UTC; its age counts from then."""

    @staticmethod
    def of(outcome: Outcome) -> "LiveRating | None":
        """Return the rating that a caller reported, or its withdrawal; None if the report has neither."""
        if outcome.rating is None and not outcome.rating_withdrawn:
            return None
        return LiveRating(outcome.movie_id, outcome.rating, outcome.happened_at, outcome.received_at)


def ratings_key(member_id: str, key: MemberKey) -> str:
    """Return the key under which a store keeps a member's live ratings; it holds a hash of the member's id."""
    return LIVE_PREFIX + key.hex_of(member_id)
