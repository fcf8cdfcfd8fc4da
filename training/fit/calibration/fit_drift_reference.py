"""Fits the drift reference: histograms of raters' facts and predictions, with which the service compares requests."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.schema import Attribute
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR, Calibration
from model.prediction.drift_reference import (
    PREDICTION_QUANTITIES,
    AttributeShares,
    Binning,
    PlayShares,
    PredictionShares,
    Reference,
    in_bins,
    kind_name,
)
from training.data.dataset import Dataset
from training.fit.calibration.held_out import HeldOutRows, predict_intervals

Array = NDArray[np.float64]

MOST_ATTRIBUTES = 200
"""Maximum number of attributes with a histogram, which limits the size of the metrics. The attributes that are known
for the most raters are chosen."""
MOST_CATEGORIES = 20
"""Maximum number of categories with their own bin; the most frequent ones are chosen."""
DECILES = np.arange(0.1, 0.95, 0.1)
FEW = 0.5
"""Pseudocount added to each bin, which keeps the population stability index finite if a bin is empty."""


def fit_reference(
    data: Dataset, held_out: Mapping[tuple[MemberEvidence, MovieEvidence], HeldOutRows], calibration: Calibration
) -> Reference:
    """Fit the drift reference to the raters' facts and out-of-fold predictions."""
    attributes = data.schema.member_attributes
    values = data.attributes[data.raters]
    values = values[np.isfinite(values).any(axis=1)]
    known = np.isfinite(values).sum(axis=0)
    watched = sorted(np.argsort(-known, kind="stable")[:MOST_ATTRIBUTES].tolist())
    bins = [(place, _edges(attributes[place], values[:, place])) for place in watched]
    counts = Binning(attributes, bins).counts(values)
    shares = [AttributeShares(place, edges, _shares(rows)) for (place, edges), rows in zip(bins, counts, strict=True)]
    return Reference(tuple(shares), _play_shares(data), _prediction_shares(data, held_out, calibration))


def _edges(attribute: Attribute, values: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the deciles of a numeric attribute, or the most frequent categories of a categorical one."""
    known = values[np.isfinite(values)].astype(np.float64)
    if attribute.kind == "numeric":
        return _deciles(known)
    frequent = np.argsort(-np.bincount(known.astype(np.int64), minlength=attribute.width), kind="stable")
    return tuple(sorted(float(number) for number in frequent[:MOST_CATEGORIES]))


def _play_shares(data: Dataset) -> PlayShares:
    """Return the histogram of the number of plays per rater, without raters who have no plays."""
    plays = data.play_table.plays[data.raters]
    counted = plays[plays > 0].astype(np.float64)
    edges = _deciles(counted)
    return PlayShares(edges, _shares(in_bins(counted, edges)))


def _prediction_shares(
    data: Dataset, held_out: Mapping[tuple[MemberEvidence, MovieEvidence], HeldOutRows], calibration: Calibration
) -> dict[str, PredictionShares]:
    """Return histograms of predicted ratings, interval widths and extrapolation by kind of member evidence."""
    scale = data.schema.scale
    values_of: dict[str, dict[str, Array]] = {name: {} for name in PREDICTION_QUANTITIES}
    for (member, movie), rows in held_out.items():
        if movie is MovieEvidence.RATED and len(rows.rating):
            evidence = np.full(len(rows.rating), int(movie), np.int8)
            lower, upper, _ = predict_intervals(
                calibration, member, rows.rating, rows.deviation, evidence, rows.plays, rows.extrapolation, scale
            )
            _, first = np.unique(rows.member, return_index=True)
            values_of["rating"][kind_name(member)] = (rows.rating - scale.low) / scale.span
            values_of["interval_width"][kind_name(member)] = (upper - lower) / scale.span
            values_of["extrapolation"][kind_name(member)] = rows.extrapolation[first]
    edges = {name: _deciles(_evenly(list(of_kinds.values()))) for name, of_kinds in values_of.items()}
    edges["extrapolation"] = (0.25, 0.5, 0.75, *FAR)
    return {
        name: PredictionShares(
            edges[name], {kind: _shares(in_bins(values, edges[name])) for kind, values in of_kinds.items()}
        )
        for name, of_kinds in values_of.items()
    }


def _evenly(parts: Sequence[Array]) -> Array:
    """Join 1000 quantiles of each part, so that all parts have equal weight."""
    shares = (np.arange(1000) + 0.5) / 1000
    return np.concatenate([np.quantile(part, shares) for part in parts])


def _deciles(values: Array) -> tuple[float, ...]:
    """Return the distinct deciles that are below the largest value, ascending."""
    if not len(values):
        return ()
    ends = np.unique(np.quantile(values, DECILES, method="inverted_cdf"))
    return tuple(ends[ends < values.max()].tolist())


def _shares(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the smoothed counts as shares that sum to 1."""
    shares: Array = (counts + FEW) / (counts.sum() + FEW * len(counts))
    return tuple(shares.tolist())
