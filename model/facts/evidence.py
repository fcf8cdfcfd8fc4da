"""What kind of facts a prediction rests on; the numbers are those of the gRPC contract."""

from enum import IntEnum


class MemberEvidence(IntEnum):
    """What the model can use of what is known of a member."""

    NOTHING = 1
    ATTRIBUTES = 2
    PLAYS = 3
    ATTRIBUTES_AND_PLAYS = 4

    @property
    def has_attributes(self) -> bool:
        """Whether attributes are among the evidence."""
        return self in (MemberEvidence.ATTRIBUTES, MemberEvidence.ATTRIBUTES_AND_PLAYS)

    @property
    def has_plays(self) -> bool:
        """Whether plays are among the evidence."""
        return self in (MemberEvidence.PLAYS, MemberEvidence.ATTRIBUTES_AND_PLAYS)


class MovieEvidence(IntEnum):
    """What the model knows of a movie."""

    RATED = 1
    """Rated by members that the model learned from."""
    DESCRIBED = 2
    """Without ratings, but with a year, genres or attributes."""
    UNKNOWN = 3
    """Neither."""
