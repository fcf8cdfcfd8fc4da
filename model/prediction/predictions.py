"""Results of the model: predictions as arrays, explanations, and the fact that is best asked of the member next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence


@dataclass(frozen=True)
class Predictions:
    """Predictions of N movies for one member, in the order of the request; ratings are in the units of the data."""

    rating: NDArray[np.float64]
    """(N,) expected rating, within the scale."""
    lower: NDArray[np.float64]
    """(N,) lower end of the 90 % interval for the rating that the member would give."""
    upper: NDArray[np.float64]
    """(N,) upper end of the 90 % interval."""
    probability_enjoyed: NDArray[np.float64]
    """(N,) probability, 0 to 1, that the rating would be at least `enjoyed_from`."""
    prior_rating: NDArray[np.float64]
    """(N,) rating predicted by the factorization alone, without the trees, within the scale."""
    movie_evidence: NDArray[np.int8]
    """(N,) what is known of each movie: a MovieEvidence, such as RATED."""
    extrapolation: NDArray[np.float64]
    """(N,) how unusual the member is: the share, 0 to 1, of raters who are nearer to a landmark (a mean of raters
    that the regression compares members with); 0 if nothing is known."""
    member_evidence: MemberEvidence
    """What is known of the member and used."""

    def take(self, order: NDArray[np.int64]) -> "Predictions":
        """Return the predictions of the movies at the positions `order`, in that order."""
        return Predictions(
            **{name: getattr(self, name)[order] for name in ARRAYS}, member_evidence=self.member_evidence
        )

    def part(self, start: int, end: int) -> "Predictions":
        """Return the predictions of the movies from `start` to before `end`, as views of the arrays."""
        return Predictions(
            self.rating[start:end],
            self.lower[start:end],
            self.upper[start:end],
            self.probability_enjoyed[start:end],
            self.prior_rating[start:end],
            self.movie_evidence[start:end],
            self.extrapolation[start:end],
            self.member_evidence,
        )

    @staticmethod
    def join(parts: "Sequence[Predictions]", evidence: MemberEvidence) -> "Predictions":
        """Return the predictions of all parts as one object, with `evidence` as what is known of the member."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
        return Predictions(**arrays, member_evidence=evidence)


ARRAYS = ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "movie_evidence", "extrapolation")


@dataclass(frozen=True)
class Part:
    """The rating points that one group of facts, such as plays, adds to a prediction."""

    group: str
    """Name of the group, one of those in `GROUPS`."""
    rating: float
    """Rating points that the group adds; negative if it lowers the rating."""


@dataclass(frozen=True)
class Explanation:
    """One prediction, and the rating points that each group of facts adds to it."""

    predictions: Predictions
    """The prediction of the movie, the same as from `predict`."""
    rating_before_cut: float
    """Sum of all parts: the rating before it is clipped to the scale."""
    parts: tuple[Part, ...]
    """What each group adds, in the order of `GROUPS`."""


@dataclass(frozen=True)
class NextFact:
    """The fact to ask a member for next, since it would narrow the interval most: an attribute or further plays."""

    attribute: str | None
    """Name of the attribute; None if the fact is further plays."""
    plays: int
    """Number of further plays; 0 if the fact is an attribute."""
    expected_width: float
    """Expected width of the interval once the fact is known, in rating points."""
    current_width: float
    """Width of the interval now, in rating points."""


GROUPS: dict[str, str] = {
    "average": "The average rating of all raters.",
    "movie": "How well the movie is rated, or what its description says of that.",
    "generosity": "How generously a member like this one rates.",
    "taste_from_plays": "How the movie fits what the member plays.",
    "taste_from_attributes": "How the movie fits members with these attributes.",
    "taste_from_ratings": "What the member's own ratings say of this movie.",
    "movie_corrections": "The trees: year, genres, popularity and reception of the movie.",
    "play_corrections": "The trees: how the movie compares with what the member plays.",
    "attribute_corrections": "The trees: how members with these attributes took the movie.",
    "prior_corrections": "The trees: where the factorization is known to be off.",
}
"""Descriptions of all groups in explanations, by name."""
