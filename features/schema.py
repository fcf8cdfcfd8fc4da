"""The schema of a data set: its rating scale, attributes and genres."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["categorical", "numeric"]

FLAGS = ("false", "true")
"""Categories of booleans."""

OTHER_GENRE = "other"
"""Name of the genre that stands for rare genres and for those unseen in training."""


@dataclass(frozen=True)
class Scale:
    """The rating scale of a data set, in the units of its ratings."""

    low: float
    """Lowest possible rating."""
    high: float
    """Highest possible rating."""
    enjoyed_from: float
    """Lowest rating that counts as enjoyed."""

    @property
    def span(self) -> float:
        """Highest less lowest rating, or 1 if both are equal, so that dividing by the span is always possible."""
        return self.high - self.low or 1.0

    def cut(self, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the ratings, clipped to the scale."""
        return np.minimum(np.maximum(ratings, self.low), self.high)


@dataclass(frozen=True)
class Attribute:
    """An attribute column of members or movies, as the model uses it."""

    name: str
    """Name of the column."""
    kind: Kind
    """Whether values are categories or numbers."""
    categories: tuple[str, ...] = ()
    """Names of the categories, sorted; `false` and `true` for a boolean column."""
    has_other: bool = False
    """Whether there is one further category, "other", for rare categories and for those unseen in training."""
    knots: tuple[float, ...] = ()
    """Ascending knots of the piecewise linear encoding of a numeric attribute."""
    shares: tuple[float, ...] = ()
    """Relative frequencies among known values: of each category, then "other", or of each knot as the nearest one.
    For member attributes, these are frequencies among raters."""
    missing: tuple[str, ...] = ()
    """Marks of missing values from schema.toml, in addition to the usual ones, as they are written there."""
    are_codes: bool = False
    """Whether the categories are codes or times, in place of which the usual marks are missing values."""

    @cached_property
    def is_flag(self) -> bool:
        """Whether the categories are `false` and `true`, or one of them if the other is rare."""
        return bool(self.categories) and self.width <= len(FLAGS) and set(self.categories) <= set(FLAGS)

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        if self.kind == "categorical":
            return len(self.categories) + self.has_other
        return max(len(self.knots) - 1, 1)

    @cached_property
    def category_numbers(self) -> Mapping[str, int]:
        """Number of each category, by its name."""
        return {category: number for number, category in enumerate(self.categories)}


@dataclass(frozen=True)
class Schema:
    """The rating scale, attributes and genres of a data set."""

    scale: Scale
    """The rating scale."""
    member_attributes: tuple[Attribute, ...]
    """Attributes of members, in column order."""
    movie_attributes: tuple[Attribute, ...]
    """Attributes of movies other than release year and genres, in column order."""
    genres: tuple[str, ...]
    """All genres, sorted."""
    end_of_data: float | None
    """Time of the latest play, from which recency counts, in seconds since 1970 UTC; None if no play has a time."""
    has_other_genre: bool = False
    """Whether the genre "other" stands for rare genres and for those unseen in training."""
    missing_in_movies: tuple[str, ...] = ()
    """Marks of missing release years and genres from schema.toml, in addition to the usual ones."""

    @cached_property
    def genre_numbers(self) -> Mapping[str, int]:
        """Number of each genre, by its name."""
        return {genre: number for number, genre in enumerate(self.genres)}

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as a dictionary that can be written as JSON, without optional fields that aren't used."""
        written = asdict(self)
        for attribute in written["member_attributes"] + written["movie_attributes"]:
            for optional in ("missing", "are_codes"):
                if not attribute[optional]:
                    del attribute[optional]
        for optional in ("has_other_genre", "missing_in_movies"):
            if not written[optional]:
                del written[optional]
        return written

    @staticmethod
    def from_dict(given: Mapping[str, Any]) -> "Schema":
        """Return the schema that `to_dict` wrote. Raises KeyError or TypeError if the dictionary has another form."""
        return Schema(
            scale=Scale(**given["scale"]),
            member_attributes=_attributes(given["member_attributes"]),
            movie_attributes=_attributes(given["movie_attributes"]),
            genres=tuple(given["genres"]),
            end_of_data=given["end_of_data"],
            has_other_genre=given.get("has_other_genre", False),
            missing_in_movies=tuple(given.get("missing_in_movies", ())),
        )


def _attributes(given: list[dict[str, Any]]) -> tuple[Attribute, ...]:
    lists = ("categories", "knots", "shares", "missing")
    return tuple(Attribute(**entry | {name: tuple(entry.get(name, ())) for name in lists}) for entry in given)
