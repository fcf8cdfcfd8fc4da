"""Answers at once what several calls ask at the same time."""

import asyncio
import os
from collections.abc import Callable
from typing import NamedTuple

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.evidence import MemberEvidence
from model.facts.member_record import MemberRecord
from model.prediction.model import Rows
from service.models.loading import Served
from service.models.shadow import Shadow
from service.requests.decode import PredictionQuery
from service.requests.encode import prediction_responses
from service.telemetry.metrics.service_metrics import Metrics

MOST_CALLS = 24
MOST_ROWS = 600
"""So many calls, or movies of all calls, take some milliseconds together, in which other calls wait."""
PATIENCE = 8
"""So many turns of the event loop without a further call mean that none is on its way: gRPC takes several turns to hand
over a call, and one call after the other. A turn without anything to do takes about five microseconds."""
LONE_CALLS = 16
"""After so many calls that came alone, one waits to see whether others come by now; else calls that follow alone don't
wait at all."""

YIELD_SECONDS = 0.0005
"""gRPC's threads take less to bring the next call: longer, and another process has had the core."""
CROWDED_BATCHES = 256
"""So many batches aren't waited for in that way then, since each time costs what the scheduler gives to others."""


class Told(NamedTuple):
    """An answer."""

    response: bytes
    evidence: MemberEvidence
    """What was known of the member."""


class Waiting(NamedTuple):
    """A call that waits for its answer."""

    served: Served
    request: pb.PredictEnjoymentRequest
    recorded: MemberRecord | None
    answer: "asyncio.Future[Told | PredictionQuery]"

    @property
    def size(self) -> int:
        """How many movies it asks for."""
        return len(self.request.movie_ids)


class Together:
    """Answers at once all calls that come in together; a call on its own hardly waits.

    A call's answer is the same bit by bit whoever comes with it. Under load this saves most of the processor time of an
    answer: what is done for each array costs more than what is done for each of its numbers, and what is done again at
    once finds its code and tables in the core's caches.
    """

    def __init__(self, metrics: Metrics, shadow: Shadow, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._shadow = shadow
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._seen = 0
        self._quiet_turns = 0
        self._patience = 0
        self._lone = 0
        self._crowded = 0

    async def answer(
        self, served: Served, request: pb.PredictEnjoymentRequest, recorded: MemberRecord | None
    ) -> Told | PredictionQuery:
        """The answer; the request only decoded where the movies aren't all of the catalogue and new to the member."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Told | PredictionQuery] = loop.create_future()
        self._waiting.append(Waiting(served, request, recorded, mine))
        if len(self._waiting) == 1:
            loop.call_soon(self._turn)
        return await mine

    def _turn(self) -> None:
        """Waits for a further call, or answers those that came first and leaves the rest to the next turn."""
        if len(self._waiting) == self._seen:
            self._quiet_turns += 1
        else:
            self._quiet_turns, self._seen = 0, len(self._waiting)
        if self._quiet_turns < self._patience and self._seen < MOST_CALLS:
            if self._quiet_turns and not self._crowded:
                self._yield()
            asyncio.get_running_loop().call_soon(self._turn)
            return
        taken, rows = 0, 0
        while taken < min(self._seen, MOST_CALLS) and (not taken or rows + self._waiting[taken].size <= MOST_ROWS):
            rows += self._waiting[taken].size
            taken += 1
        turn, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._seen = self._quiet_turns = 0
        self._crowded = max(self._crowded - 1, 0)
        self._lone = self._lone + 1 if taken == 1 else 0
        self._patience = PATIENCE if self._lone % LONE_CALLS == 0 else 0
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        self._answer([one for one in turn if not one.answer.done()])  # else cancelled meanwhile

    def _yield(self) -> None:
        """Give the core to gRPC's own threads, where they share it; not again soon where another process takes it."""
        began = self._clock()
        os.sched_yield()
        if self._clock() - began > YIELD_SECONDS:
            self._crowded = CROWDED_BATCHES

    def _answer(self, calls: list[Waiting]) -> None:
        began = self._clock()
        known: list[tuple[Waiting, PredictionQuery]] = []
        for call in calls:
            try:
                asked = call.served.decode.prediction(call.request, call.recorded)
            except BaseException as error:  # noqa: BLE001 # whatever it is, it is the call that has to be told
                call.answer.set_exception(error)
                continue
            if asked.catalogue_rows is None or asked.played_count:
                call.answer.set_result(asked)
            else:
                known.append((call, asked))
        if known:
            self._metrics.stage("decode", (self._clock() - began) / len(calls), len(known))
        for served in {id(call.served): call.served for call, _ in known}.values():
            self._predict(served, [(call, asked) for call, asked in known if call.served is served])

    def _predict(self, served: Served, known: list[tuple[Waiting, PredictionQuery]]) -> None:
        began = self._clock()
        spent: dict[str, float] = {}

        def finished(stage: str) -> None:
            nonlocal began
            now = self._clock()
            spent[stage] = spent.get(stage, 0.0) + now - began
            began = now

        try:
            rows = [Rows(asked.member, asked.catalogue_rows) for _, asked in known if asked.catalogue_rows is not None]
            found = served.model.predict_together(rows, finished)
            movie_ids, unused = [asked.movie_ids for _, asked in known], [asked.unused for _, asked in known]
            responses = prediction_responses(movie_ids, found, unused, served.model.version)
            answers = [Told(response, one.member_evidence) for response, one in zip(responses, found, strict=True)]
        except BaseException as error:  # noqa: BLE001 # as above
            if len(known) == 1:
                known[0][0].answer.set_exception(error)
                return
            for one in known:  # so that only the call that is to blame fails
                self._predict(served, [one])
            return
        finished("encode")
        for (call, _), answer in zip(known, answers, strict=True):
            call.answer.set_result(answer)
        for stage, seconds in spent.items():
            self._metrics.stage(stage, seconds / len(known), len(known))
        self._metrics.models.answered_by(served.label, len(known))
        for (call, asked), predicted in zip(known, found, strict=True):
            self._metrics.not_used(asked.unused)
            self._metrics.answered(predicted, served.model.schema.scale)
            self._metrics.drift.count(served.model, asked.member, asked.unused.unseen_positions, predicted)
            self._shadow.answered(call.request, call.recorded, served, predicted)
