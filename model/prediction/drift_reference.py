"""Reference histograms of raters' attributes, plays and predictions, for drift detection."""

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
"""Quantities of predictions with a histogram: the rating and the interval's width as shares of the scale, 0 to 1, and
extrapolation."""
BEYOND_FAR = len(FAR)
"""Number of the last bins of `extrapolation`, of members farther off than all but a few raters."""


@dataclass(frozen=True)
class AttributeShares:
    """Histogram of one attribute among raters with any known attribute."""

    position: int
    """Of the attribute in the schema."""
    edges: tuple[float, ...]
    """(E,) ascending upper ends of bins for a numeric attribute; the categories that have a bin of their own else."""
    shares: tuple[float, ...]
    """(E + 2,) above 0, of all: in each bin, beyond them (any other value), and not known."""


@dataclass(frozen=True)
class PlayShares:
    """Histogram of the number of plays among raters with plays."""

    edges: tuple[float, ...]
    """(E,) ascending upper ends of bins."""
    shares: tuple[float, ...]
    """(E + 1,) above 0, in each bin and beyond."""


@dataclass(frozen=True)
class PredictionShares:
    """Histograms of one quantity of out-of-fold predictions of rated movies."""

    edges: tuple[float, ...]
    """(E,) ascending upper ends of bins."""
    shares: Mapping[str, tuple[float, ...]]
    """(E + 1,) above 0, by the lower-case name of the evidence: in each bin and beyond."""


@dataclass(frozen=True)
class Reference:
    """Histograms that those of requests are compared with; they are alike where never-raters are like raters."""

    attributes: tuple[AttributeShares, ...]
    """(W,) of the attributes with a histogram."""
    plays: PlayShares
    """Of the number of plays."""
    predictions: Mapping[str, PredictionShares]
    """By the names in TOLD."""

    def to_dict(self) -> dict[str, Any]:
        """The reference as JSON can hold it."""
        return asdict(self)

    @staticmethod
    def from_dict(given: Mapping[str, Any]) -> "Reference":
        """The reference that `to_dict` wrote; else raises ValueError, KeyError, TypeError or AttributeError."""
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
        """Counts values of attributes in the reference's bins."""
        return Binning(schema.member_attributes, [(shares.position, shares.edges) for shares in self.attributes])


class Binning:
    """Counts the values of W attributes in their bins, many members at a time."""

    def __init__(self, attributes: Sequence[Attribute], bins: Sequence[tuple[int, Sequence[float]]]) -> None:
        """`bins` has the position and the (E,) edges of each watched attribute, as in AttributeShares."""
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
        """(E + 2,) histograms of the W attributes over N members with (N, A) values; the last bin counts NaN."""
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
    """Edges and shares, if these are positive and as many as there are edges and `further` bins; else ValueError."""
    if any(low >= high for low, high in pairwise(edges)) or len(shares) != len(edges) + further or min(shares) <= 0:
        raise ValueError("the reference isn't one of histograms")
    return tuple(edges), tuple(shares)


def in_bins(values: Array, edges: Sequence[float]) -> NDArray[np.int64]:
    """(E + 1,) histogram of values over ascending upper edges; the last bin counts the values above all edges."""
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)


def prediction_quantities(predictions: Sequence[Predictions], scale: Scale) -> dict[str, Array]:
    """Values of the PREDICTION_QUANTITIES by name: of all predictions of rated movies, one extrapolation a member."""
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
    """Name of a kind of evidence in the reference."""
    return evidence.name.lower()
