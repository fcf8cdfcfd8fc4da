"""Dynamic batching: decodes, predicts and encodes in one pass for the calls that arrive together."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.member_record import MemberRecord
from model.prediction.model import Rows
from model.prediction.predictions import Predictions
from service.models.loading import Served
from service.requests.decode import PredictionQuery
from service.requests.encode import prediction_responses
from service.telemetry.metrics.service_metrics import Metrics

INLINE_MOVIES = 200
"""Requests for more movies take milliseconds, in which all other calls would wait, and so run in a thread."""
MAX_CALLS = 24
MAX_MOVIES = 600
"""Calls and movies of a batch at most: it takes some milliseconds, in which other calls wait."""
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


@dataclass(slots=True, eq=False)
class PredictionCall:
    """A call of PredictEnjoyment, which each step takes further."""

    served: Served
    request: pb.PredictEnjoymentRequest
    record: MemberRecord | None
    """The member's record in a store beside the model."""
    query: PredictionQuery = field(init=False)
    """The decoded request."""
    answer: Answer | None = None
    """None before the prediction."""


class Pending(NamedTuple):
    """A call that waits for its batch."""

    call: PredictionCall
    done: "asyncio.Future[None]"


class PredictionBatcher:
    """Processes all calls that arrive together in one pass; a call on its own hardly waits.

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

    async def process(self, call: PredictionCall) -> None:
        """Decode the request of a call, and predict its answer where its movies are unplayed ones of the catalogue.

        Raises InvalidRequest.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._pending.append(Pending(call, done))
        if len(self._pending) == 1:
            loop.call_soon(self._iterate)
        await done

    def _iterate(self) -> None:
        """Wait for a further call, or process the first batch and leave the other calls to the next iteration."""
        loop = asyncio.get_running_loop()
        if self._expects_more():
            if self._quiet_iterations and not self._contended_batches:
                self._yield()
            loop.call_soon(self._iterate)
            return
        batch = self._take_batch()
        if self._pending:
            loop.call_soon(self._iterate)
        self._process([pending for pending in batch if not pending.done.done()])  # a cancelled call's is done

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
        """Give the core to gRPC's own threads, where they share it; not again soon where another process takes it."""
        began = self._clock()
        os.sched_yield()
        if self._clock() - began > YIELD_SECONDS:
            self._contended_batches = CONTENDED_BATCHES

    def _process(self, batch: Sequence[Pending]) -> None:
        """Decode all requests, then predict in one pass for each model."""
        began = self._clock()
        decoded = [pending for pending in batch if _decode(pending)]
        if decoded:
            self._metrics.answers.time_stage("decode", (self._clock() - began) / len(batch), len(decoded))
        predictable = []
        for pending in decoded:
            if _fits_a_batch(pending.call.query):
                predictable.append(pending)
            else:
                pending.done.set_result(None)
        for served in {id(call.served): call.served for call, _ in predictable}.values():
            self._answer(served, [pending for pending in predictable if pending.call.served is served])

    def _answer(self, served: Served, batch: Sequence[Pending]) -> None:
        """Predict the answers of calls to one model; an error of the pass goes only to the call that causes it."""
        try:
            answers = self._predict(served, [pending.call.query for pending in batch])
        except BaseException as error:  # noqa: BLE001 # whatever it is, it belongs to a call
            if len(batch) == 1:
                batch[0].done.set_exception(error)
            else:
                for pending in batch:
                    self._answer(served, [pending])
            return
        for (call, done), answer in zip(batch, answers, strict=True):
            call.answer = answer
            done.set_result(None)

    def _predict(self, served: Served, queries: Sequence[PredictionQuery]) -> list[Answer]:
        """Predict and encode; measures each stage as an equal share for every call."""
        began = self._clock()
        stage_seconds: dict[str, float] = {}

        def finished(stage: str) -> None:
            nonlocal began
            now = self._clock()
            stage_seconds[stage] = stage_seconds.get(stage, 0.0) + now - began
            began = now

        rows = [Rows(query.member, query.catalogue_rows) for query in queries if query.catalogue_rows is not None]
        predictions = served.model.predict_together(rows, finished)
        movie_ids, unused = [query.movie_ids for query in queries], [query.unused for query in queries]
        responses = prediction_responses(movie_ids, predictions, unused, served.model.version)
        finished("encode")
        for stage, seconds in stage_seconds.items():
            self._metrics.answers.time_stage(stage, seconds / len(queries), len(queries))
        return [Answer(*answer) for answer in zip(predictions, responses, strict=True)]


def _decode(pending: Pending) -> bool:
    """Decode the request of a call; False where that fails, which ends the call."""
    call = pending.call
    try:
        call.query = call.served.decode.prediction(call.request, call.record)
    except BaseException as error:  # noqa: BLE001 # whatever it is, it belongs to the call
        pending.done.set_exception(error)
        return False
    return True


def _fits_a_batch(query: PredictionQuery) -> bool:
    """Whether its movies are few, of the catalogue, and none that the member has played."""
    rows = query.catalogue_rows
    return rows is not None and len(rows) <= INLINE_MOVIES and not query.played_count
