"""Results of the model as arrays: predictions, explanations and suggestions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.facts.evidence import MemberEvidence


@dataclass(frozen=True)
class Predictions:
    """Predictions of N movies for one member, in the order of the request; ratings in the data's units."""

    rating: NDArray[np.float64]
    """(N,) expected rating, within the scale."""
    lower: NDArray[np.float64]
    """(N,) lower end of the 90 % interval of the rating that the member would give."""
    upper: NDArray[np.float64]
    """(N,) upper end of it."""
    probability_enjoyed: NDArray[np.float64]
    """(N,) 0 to 1: of a rating at or above `enjoyed_from`."""
    prior_rating: NDArray[np.float64]
    """(N,) rating predicted by the factorization prior alone, within the scale."""
    movie_evidence: NDArray[np.int8]
    """(N,) a MovieEvidence each."""
    extrapolation: NDArray[np.float64]
    """(N,) 0 to 1: share of raters who are nearer to the landmarks of the regression; 0 with nothing known."""
    member_evidence: MemberEvidence
    """The member's facts that were used."""

    def take(self, order: NDArray[np.int64]) -> "Predictions":
        """Some of the predictions, in another order."""
        return Predictions(
            **{name: getattr(self, name)[order] for name in ARRAYS}, member_evidence=self.member_evidence
        )

    def part(self, start: int, end: int) -> "Predictions":
        """Predictions `start` to before `end`, as views."""
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
        """All predictions of all parts, in their order."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
        return Predictions(**arrays, member_evidence=evidence)


ARRAYS = ("rating", "lower", "upper", "probability_enjoyed", "prior_rating", "movie_evidence", "extrapolation")


@dataclass(frozen=True)
class Part:
    """The contribution of one group of facts to a prediction."""

    group: str
    """One of the names in `GROUPS`."""
    rating: float
    """Rating points, of either sign."""


@dataclass(frozen=True)
class Explanation:
    """One prediction and its parts."""

    predictions: Predictions
    """The prediction of the one movie, exactly as `predict` gives it."""
    rating_before_cut: float
    """Sum of the parts: the rating before it is cut to the scale."""
    parts: tuple[Part, ...]
    """Contributions, in the order of `GROUPS`."""


@dataclass(frozen=True)
class NextFact:
    """The fact to ask a member for next."""

    attribute: str | None
    """Name of the attribute; None for further plays."""
    plays: int
    """Number of further plays; 0 for an attribute."""
    expected_width: float
    """Width of the interval that is expected once it is known, in rating points."""
    current_width: float
    """Width of the interval as it is."""


GROUPS: dict[str, str] = {
    "average": "The average rating of all raters.",
    "movie": "How well the movie is rated, or what its description says of that.",
    "generosity": "How generously a member like this one rates.",
    "taste_from_plays": "How the movie fits what the member plays.",
    "taste_from_attributes": "How the movie fits members with these attributes.",
    "movie_corrections": "The trees: year, genres, popularity and reception of the movie.",
    "play_corrections": "The trees: how the movie compares with what the member plays.",
    "attribute_corrections": "The trees: how members with these attributes took the movie.",
    "prior_corrections": "The trees: where the factorization is known to be off.",
}
"""Every group that an explanation may name, and what it means."""
