"""How raters, taken for never-raters, tell of themselves and are answered: what the service compares requests with."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.movies import MEMBER
from features.schema import Attribute
from model.facts.evidence import MemberEvidence, MovieEvidence
from model.prediction.calibration import FAR, Calibration
from model.prediction.drift_reference import (
    TOLD,
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
"""So many attributes are watched, those known of most raters, so that metrics stay small."""
MOST_CATEGORIES = 20
"""So many categories have a bin of their own, the most frequent ones."""
DECILES = np.arange(0.1, 0.95, 0.1)
FEW = 0.5
"""Added to the count of each bin, so that an index is finite even where no rater is in one."""


def fit_reference(
    data: Dataset, held: Mapping[tuple[MemberEvidence, MovieEvidence], HeldOutRows], calibration: Calibration
) -> Reference:
    """The reference of a dataset; `held` are predictions of raters whom what made them had not seen."""
    attributes = data.schema.member_attributes
    values = data.attributes[data.raters]
    values = values[np.isfinite(values).any(axis=1)]
    known = np.isfinite(values).sum(axis=0)
    watched = sorted(np.argsort(-known, kind="stable")[:MOST_ATTRIBUTES].tolist())
    bins = [(place, _edges(attributes[place], values[:, place])) for place in watched]
    counts = Binning(attributes, bins).counts(values)
    shares = [AttributeShares(place, edges, _shares(found)) for (place, edges), found in zip(bins, counts, strict=True)]
    return Reference(tuple(shares), _play_shares(data), _prediction_shares(data, held, calibration))


def _edges(attribute: Attribute, values: NDArray[np.float32]) -> tuple[float, ...]:
    """Ends of bins that hold a tenth of the raters each, or the most frequent categories."""
    known = values[np.isfinite(values)].astype(np.float64)
    if attribute.kind == "numeric":
        return _deciles(known)
    frequent = np.argsort(-np.bincount(known.astype(np.int64), minlength=attribute.width), kind="stable")
    return tuple(sorted(float(number) for number in frequent[:MOST_CATEGORIES]))


def _play_shares(data: Dataset) -> PlayShares:
    plays = np.bincount(data.plays[MEMBER].to_numpy(), minlength=len(data.member_ids))[data.raters]
    counted = plays[plays > 0].astype(np.float64)
    edges = _deciles(counted)
    return PlayShares(edges, _shares(in_bins(counted, edges)))


def _prediction_shares(
    data: Dataset, held: Mapping[tuple[MemberEvidence, MovieEvidence], HeldOutRows], calibration: Calibration
) -> dict[str, PredictionShares]:
    scale = data.schema.scale
    found: dict[str, dict[str, Array]] = {name: {} for name in TOLD}
    for (member, movie), rows in held.items():
        if movie is MovieEvidence.RATED and len(rows.rating):
            evidence = np.full(len(rows.rating), int(movie))
            lower, upper, _ = predict_intervals(
                calibration, member, rows.rating, rows.deviation, evidence, rows.plays, rows.extrapolation, scale
            )
            _, first = np.unique(rows.member, return_index=True)
            found["rating"][kind_name(member)] = (rows.rating - scale.low) / scale.span
            found["interval_width"][kind_name(member)] = (upper - lower) / scale.span
            found["extrapolation"][kind_name(member)] = rows.extrapolation[first]
    edges = {name: _deciles(_evenly(list(of_kinds.values()))) for name, of_kinds in found.items()}
    edges["extrapolation"] = (0.25, 0.5, 0.75, *FAR)
    return {
        name: PredictionShares(
            edges[name], {kind: _shares(in_bins(values, edges[name])) for kind, values in of_kinds.items()}
        )
        for name, of_kinds in found.items()
    }


def _evenly(parts: Sequence[Array]) -> Array:
    """As many quantiles of each part."""
    shares = (np.arange(1000) + 0.5) / 1000
    return np.concatenate([np.quantile(part, shares) for part in parts])


def _deciles(values: Array) -> tuple[float, ...]:
    """Ascending values of which each has a tenth more below it than the one before, none of them the highest."""
    if not len(values):
        return ()
    ends = np.unique(np.quantile(values, DECILES, method="inverted_cdf"))
    return tuple(ends[ends < values.max()].tolist())


def _shares(counts: NDArray[np.int64]) -> tuple[float, ...]:
    shares: Array = (counts + FEW) / (counts.sum() + FEW * len(counts))
    return tuple(shares.tolist())
