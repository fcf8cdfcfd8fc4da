"""Kinds of evidence for predictions, numbered as in the gRPC contract."""

from enum import IntEnum


class MemberEvidence(IntEnum):
    """The facts about a member that a prediction uses."""

    NOTHING = 1
    ATTRIBUTES = 2
    PLAYS = 3
    ATTRIBUTES_AND_PLAYS = 4

    @property
    def has_attributes(self) -> bool:
        """Whether attributes are used."""
        return self in (MemberEvidence.ATTRIBUTES, MemberEvidence.ATTRIBUTES_AND_PLAYS)

    @property
    def has_plays(self) -> bool:
        """Whether plays are used."""
        return self in (MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS)


class MovieEvidence(IntEnum):
    """The facts about a movie that a prediction uses."""

    RATED = 1
    """The training data has ratings of it."""
    DESCRIBED = 2
    """No ratings, but a year, genres or attributes."""
    UNKNOWN = 3
    """Neither."""
