"""Counts what requests tell and what they are answered in the bins of the model's reference, for the supervisor."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from model.facts.facts import MemberFacts
from model.prediction.drift_reference import BEYOND_FAR, TOLD, in_bins, kind_name, told
from model.prediction.model import Model
from model.prediction.predictions import Predictions
from service.telemetry.backlog import Backlog
from service.telemetry.drift.drift_index import BinCounts, DriftCounts

AT_ONCE = 256
"""So many requests are counted together: a few microseconds each, however many attributes there are."""
ATTRIBUTE, PLAYS = "attribute", "plays"


class Item(NamedTuple):
    """What is kept of a request until it is counted."""

    model: Model
    attributes: NDArray[np.float32]
    """(A,) as the model saw them."""
    plays: int
    """Of movies that the catalogue has."""
    unseen: Sequence[int]
    """Positions of attributes whose value is in a category that the model has not seen."""
    predictions: Predictions | None
    """None where the movies are the model's own choice."""


class DriftCounter:
    """What a worker counts of the requests that its current model answers; may be used from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._items: Backlog[Item] = Backlog(self._count, AT_ONCE, registry)
        self._counts: _Counts | None = None
        self._lock = threading.Lock()

    def reset(self, model: Model) -> None:
        """Count requests of this model from now on, and forget those of the one before."""
        with self._lock:
            self._counts = _Counts(model)

    def count(self, model: Model, member: MemberFacts, unseen: Sequence[int], predictions: Predictions | None) -> None:
        """Count a request; `predictions` are None where they are of movies that the model chose itself."""
        self._items.add(Item(model, member.attributes, len(member.movies), unseen, predictions))

    def take(self) -> DriftCounts | None:
        """All that was counted since it was last taken; None without a model."""
        self._items.flush()
        with self._lock:
            counts = self._counts
            if counts is None:
                return None
            self._counts = _Counts(counts.model)
        return counts.told()

    def _count(self, items: list[Item]) -> None:
        with self._lock:
            if self._counts is not None:
                model = self._counts.model
                self._counts.add([item for item in items if item.model is model])


class _Counts:
    """Counts for one model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._binning = model.reference.binning(model.schema)
        self._requests = 0
        self._attributes = [np.zeros(len(one.shares), np.int64) for one in model.reference.attributes]
        self._unseen = np.zeros(len(model.schema.member_attributes), np.int64)
        self._plays = np.zeros(len(model.reference.plays.shares), np.int64)
        self._predictions = {
            name: {kind: np.zeros(len(shares), np.int64) for kind, shares in one.shares.items()}
            for name, one in model.reference.predictions.items()
        }

    def add(self, items: Sequence[Item]) -> None:
        """Members of whom no attribute is known aren't counted with attributes, nor those without plays with plays."""
        if not items:
            return
        self._requests += len(items)
        values = np.stack([item.attributes for item in items])
        unseen = [position for item in items for position in item.unseen]
        telling = np.isfinite(values).any(axis=1) | np.array([bool(item.unseen) for item in items])
        for place, found in enumerate(self._binning.counts(values[telling])):
            self._attributes[place] += found
        if unseen:
            self._unseen += np.bincount(unseen, minlength=len(self._unseen))
        plays = np.array([item.plays for item in items if item.plays], float)
        self._plays += in_bins(plays, self.model.reference.plays.edges)
        self._add_predictions([item.predictions for item in items if item.predictions is not None])

    def _add_predictions(self, answers: Sequence[Predictions]) -> None:
        scale, reference = self.model.schema.scale, self.model.reference.predictions
        for kind in {one.member_evidence for one in answers}:
            of_kind = [one for one in answers if one.member_evidence is kind]
            values = told(of_kind, scale)
            for name in TOLD:
                if kind_name(kind) in self._predictions[name]:
                    self._predictions[name][kind_name(kind)] += in_bins(values[name], reference[name].edges)

    def told(self) -> DriftCounts:
        """The counts beside those that are expected."""
        reference, attributes = self.model.reference, self.model.schema.member_attributes
        tallies = [
            _tally(ATTRIBUTE, attributes[one.position].name, [(counts, one.shares)], int(self._unseen[one.position]))
            for counts, one in zip(self._attributes, reference.attributes, strict=True)
        ]
        tallies.append(_tally(PLAYS, PLAYS, [(self._plays, reference.plays.shares)], 0))
        for name, kinds in self._predictions.items():
            shares = reference.predictions[name].shares
            pairs = [(counts, shares[kind]) for kind, counts in kinds.items()]
            far = sum(int(counts[-BEYOND_FAR:].sum()) for counts in kinds.values()) if name == "extrapolation" else 0
            tallies.append(_tally("prediction", name, pairs, far))
        return DriftCounts(self.model.version, self._requests, tallies)


def _tally(kind: str, name: str, pairs: Sequence[tuple[NDArray[np.int64], Sequence[float]]], noted: int) -> BinCounts:
    counts: Any = sum(counts for counts, _ in pairs)
    expected: Any = sum(counts.sum() * np.array(shares) for counts, shares in pairs)
    return BinCounts(kind, name, counts.tolist(), expected.tolist(), noted)
