"""A share of the answered requests is scored by the candidate too, off the answer path; only metrics tell of it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.member_record import MemberRecord
from model.prediction.predictions import Predictions
from model.store.store import CURRENT
from service.models.loading import Served
from service.telemetry.metrics.service_metrics import Metrics

MOST_WAITING = 32
"""Requests that may wait to be scored again; further ones are left out, so that a busy service stays as quick."""


class Shadow:
    """Compares the candidate with the current model on requests that the current one has answered."""

    def __init__(self, share: float, candidate: Callable[[], Served | None], metrics: Metrics) -> None:
        """`share` is 0 to 1; `candidate` gives the candidate, where there is one."""
        self._share = share
        self._owed = 0.0
        self._candidate = candidate
        self._metrics = metrics
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._thread = ThreadPoolExecutor(1, "shadow")

    def answered(
        self,
        request: pb.PredictEnjoymentRequest,
        recorded: MemberRecord | None,
        served: Served,
        predictions: Predictions,
    ) -> None:
        """Score a request again if it is its turn: every so many requests, one."""
        candidate = self._candidate()
        if candidate is None or served.label != CURRENT:
            return
        self._owed += self._share
        if self._owed < 1:
            return
        self._owed -= 1
        if not self._waiting.acquire(blocking=False):
            self._metrics.models.shadow_ended("left_out")
            return
        try:
            self._thread.submit(self._compare, request, recorded, candidate, predictions)
        except RuntimeError:  # the server is stopping
            self._waiting.release()

    def close(self) -> None:
        """Score no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _compare(
        self,
        request: pb.PredictEnjoymentRequest,
        recorded: MemberRecord | None,
        candidate: Served,
        predictions: Predictions,
    ) -> None:
        try:
            asked = candidate.decode.prediction(request, recorded)
            found = candidate.model.predict(asked.member, asked.movies)
            self._metrics.models.shadowed(found.rating - predictions.rating)
            self._metrics.models.shadow_ended("compared")
        except Exception:  # noqa: BLE001 # a candidate may do anything; it is told in the metric
            self._metrics.models.shadow_ended("failed")
        finally:
            self._waiting.release()
