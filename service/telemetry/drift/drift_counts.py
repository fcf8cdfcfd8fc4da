"""Counts a worker's requests and predictions in histograms, which are compared with those of raters to detect drift."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from model.facts.facts import MemberFacts
from model.prediction.drift_reference import (
    BEYOND_FAR,
    PREDICTION_QUANTITIES,
    in_bins,
    kind_name,
    prediction_quantities,
)
from model.prediction.model import Model
from model.prediction.predictions import Predictions
from service.telemetry.backlog import Backlog
from service.telemetry.drift.drift_index import BinCounts, DriftCounts

BATCH_REQUESTS = 256
"""Number of requests counted in one batch, at a few microseconds per request, even with many attributes."""
ATTRIBUTE, PLAYS, PREDICTION = "attribute", "plays", "prediction"


class AnsweredRequest(NamedTuple):
    """What is kept of an answered request until it is counted: the member's data and the predictions."""

    model: Model
    attributes: NDArray[np.float32]
    """(A,) encoded attributes of the member."""
    plays: int
    """Number of the member's plays of movies in the catalogue."""
    unseen_positions: Sequence[int]
    """Positions of the attributes whose category the model has not seen in training."""
    predictions: Predictions | None
    """Predictions of the requested movies; None for a ranking, whose movies the model chose itself."""


class DriftCounter:
    """Counts the requests that a worker's current model answered, by bin of attributes, plays and predictions.

    May be used from any thread.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests: Backlog[AnsweredRequest] = Backlog(self._add, BATCH_REQUESTS, registry)
        self._histograms: _Histograms | None = None
        self._lock = threading.Lock()

    def reset(self, model: Model) -> None:
        """Set all counts to 0, and count in the bins of this model's histograms of raters from now on."""
        with self._lock:
            self._histograms = _Histograms(model)

    def count(
        self, model: Model, member: MemberFacts, unseen_positions: Sequence[int], predictions: Predictions | None
    ) -> None:
        """Count an answered request. Pass None as `predictions` of a ranking, whose movies the model chose itself."""
        request = AnsweredRequest(model, member.attributes, len(member.movies), unseen_positions, predictions)
        self._requests.add(request)

    def take(self) -> DriftCounts | None:
        """Return what was counted since the previous call, and start again at 0. Returns None without a model."""
        self._requests.flush()
        with self._lock:
            histograms = self._histograms
            if histograms is None:
                return None
            self._histograms = _Histograms(histograms.model)
        return histograms.drift_counts()

    def _add(self, requests: list[AnsweredRequest]) -> None:
        with self._lock:
            if self._histograms is not None:
                model = self._histograms.model
                self._histograms.add([request for request in requests if request.model is model])


class _Histograms:
    """Histograms of requests in the bins of one model: of each attribute, of plays and of predictions."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._binning = model.reference.binning(model.schema)
        self._requests = 0
        self._attributes = [np.zeros(len(reference.shares), np.int64) for reference in model.reference.attributes]
        self._unseen = np.zeros(len(model.schema.member_attributes), np.int64)
        self._plays = np.zeros(len(model.reference.plays.shares), np.int64)
        self._predictions = {
            name: {evidence: np.zeros(len(shares), np.int64) for evidence, shares in reference.shares.items()}
            for name, reference in model.reference.predictions.items()
        }

    def add(self, requests: Sequence[AnsweredRequest]) -> None:
        """Count requests in the histograms.

        Members without attributes are left out of the histograms of attributes, and members without plays are left out
        of the histogram of plays.
        """
        if not requests:
            return
        self._requests += len(requests)
        values = np.stack([request.attributes for request in requests])
        unseen = [position for request in requests for position in request.unseen_positions]
        has_attributes = np.isfinite(values).any(axis=1) | np.array([bool(r.unseen_positions) for r in requests])
        for number, counts in enumerate(self._binning.counts(values[has_attributes])):
            self._attributes[number] += counts
        if unseen:
            self._unseen += np.bincount(unseen, minlength=len(self._unseen))
        plays = np.array([request.plays for request in requests if request.plays], float)
        self._plays += in_bins(plays, self.model.reference.plays.edges)
        self._add_predictions([request.predictions for request in requests if request.predictions is not None])

    def _add_predictions(self, predictions: Sequence[Predictions]) -> None:
        scale, reference = self.model.schema.scale, self.model.reference.predictions
        for evidence in {member.member_evidence for member in predictions}:
            values = prediction_quantities(
                [member for member in predictions if member.member_evidence is evidence], scale
            )
            for name in PREDICTION_QUANTITIES:
                histograms = self._predictions[name]
                if kind_name(evidence) in histograms:
                    histograms[kind_name(evidence)] += in_bins(values[name], reference[name].edges)

    def drift_counts(self) -> DriftCounts:
        """Return the histograms of requests together with those expected if members were like raters."""
        reference, attributes = self.model.reference, self.model.schema.member_attributes
        inputs = [
            _bin_counts(
                ATTRIBUTE, attributes[expected.position].name, [(histogram, expected.shares)],
                int(self._unseen[expected.position]),
            )
            for histogram, expected in zip(self._attributes, reference.attributes, strict=True)
        ]  # fmt: skip
        inputs.append(_bin_counts(PLAYS, PLAYS, [(self._plays, reference.plays.shares)], 0))
        for name, histograms in self._predictions.items():
            shares = reference.predictions[name].shares
            pairs = [(counts, shares[evidence]) for evidence, counts in histograms.items()]
            far = sum(int(counts[-BEYOND_FAR:].sum()) for counts, _ in pairs) if name == "extrapolation" else 0
            inputs.append(_bin_counts(PREDICTION, name, pairs, far))
        return DriftCounts(self.model.version, self._requests, inputs)


def _bin_counts(
    kind: str, name: str, histograms: Sequence[tuple[NDArray[np.int64], Sequence[float]]], flagged: int
) -> BinCounts:
    """Return one input's counts by bin, summed over its histograms, with the counts expected from raters' shares."""
    counts: Any = sum(counts for counts, _ in histograms)
    expected: Any = sum(counts.sum() * np.array(shares) for counts, shares in histograms)
    return BinCounts(kind, name, counts.tolist(), expected.tolist(), flagged)
