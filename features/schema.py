"""The schema of a data set: its rating scale, attributes and genres."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["categorical", "numeric"]


@dataclass(frozen=True)
class Scale:
    """The rating scale of a data set, in its own units."""

    low: float
    """The lowest rating that can be given."""
    high: float
    """The highest rating that can be given."""
    enjoyed_from: float
    """A rating from here up counts as enjoyed."""

    @property
    def span(self) -> float:
        """Highest less lowest rating; 1 where all ratings are equal, so that shares of it stay finite."""
        return self.high - self.low or 1.0

    def cut(self, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest ratings within the scale."""
        return np.minimum(np.maximum(ratings, self.low), self.high)


@dataclass(frozen=True)
class Attribute:
    """An attribute column of members or movies, as the model uses it."""

    name: str
    """The column's name."""
    kind: Kind
    """Whether values are categories or numbers."""
    categories: tuple[str, ...] = ()
    """Categories in text order; those of a boolean column are `false` and `true`."""
    has_other: bool = False
    """Whether rare categories were merged into one further category, which unseen ones belong to."""
    knots: tuple[float, ...] = ()
    """Ascending knots of the piecewise linear encoding of a numeric attribute."""
    shares: tuple[float, ...] = ()
    """Relative frequency of each category and then "other", or of each knot as the nearest one, among known values; for
    member attributes, among raters."""

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        if self.kind == "categorical":
            return len(self.categories) + self.has_other
        return max(len(self.knots) - 1, 1)

    @cached_property
    def category_numbers(self) -> Mapping[str, int]:
        """The number of each category."""
        return {category: number for number, category in enumerate(self.categories)}


@dataclass(frozen=True)
class Schema:
    """The rating scale, attributes and genres of a data set."""

    scale: Scale
    """The rating scale."""
    member_attributes: tuple[Attribute, ...]
    """Attributes of members, in column order."""
    movie_attributes: tuple[Attribute, ...]
    """Attributes of movies beyond year and genres, in column order."""
    genres: tuple[str, ...]
    """All genres, in text order."""
    end_of_data: float | None
    """The latest play, in seconds since 1970 UTC, from which recency is measured; None where no play has a time."""

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON can hold it."""
        return asdict(self)

    @staticmethod
    def from_dict(given: Mapping[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote; raises KeyError or TypeError for anything else."""
        return Schema(
            scale=Scale(**given["scale"]),
            member_attributes=_attributes(given["member_attributes"]),
            movie_attributes=_attributes(given["movie_attributes"]),
            genres=tuple(given["genres"]),
            end_of_data=given["end_of_data"],
        )


def _attributes(given: list[dict[str, Any]]) -> tuple[Attribute, ...]:
    lists = ("categories", "knots", "shares")
    return tuple(Attribute(**entry | {name: tuple(entry.get(name, ())) for name in lists}) for entry in given)
