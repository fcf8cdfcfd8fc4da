"""Histograms of raters' attributes, plays and predictions, with which the service compares requests to detect drift."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import Attribute, Scale, Schema
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR
from model.prediction.predictions import Predictions

Array = NDArray[np.float64]

PREDICTION_QUANTITIES = ("rating", "interval_width", "extrapolation")
"""Names of the quantities of predictions that have a histogram. A rating is its position on the scale, 0 to 1, and an
interval width is a share of the scale, 0 to 1."""
BEYOND_FAR = len(FAR)
"""Number of bins of `extrapolation`, at the upper end, that hold the members beyond the first value of FAR."""


@dataclass(frozen=True)
class AttributeShares:
    """Histogram of the values of one attribute among raters of whom any attribute is known, to detect drift."""

    position: int
    """Position of the attribute in the schema."""
    edges: tuple[float, ...]
    """(E,) ascending upper ends of the bins of a numeric attribute, or numbers of the categories that have a bin."""
    shares: tuple[float, ...]
    """(E + 2,) positive shares of raters: in each bin, with any other value, and with an unknown value."""


@dataclass(frozen=True)
class PlayShares:
    """Histogram of the number of plays among raters with plays, to detect drift."""

    edges: tuple[float, ...]
    """(E,) ascending upper ends of the bins."""
    shares: tuple[float, ...]
    """(E + 1,) positive shares of raters: in each bin, and above the last edge."""


@dataclass(frozen=True)
class PredictionShares:
    """Histograms of one quantity of predictions, such as the rating, for each kind of member evidence.

    The predictions are of rated movies, for raters that the model was not fitted on.
    """

    edges: tuple[float, ...]
    """(E,) ascending upper ends of the bins."""
    shares: Mapping[str, tuple[float, ...]]
    """(E + 1,) positive shares in each bin and above the last edge, by the lower-case name of the member evidence."""


@dataclass(frozen=True)
class Reference:
    """Histograms of raters, which the service compares with those of requests to detect drift.

    The histograms agree if the members in requests are distributed like raters.
    """

    attributes: tuple[AttributeShares, ...]
    """Histograms of W attributes."""
    plays: PlayShares
    """Histogram of the number of plays."""
    predictions: Mapping[str, PredictionShares]
    """Histograms of predictions, by the names in PREDICTION_QUANTITIES."""

    def to_dict(self) -> dict[str, Any]:
        """Return the histograms as a dictionary that can be written as JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(given: Mapping[str, Any]) -> "Reference":
        """Return the histograms that `to_dict` wrote.

        Raises ValueError, KeyError, TypeError or AttributeError if the dictionary has another form.
        """
        attributes = [
            AttributeShares(entry["position"], *_histogram(entry["edges"], entry["shares"], further=2))
            for entry in given["attributes"]
        ]
        plays = PlayShares(*_histogram(given["plays"]["edges"], given["plays"]["shares"], further=1))
        predictions = {}
        for name in PREDICTION_QUANTITIES:
            entry = given["predictions"][name]
            shares = {kind: _histogram(entry["edges"], own, further=1)[1] for kind, own in entry["shares"].items()}
            predictions[name] = PredictionShares(tuple(entry["edges"]), shares)
        return Reference(tuple(attributes), plays, predictions)

    def binning(self, schema: Schema) -> "Binning":
        """Return an object that counts attribute values of requests in the bins of these histograms."""
        return Binning(schema.member_attributes, [(shares.position, shares.edges) for shares in self.attributes])


class Binning:
    """Counts the values of W attributes of many members in the bins of their histograms."""

    def __init__(self, attributes: Sequence[Attribute], bins: Sequence[tuple[int, Sequence[float]]]) -> None:
        """Set up the bins; `bins` has the position and the (E,) edges, as in AttributeShares, of W attributes."""
        longest = max((len(edges) for _, edges in bins), default=0)
        self._positions = np.array([position for position, _ in bins], np.intp)
        self._numeric = np.array([attributes[position].kind == "numeric" for position, _ in bins], bool)
        self._edges = np.full((len(bins), longest), np.nan)
        for row, (_, edges) in enumerate(bins):
            self._edges[row, : len(edges)] = edges
        self._beyond = np.array([len(edges) for _, edges in bins], np.intp)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return np.concatenate([[0], np.cumsum(self._beyond + 2)])

    def counts(self, values: NDArray[np.float32]) -> list[NDArray[np.int64]]:
        """Return a histogram (E + 2,) of each of the W attributes, of the (N, A) encoded values of N members.

        The last bin counts unknown values, NaN.
        """
        chosen = values[:, self._positions]
        bins = np.empty(chosen.shape, np.intp)
        for numeric in (False, True):
            columns = np.flatnonzero(self._numeric == numeric)
            spread = chosen[:, columns, None]
            edges = self._edges[columns].astype(np.float32)
            reached = spread > edges if numeric else ~np.logical_or.accumulate(spread == edges, axis=2)
            bins[:, columns] = (reached & np.isfinite(edges)).sum(axis=2)
        bins = np.where(np.isfinite(chosen), bins, self._beyond + 1)
        counts = np.bincount((bins + self._starts[:-1]).ravel(), minlength=int(self._starts[-1]))
        return [counts[start:end] for start, end in zip(self._starts[:-1], self._starts[1:], strict=True)]


def _histogram(
    edges: Sequence[float], shares: Sequence[float], further: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the edges and shares of a stored histogram as tuples.

    Raises ValueError unless edges ascend, shares are positive, and there are `further` more shares than edges.
    """
    if any(low >= high for low, high in pairwise(edges)) or len(shares) != len(edges) + further or min(shares) <= 0:
        raise ValueError("the reference has an invalid histogram")
    return tuple(edges), tuple(shares)


def in_bins(values: Array, edges: Sequence[float]) -> NDArray[np.int64]:
    """Return the (E + 1,) histogram of values; `edges` are ascending upper ends, and the last bin has no upper end."""
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)


def prediction_quantities(predictions: Sequence[Predictions], scale: Scale) -> dict[str, Array]:
    """Return rating, interval width and extrapolation of several members' predictions, by name, to count in bins.

    There is one rating and one interval width for each prediction of a rated movie, but one extrapolation for each
    member.
    """
    movie, rating, lower, upper = (
        np.concatenate([getattr(member, name) for member in predictions])
        for name in ("movie_evidence", "rating", "lower", "upper")
    )
    rated = movie == MovieEvidence.RATED
    return {
        "rating": (rating[rated] - scale.low) / scale.span,
        "interval_width": (upper[rated] - lower[rated]) / scale.span,
        "extrapolation": np.array([member.extrapolation[0] for member in predictions]),
    }


def kind_name(evidence: MemberEvidence) -> str:
    """Return the lower-case name of a kind of evidence, such as `attributes`, the key of its histograms."""
    return evidence.name.lower()
