"""Which calls may compute when more come than can be answered: some now, a few soon, the rest are refused at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from service.errors import DeadlinePassed, Overloaded
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.telemetry.metrics.labels import CallClass

RETRY_SECONDS = 0.1
"""What a caller who is refused is told to wait about; it doubles with every so many who are refused in a row."""
LONGEST_RETRY_SECONDS = 2.0
REFUSALS_A_DOUBLING = 64
SPACING_SHARE = 0.05
"""Share of one call in the mean time between two ends while calls compute, which tells how long a queue will take."""
SLOWER_SHARE = 0.05
FASTER_SHARE = 0.3
"""Share of one call in how long calls of a method take; quicker downwards, so that a slow moment is soon forgotten."""


@dataclass(eq=False)
class Turn:
    """One call's turn to compute, for an `async with` block.

    Entering waits for the turn. It raises Overloaded, or DeadlinePassed when the caller's remaining time ends first.
    """

    admission: "Admission"
    kind: CallClass
    method: str
    cost: float
    """How much work it is, in small calls."""
    remaining_seconds: float | None
    """Until the caller's deadline; None without one."""
    asked: float = 0.0
    """When it was asked for, on the admission's clock."""
    began: float = 0.0
    """When it began."""

    async def __aenter__(self) -> Self:
        await self.admission.enter(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.admission.leave(self)


class Admission:
    """Lets calls compute while their cost together is within an adaptive limit. Belongs to one event loop."""

    def __init__(
        self,
        limit: AdaptiveLimit,
        queue_calls: int,
        queue_seconds: float,
        clock: Callable[[], float],
        chance: Callable[[], float],
        shed: Callable[[CallClass, str], None],
    ) -> None:
        """At most `queue_calls` of each kind wait; interactive ones at most `queue_seconds`.

        `chance` gives numbers from 0 to 1, which spread the moments at which those who are refused come again. `shed`
        is told of each call that is not computed, with one of `SHED_REASONS`.
        """
        self._limit = limit
        self._queue_calls = queue_calls
        self._queue_seconds = queue_seconds
        self._clock = clock
        self._chance = chance
        self.shed = shed
        self.in_flight = 0.0
        """Cost of the calls that compute."""
        self._turns = 0
        self._queues: dict[CallClass, deque[tuple[Turn, asyncio.Future[None]]]] = {kind: deque() for kind in CallClass}
        self._refused_in_a_row = 0
        self._spacing_seconds = 0.0
        self._last_end = clock()
        self._seconds_of: dict[str, float] = {}

    @property
    def limit(self) -> int:
        """What the cost of the calls that compute may be at most."""
        return self._limit.value

    def queued(self, kind: CallClass) -> int:
        """Calls of a kind that wait for their turn."""
        return len(self._queues[kind])

    def check(self, kind: CallClass) -> None:
        """Raises Overloaded for a call that would be refused, before its message is read.

        That half of the longest wait is expected is too much: what was only estimated then seldom passes all of it.
        """
        if len(self._queues[kind]) >= self._queue_calls or (
            kind is CallClass.INTERACTIVE and self._expected_wait(kind) > self._queue_seconds / 2
        ):
            raise self._refusal(kind, "full")

    async def enter(self, turn: Turn) -> None:
        """Take a turn as soon as there is one."""
        turn.asked = self._clock()
        if self._would_be_late(turn):
            raise self._refusal(turn.kind, "deadline")
        if not self._fits(turn) or self._queues[CallClass.INTERACTIVE] or self._queues[turn.kind]:
            await self._queue(turn)
        else:
            self._take(turn)
        self._refused_in_a_row = 0

    def leave(self, turn: Turn) -> None:
        """Give a turn back, and let those that wait have it."""
        now = self._clock()
        took = now - turn.asked
        usual = self._seconds_of.get(turn.method, took)
        self._seconds_of[turn.method] = usual + (SLOWER_SHARE if took > usual else FASTER_SHARE) * (took - usual)
        if turn.kind is CallClass.INTERACTIVE:
            under_way = self._turns + sum(map(len, self._queues.values()))
            self._limit.ended(turn.method, took, under_way)
        spacing = now - max(self._last_end, turn.began)
        self._spacing_seconds += SPACING_SHARE * (spacing - self._spacing_seconds)
        self._last_end = now
        self._turns -= 1
        self.in_flight = self.in_flight - turn.cost if self._turns else 0.0  # sums of fractions don't end at 0
        self._wake()

    def _fits(self, turn: Turn) -> bool:
        """Whether it may compute beside the others; what is dearer than the limit may so alone."""
        return not self._turns or self.in_flight + turn.cost <= self._limit.value

    def _would_be_late(self, turn: Turn) -> bool:
        """Whether it would be computed in vain, while others wait for theirs; a call alone shows how long it takes."""
        remaining = turn.remaining_seconds
        return bool(self._turns) and remaining is not None and remaining < self._seconds_of.get(turn.method, 0.0)

    def _take(self, turn: Turn) -> None:
        turn.began = self._clock()
        self.in_flight += turn.cost
        self._turns += 1

    def _expected_wait(self, kind: CallClass) -> float:
        """Seconds until a call that comes now has its turn; for a bulk one at least."""
        return len(self._queues[kind]) * self._spacing_seconds

    async def _queue(self, turn: Turn) -> None:
        """Wait for the turn, or refuse at once where the wait would be too long."""
        kind = turn.kind
        self.check(kind)
        bounds = (self._queue_seconds if kind is CallClass.INTERACTIVE else None, turn.remaining_seconds)
        longest = min((bound for bound in bounds if bound is not None), default=None)
        if longest is not None and self._expected_wait(kind) > longest:
            raise self._refusal(kind, "full")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues[kind].append((turn, future))
        try:
            async with asyncio.timeout(longest):
                await future
        except TimeoutError:
            if self._gave_up(turn, future):
                if longest == turn.remaining_seconds:
                    self.shed(kind, "deadline")
                    raise DeadlinePassed from None
                raise self._refusal(kind, "waited") from None
        except asyncio.CancelledError:
            if self._gave_up(turn, future):
                self.shed(kind, "cancelled")
            else:
                self.leave(turn)
            raise

    def _gave_up(self, turn: Turn, future: "asyncio.Future[None]") -> bool:
        """Take a call out of its queue; False where its turn had just come."""
        if future.done() and not future.cancelled():
            return False
        queue = self._queues[turn.kind]
        if (turn, future) in queue:
            queue.remove((turn, future))
            self._wake()
        return True

    def _wake(self) -> None:
        """Give turns to those that wait: interactive calls first, of each kind the oldest."""
        for queue in self._queues.values():
            while queue:
                turn, future = queue[0]
                if not future.done() and not self._fits(turn):
                    return
                queue.popleft()
                if not future.done():  # else its caller has just given up
                    self._take(turn)
                    future.set_result(None)

    def _refusal(self, kind: CallClass, reason: str) -> Overloaded:
        self.shed(kind, reason)
        self._refused_in_a_row += 1
        doublings = min(self._refused_in_a_row // REFUSALS_A_DOUBLING, 10)
        longest = min(RETRY_SECONDS * 2.0**doublings, LONGEST_RETRY_SECONDS)
        return Overloaded(longest * (0.5 + self._chance() / 2))
