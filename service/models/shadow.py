"""Shadow: the candidate, a new version under test, also predicts some answered requests, for the metrics only."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.stored_member import StoredMember
from model.prediction.predictions import Predictions
from model.store.store import CURRENT
from service.models.loading import Served
from service.telemetry.call_sampling import EvenSampler
from service.telemetry.metrics.service_metrics import Metrics

MOST_WAITING = 32
"""Maximum number of requests that wait to be predicted by the candidate; further ones are skipped to keep the service
fast."""


class Shadow:
    """Lets the candidate predict requests that the current version has answered, and counts the differences."""

    def __init__(self, share: float, candidate: Callable[[], Served | None], metrics: Metrics) -> None:
        """Set up the comparison of the candidate version with the current one.

        Args:
            share: Share of requests to compare, 0 to 1.
            candidate: Returns the candidate; None if there is no candidate.
            metrics: Metrics of this worker.
        """
        self._sampler = EvenSampler(share)
        self._candidate = candidate
        self._metrics = metrics
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._thread = ThreadPoolExecutor(1, "shadow")

    def sample(
        self,
        request: pb.PredictEnjoymentRequest,
        record: StoredMember | None,
        served: Served,
        predictions: Predictions,
    ) -> None:
        """Let the candidate predict an answered request in the background, if the request falls into the share.

        Only requests that the current model has answered are sampled. Does nothing if there is no candidate.
        """
        candidate = self._candidate()
        if candidate is None or served.label != CURRENT or not self._sampler.picks():
            return
        if not self._waiting.acquire(blocking=False):
            self._metrics.models.shadow_ended("left_out")
            return
        try:
            self._thread.submit(self._compare, request, record, candidate, predictions)
        except RuntimeError:  # the server is stopping
            self._waiting.release()

    def close(self) -> None:
        """Drop all requests that are waiting for the candidate."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _compare(
        self,
        request: pb.PredictEnjoymentRequest,
        record: StoredMember | None,
        candidate: Served,
        predictions: Predictions,
    ) -> None:
        try:
            query = candidate.decode.prediction(request, record)
            by_candidate = candidate.model.predict(query.member, query.movies)
            self._metrics.models.shadowed(by_candidate.rating - predictions.rating)
            self._metrics.models.shadow_ended("compared")
        except Exception:  # noqa: BLE001 # a candidate may raise anything; failures are counted
            self._metrics.models.shadow_ended("failed")
        finally:
            self._waiting.release()
