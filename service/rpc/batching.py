"""Dynamic batching: predicts for the calls that arrive together in one pass over the model."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from model.prediction.model import Rows
from model.prediction.predictions import Predictions
from service.models.loading import Served
from service.requests.decode import PredictionQuery
from service.requests.encode import prediction_responses
from service.telemetry.metrics.service_metrics import Metrics

MAX_CALLS = 24
MAX_MOVIES = 600
"""Calls, or movies of all calls, in a batch: it takes some milliseconds, in which other calls wait."""
QUIET_ITERATIONS = 8
"""Iterations of the event loop without a further call after which none is expected to be on its way: gRPC takes several
to deliver a call, and delivers one call after the other. An idle iteration takes about five microseconds."""
LONE_CALLS = 16
"""After so many batches of one call, one waits to see whether others come by now; else such calls don't wait at all."""
YIELD_SECONDS = 0.0005
"""gRPC's threads take less to deliver the next call: longer, and another process has had the core."""
CONTENDED_BATCHES = 256
"""Batches for which `sched_yield` is skipped after contention, since each costs what the scheduler gives to others."""


class Answer(NamedTuple):
    """The answer of one call."""

    predictions: Predictions
    response: bytes
    """An encoded PredictEnjoymentResponse."""


class Pending(NamedTuple):
    """A call that waits for its answer."""

    served: Served
    query: PredictionQuery
    rows: Rows
    answer: "asyncio.Future[Answer]"


class PredictionBatcher:
    """Predicts in one pass for all calls that arrive together; a call on its own hardly waits.

    A call's answer is the same bit by bit whichever calls share its batch. Under load this saves most of the processor
    time of an answer: the overhead of each array operation is larger than its work on each number, and repeated
    operations find their code and tables in the core's caches. Belongs to one event loop.
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

    async def predict(self, served: Served, query: PredictionQuery, rows: Rows) -> Answer:
        """The answer of one call, whose movies are `rows` of the catalogue that the member has not played."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._pending.append(Pending(served, query, rows, answer))
        if len(self._pending) == 1:
            loop.call_soon(self._iterate)
        return await answer

    def _iterate(self) -> None:
        """Wait for a further call, or answer the first batch and leave the other calls to the next iteration."""
        loop = asyncio.get_running_loop()
        if self._expects_more():
            if self._quiet_iterations and not self._contended_batches:
                self._yield()
            loop.call_soon(self._iterate)
            return
        batch = self._take_batch()
        if self._pending:
            loop.call_soon(self._iterate)
        self._answer([call for call in batch if not call.answer.done()])  # a cancelled call's is done

    def _expects_more(self) -> bool:
        """Whether further calls are likely to arrive before the batch is full."""
        if len(self._pending) == self._pending_before:
            self._quiet_iterations += 1
        else:
            self._quiet_iterations, self._pending_before = 0, len(self._pending)
        return self._quiet_iterations < self._patience and self._pending_before < MAX_CALLS

    def _take_batch(self) -> list[Pending]:
        """The first calls, within the limits of a batch."""
        calls, movies = 0, 0
        for call in self._pending[:MAX_CALLS]:
            movies += len(call.query.movie_ids)
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
        """Give the core to gRPC's own threads, where they share it; not again soon where another process takes it."""
        began = self._clock()
        os.sched_yield()
        if self._clock() - began > YIELD_SECONDS:
            self._contended_batches = CONTENDED_BATCHES

    def _answer(self, calls: Sequence[Pending]) -> None:
        """Set the answers of all calls, in one pass for each model that they were decoded for."""
        for served in {id(call.served): call.served for call in calls}.values():
            self._answer_by(served, [call for call in calls if call.served is served])

    def _answer_by(self, served: Served, calls: Sequence[Pending]) -> None:
        """Set the answers of calls to one model; an error of the pass goes only to the call that causes it."""
        try:
            answers = self._predict(served, calls)
        except BaseException as error:  # noqa: BLE001 # whatever it is, it belongs to a call
            if len(calls) == 1:
                calls[0].answer.set_exception(error)
            else:
                for call in calls:
                    self._answer_by(served, [call])
            return
        for call, answer in zip(calls, answers, strict=True):
            call.answer.set_result(answer)

    def _predict(self, served: Served, calls: Sequence[Pending]) -> list[Answer]:
        """Predict and encode; measures each stage as an equal share for every call."""
        began = self._clock()
        stage_seconds: dict[str, float] = {}

        def finished(stage: str) -> None:
            nonlocal began
            now = self._clock()
            stage_seconds[stage] = stage_seconds.get(stage, 0.0) + now - began
            began = now

        predictions = served.model.predict_together([call.rows for call in calls], finished)
        movie_ids, unused = [call.query.movie_ids for call in calls], [call.query.unused for call in calls]
        responses = prediction_responses(movie_ids, predictions, unused, served.model.version)
        finished("encode")
        for stage, seconds in stage_seconds.items():
            self._metrics.answers.time_stage(stage, seconds / len(calls), len(calls))
        return [Answer(*answer) for answer in zip(predictions, responses, strict=True)]
