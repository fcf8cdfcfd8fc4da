"""Kinds of evidence: what is known of a member or a movie in a prediction, with the numbers of the gRPC API."""

from enum import IntEnum


class MemberEvidence(IntEnum):
    """What a prediction knows of the member: nothing, or attributes, plays and ratings; ratings imply plays."""

    NOTHING = 1
    ATTRIBUTES = 2
    PLAYS = 3
    ATTRIBUTES_AND_PLAYS = 4
    RATINGS = 5
    ATTRIBUTES_AND_RATINGS = 6

    @property
    def has_attributes(self) -> bool:
        """Whether the prediction uses attributes."""
        return self in (
            MemberEvidence.ATTRIBUTES,
            MemberEvidence.ATTRIBUTES_AND_PLAYS,
            MemberEvidence.ATTRIBUTES_AND_RATINGS,
        )

    @property
    def has_plays(self) -> bool:
        """Whether the prediction uses plays."""
        return self >= MemberEvidence.PLAYS

    @property
    def has_ratings(self) -> bool:
        """Whether the prediction uses the member's own ratings."""
        return self >= MemberEvidence.RATINGS

    @property
    def without_ratings(self) -> "MemberEvidence":
        """The kind of evidence that remains if the member's ratings are known as plays only."""
        return MemberEvidence(self - 2) if self.has_ratings else self

    @property
    def with_ratings(self) -> "MemberEvidence":
        """The kind of evidence with ratings, for a kind with plays."""
        return self if self.has_ratings else MemberEvidence(self + 2)


class MovieEvidence(IntEnum):
    """What a prediction knows of the movie: that it was rated, only a description, or nothing."""

    RATED = 1
    """The training data has ratings of the movie."""
    DESCRIBED = 2
    """No ratings, but a year, genres or attributes are known."""
    UNKNOWN = 3
    """The movie has no ratings, and its year, genres and attributes are unknown."""
