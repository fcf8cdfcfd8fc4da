"""Works out together what several calls ask at the same time."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from model.model import Model, Rows
from model.predictions import Predictions

MOST_CALLS = 16
MOST_ROWS = 400
"""So many calls, or movies of all calls, take some milliseconds together, in which other calls wait."""
PATIENCE = 8
"""So many turns of the event loop without a further call mean that none is on its way: gRPC takes several turns to hand
over a call, and one call after the other. A turn without anything to do takes about ten microseconds."""
LONE_CALLS = 16
"""After so many calls that came alone, one waits to see whether others come by now; else calls that follow alone don't
wait at all."""


class Waiting(NamedTuple):
    """A call that waits for its predictions."""

    model: Model
    rows: Rows
    predictions: asyncio.Future[Predictions]

    @property
    def size(self) -> int:
        """How many movies it asks for."""
        return len(self.rows.rows)


class Together:
    """Predicts at once for all calls that come in together; a call on its own hardly waits.

    A call's answer is the same bit by bit whoever comes with it. Under load this saves a third of the processor time:
    what is done for each array costs more than what is done for each of its numbers.
    """

    def __init__(self, measured: Callable[[str, float, int], None], clock: Callable[[], float]) -> None:
        """`measured` is told of each stage: its seconds, and of how many calls."""
        self._measured = measured
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._seen = 0
        self._quiet_turns = 0
        self._patience = 0
        self._lone = 0

    async def predict(self, model: Model, rows: Rows) -> Predictions:
        """What `model.predict` says."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Predictions] = loop.create_future()
        self._waiting.append(Waiting(model, rows, mine))
        if len(self._waiting) == 1:
            loop.call_soon(self._turn)
        return await mine

    def _turn(self) -> None:
        """Waits for a further call, or answers those that came first and leaves the rest to the next turn."""
        self._quiet_turns = self._quiet_turns + 1 if len(self._waiting) == self._seen else 0
        self._seen = len(self._waiting)
        if self._quiet_turns < self._patience and self._seen < MOST_CALLS:
            asyncio.get_running_loop().call_soon(self._turn)
            return
        taken, rows = 0, 0
        while taken < min(self._seen, MOST_CALLS) and (not taken or rows + self._waiting[taken].size <= MOST_ROWS):
            rows += self._waiting[taken].size
            taken += 1
        turn, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._seen = self._quiet_turns = 0
        self._lone = self._lone + 1 if taken == 1 else 0
        self._patience = PATIENCE if self._lone % LONE_CALLS == 0 else 0
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        wanted = [one for one in turn if not one.predictions.done()]  # else cancelled meanwhile
        for model in {id(one.model): one.model for one in wanted}.values():
            self._answer(model, [one for one in wanted if one.model is model])

    def _answer(self, model: Model, calls: list[Waiting]) -> None:
        try:
            found = self._predict(model, [call.rows for call in calls])
        except BaseException as error:  # noqa: BLE001 # whatever it is, it is the call that has to be told
            if len(calls) == 1:
                calls[0].predictions.set_exception(error)
                return
            for call in calls:  # so that only the call that is to blame fails
                self._answer(model, [call])
            return
        for call, predictions in zip(calls, found, strict=True):
            call.predictions.set_result(predictions)

    def _predict(self, model: Model, rows: list[Rows]) -> list[Predictions]:
        began = self._clock()
        spent: dict[str, float] = {}

        def finished(stage: str) -> None:
            nonlocal began
            now = self._clock()
            spent[stage] = spent.get(stage, 0.0) + now - began
            began = now

        found = model.predict_together(rows, finished)
        for stage, seconds in spent.items():
            self._measured(stage, seconds / len(rows), len(rows))
        return found
