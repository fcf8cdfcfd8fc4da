"""Kinds of evidence: what is known of a member or a movie in a prediction, with the numbers of the gRPC API."""

from enum import IntEnum


class MemberEvidence(IntEnum):
    """What a prediction knows of the member: nothing, attributes, plays, or both."""

    NOTHING = 1
    ATTRIBUTES = 2
    PLAYS = 3
    ATTRIBUTES_AND_PLAYS = 4

    @property
    def has_attributes(self) -> bool:
        """Whether the prediction uses attributes."""
        return self in (MemberEvidence.ATTRIBUTES, MemberEvidence.ATTRIBUTES_AND_PLAYS)

    @property
    def has_plays(self) -> bool:
        """Whether the prediction uses plays."""
        return self in (MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS)


class MovieEvidence(IntEnum):
    """What a prediction knows of the movie: that it was rated, only a description, or nothing."""

    RATED = 1
    """The training data has ratings of the movie."""
    DESCRIBED = 2
    """No ratings, but a year, genres or attributes are known."""
    UNKNOWN = 3
    """The movie has no ratings, and its year, genres and attributes are unknown."""
