"""Dynamic batching: calls that arrive at about the same time are decoded, predicted and encoded in one pass."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.stored_member import StoredMember
from model.prediction.model import Rows
from model.prediction.predictions import Predictions
from service.models.loading import Served
from service.requests.decode import PredictionQuery
from service.requests.encode import prediction_responses
from service.telemetry.call_sampling import SampledCall, traced_call
from service.telemetry.metrics.service_metrics import Metrics

INLINE_MOVIES = 200
"""Maximum number of movies in a request that is answered on the event loop.

Larger requests take milliseconds and run in a thread, so that other calls don't wait.
"""
MAX_CALLS = 24
MAX_MOVIES = 600
"""Maximum number of calls and movies in a batch: a batch takes a few milliseconds, during which other calls wait."""
QUIET_ITERATIONS = 8
"""Number of event loop iterations without a new call after which a batch is processed.

gRPC needs several iterations to deliver a call, and delivers calls one by one. An idle iteration takes about five
microseconds.
"""
LONE_CALLS = 16
"""Under light load, one in this many batches of a single call waits for further calls, in case the load has risen.

The other batches of a single call are processed without waiting.
"""
YIELD_SECONDS = 0.0005
"""Duration of `sched_yield` above which another process must have used the core: gRPC's threads need less time."""
CONTENDED_BATCHES = 256
"""Number of batches without `sched_yield` after another process used the core, since yielding then costs too much."""


class Answer(NamedTuple):
    """The answer to one call of PredictEnjoyment: the predictions and the encoded response."""

    predictions: Predictions
    response: bytes
    """An encoded PredictEnjoymentResponse."""


@dataclass(slots=True, eq=False)
class PredictionCall:
    """A call of PredictEnjoyment; the steps of its processing fill in `query` and `answer`."""

    served: Served
    request: pb.PredictEnjoymentRequest
    record: StoredMember | None
    """What an external store holds of the member; None if there is no store or no id."""
    query: PredictionQuery = field(init=False)
    """The decoded request."""
    answer: Answer | None = None
    """The answer to the call; None before the prediction, and if the call can't be part of a batch."""
    traced: SampledCall | None = field(default_factory=traced_call)
    """Takes note of the stages of the call, which must be created in its task; None if it isn't traced."""


class Pending(NamedTuple):
    """A call waiting to be processed in a batch."""

    call: PredictionCall
    done: "asyncio.Future[None]"


class PredictionBatcher:
    """Predicts the calls that arrive at about the same time in one pass. A call that arrives alone hardly waits.

    Answers are bitwise identical whichever other calls are in the batch. Under load, batching saves most of the
    processor time per answer: the overhead of an array operation exceeds the cost per element, and repeated operations
    find their code and tables in the core's caches. Must be used from a single event loop.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._pending: list[Pending] = []
        self._pending_before = 0
        self._quiet_iterations = 0
        self._patience = 0
        self._lone_batches = 0
        self._contended_batches = 0

    async def process(self, call: PredictionCall) -> None:
        """Decode the request of a call and, if the call can be part of a batch, predict its answer.

        Sets `call.query` and `call.answer`. Raises InvalidRequest if the request is malformed.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._pending.append(Pending(call, done))
        if len(self._pending) == 1:
            loop.call_soon(self._iterate)
        await done

    def _iterate(self) -> None:
        """Wait for further calls, or process one batch and leave the remaining calls to the next iteration."""
        loop = asyncio.get_running_loop()
        if self._expects_more():
            if self._quiet_iterations and not self._contended_batches:
                self._yield()
            loop.call_soon(self._iterate)
            return
        batch = self._take_batch()
        if self._pending:
            loop.call_soon(self._iterate)
        self._process([pending for pending in batch if not pending.done.done()])  # cancelled calls are done

    def _expects_more(self) -> bool:
        """Return whether to wait for further calls before processing a batch."""
        if len(self._pending) == self._pending_before:
            self._quiet_iterations += 1
        else:
            self._quiet_iterations, self._pending_before = 0, len(self._pending)
        return self._quiet_iterations < self._patience and self._pending_before < MAX_CALLS

    def _take_batch(self) -> list[Pending]:
        """Remove and return the oldest calls, up to the limits of a batch."""
        calls, movies = 0, 0
        for call, _ in self._pending[:MAX_CALLS]:
            movies += len(call.request.movie_ids)
            if calls and movies > MAX_MOVIES:
                break
            calls += 1
        batch, self._pending = self._pending[:calls], self._pending[calls:]
        self._pending_before = self._quiet_iterations = 0
        self._contended_batches = max(self._contended_batches - 1, 0)
        self._lone_batches = self._lone_batches + 1 if calls == 1 else 0
        self._patience = QUIET_ITERATIONS if self._lone_batches % LONE_CALLS == 0 else 0
        return batch

    def _yield(self) -> None:
        """Yield the core to gRPC's threads. If another process used it, don't yield for `CONTENDED_BATCHES` batches."""
        began = self._clock()
        os.sched_yield()
        if self._clock() - began > YIELD_SECONDS:
            self._contended_batches = CONTENDED_BATCHES

    def _process(self, batch: Sequence[Pending]) -> None:
        """Decode the requests of a batch, then predict in one pass per model."""
        began = self._clock()
        decoded = [pending for pending in batch if _decode(pending)]
        if decoded:
            now = self._clock()
            self._metrics.answers.time_stage("decode", (now - began) / len(batch), len(decoded))
            _trace([pending.call for pending in decoded], "decode", began, now)
        predictable = []
        for pending in decoded:
            if _fits_a_batch(pending.call.query):
                predictable.append(pending)
            else:
                pending.done.set_result(None)
        for served in {id(call.served): call.served for call, _ in predictable}.values():
            self._answer(served, [pending for pending in predictable if pending.call.served is served])

    def _answer(self, served: Served, batch: Sequence[Pending]) -> None:
        """Answer the calls of a batch to one model.

        After an error, retry each call separately, so that only the faulty call fails.
        """
        try:
            answers = self._predict(served, [pending.call for pending in batch])
        except BaseException as error:  # noqa: BLE001 # whatever the error is, a call caused it
            if len(batch) == 1:
                batch[0].done.set_exception(error)
            else:
                for pending in batch:
                    self._answer(served, [pending])
            return
        for (call, done), answer in zip(batch, answers, strict=True):
            call.answer = answer
            done.set_result(None)

    def _predict(self, served: Served, calls: Sequence[PredictionCall]) -> list[Answer]:
        """Predict for the decoded requests of a batch and encode the answers.

        For the metrics, the duration of each stage is divided equally among the calls; traces show it whole.
        """
        began = self._clock()
        queries = [call.query for call in calls]
        stage_seconds: dict[str, float] = {}

        def finished(stage: str) -> None:
            nonlocal began
            now = self._clock()
            stage_seconds[stage] = stage_seconds.get(stage, 0.0) + now - began
            _trace(calls, stage, began, now)
            began = now

        rows = [Rows(query.member, query.catalogue_rows) for query in queries if query.catalogue_rows is not None]
        predictions = served.model.predict_together(rows, finished)
        movie_ids, unused = [query.movie_ids for query in queries], [query.unused for query in queries]
        responses = prediction_responses(movie_ids, predictions, unused, served.model)
        finished("encode")
        for stage, seconds in stage_seconds.items():
            self._metrics.answers.time_stage(stage, seconds / len(queries), len(queries))
        return [Answer(*answer) for answer in zip(predictions, responses, strict=True)]


def _decode(pending: Pending) -> bool:
    """Decode the request of a call. If this fails, end the call with the error and return False."""
    call = pending.call
    try:
        call.query = call.served.decode.prediction(call.request, call.record)
    except BaseException as error:  # noqa: BLE001 # whatever the error is, the call caused it
        pending.done.set_exception(error)
        return False
    return True


def _trace(calls: Sequence[PredictionCall], stage: str, began: float, ended: float) -> None:
    """Note a stage of a batch in those of its calls that are traced."""
    for call in calls:
        if call.traced is not None:
            call.traced.add_stage(stage, began, ended)


def _fits_a_batch(query: PredictionQuery) -> bool:
    """Return whether a request can be in a batch: at most INLINE_MOVIES movies, all in the catalogue and unplayed."""
    rows = query.catalogue_rows
    return rows is not None and len(rows) <= INLINE_MOVIES and not query.played_count
