"""Admission control: under overload some calls compute now, a few wait in a queue, the rest are refused at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from service.errors import DeadlinePassed, Overloaded
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.telemetry.metrics.labels import CallClass

RETRY_SECONDS = 0.1
"""Retry delay of the first refusals."""
LONGEST_RETRY_SECONDS = 2.0
REFUSALS_PER_DOUBLING = 64
"""Refusals in a row after which the delay doubles."""
SPACING_WEIGHT = 0.05
"""Smoothing factor of the moving mean of the time between two ends of calls, which predicts the wait in a queue."""
SLOWER_WEIGHT = 0.05
FASTER_WEIGHT = 0.3
"""Smoothing factors of the moving mean of a method's duration; a faster call weighs more, to forget a slow moment."""


@dataclass(eq=False)
class Turn:
    """One call's turn to compute, for an `async with` block.

    Entering waits for the turn. It raises Overloaded, or DeadlinePassed when the caller's remaining time ends first.
    """

    admission: "Admission"
    call_class: CallClass
    method: str
    cost: float
    """Amount of work, in small calls."""
    remaining_seconds: float | None
    """Time until the caller's deadline; None without one."""
    arrived: float = 0.0
    """Time of arrival, on the admission's clock."""
    began: float = 0.0
    """Time at which the turn began."""

    async def __aenter__(self) -> Self:
        await self.admission.enter(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.admission.leave(self)


class Admission:
    """Lets calls compute while their total cost is within an adaptive limit. Belongs to one event loop."""

    def __init__(
        self,
        limit: AdaptiveLimit,
        queue_calls: int,
        queue_seconds: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        shed: Callable[[CallClass, str], None],
    ) -> None:
        """At the start nothing computes.

        Args:
            limit: Of the total cost of calls that compute.
            queue_calls: Calls of each class that may wait.
            queue_seconds: How long an interactive call may wait.
            clock: Gives seconds from any origin.
            random: Gives uniform numbers from 0 to 1, which jitter retry delays.
            shed: Called for each call that is not computed, with one of `SHED_REASONS`.
        """
        self._limit = limit
        self._queue_calls = queue_calls
        self._queue_seconds = queue_seconds
        self._clock = clock
        self._random = random
        self.shed = shed
        self.in_flight = 0.0
        """Total cost of the calls that compute."""
        self._turns = 0
        self._queues: dict[CallClass, deque[tuple[Turn, asyncio.Future[None]]]] = {
            call_class: deque() for call_class in CallClass
        }
        self._refused_in_a_row = 0
        self._spacing_seconds = 0.0
        self._last_end = clock()
        self._mean_seconds: dict[str, float] = {}

    @property
    def limit(self) -> int:
        """Largest total cost of the calls that compute."""
        return self._limit.value

    def queued(self, call_class: CallClass) -> int:
        """Number of calls of a class that wait for their turn."""
        return len(self._queues[call_class])

    def check(self, call_class: CallClass) -> None:
        """Raises Overloaded for a call that would be refused, before its message is read.

        Half of the longest wait is the limit for the expected one, so that few calls exceed the longest.
        """
        if len(self._queues[call_class]) >= self._queue_calls or (
            call_class is CallClass.INTERACTIVE and self._expected_wait(call_class) > self._queue_seconds / 2
        ):
            raise self._refusal(call_class, "full")

    async def enter(self, turn: Turn) -> None:
        """Take a turn as soon as there is one."""
        turn.arrived = self._clock()
        if self._would_be_late(turn):
            raise self._refusal(turn.call_class, "deadline")
        if not self._fits(turn) or self._queues[CallClass.INTERACTIVE] or self._queues[turn.call_class]:
            await self._queue(turn)
        else:
            self._take(turn)
        self._refused_in_a_row = 0

    def leave(self, turn: Turn) -> None:
        """Give a turn back, and let those that wait have it."""
        now = self._clock()
        took = now - turn.arrived
        mean = self._mean_seconds.get(turn.method, took)
        self._mean_seconds[turn.method] = mean + (SLOWER_WEIGHT if took > mean else FASTER_WEIGHT) * (took - mean)
        if turn.call_class is CallClass.INTERACTIVE:
            in_system = self._turns + sum(map(len, self._queues.values()))
            self._limit.ended(turn.method, took, in_system)
        spacing = now - max(self._last_end, turn.began)
        self._spacing_seconds += SPACING_WEIGHT * (spacing - self._spacing_seconds)
        self._last_end = now
        self._turns -= 1
        self.in_flight = self.in_flight - turn.cost if self._turns else 0.0  # sums of floats don't end at 0
        self._wake()

    def _fits(self, turn: Turn) -> bool:
        """Whether the call may compute beside the others; one above the limit may compute alone."""
        return not self._turns or self.in_flight + turn.cost <= self._limit.value

    def _would_be_late(self, turn: Turn) -> bool:
        """Whether the call would end after its deadline; never of a call alone, which shows how long calls take now."""
        remaining = turn.remaining_seconds
        return bool(self._turns) and remaining is not None and remaining < self._mean_seconds.get(turn.method, 0.0)

    def _take(self, turn: Turn) -> None:
        turn.began = self._clock()
        self.in_flight += turn.cost
        self._turns += 1

    def _expected_wait(self, call_class: CallClass) -> float:
        """Expected seconds until the turn of a call that arrives now; for a bulk call a lower bound."""
        return len(self._queues[call_class]) * self._spacing_seconds

    async def _queue(self, turn: Turn) -> None:
        """Wait for the turn; raises Overloaded at once where the wait would be too long."""
        call_class = turn.call_class
        self.check(call_class)
        bounds = (self._queue_seconds if call_class is CallClass.INTERACTIVE else None, turn.remaining_seconds)
        longest = min((bound for bound in bounds if bound is not None), default=None)
        if longest is not None and self._expected_wait(call_class) > longest:
            raise self._refusal(call_class, "full")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues[call_class].append((turn, future))
        try:
            async with asyncio.timeout(longest):
                await future
        except TimeoutError:
            if self._gave_up(turn, future):
                if longest == turn.remaining_seconds:
                    self.shed(call_class, "deadline")
                    raise DeadlinePassed from None
                raise self._refusal(call_class, "waited") from None
        except asyncio.CancelledError:
            if self._gave_up(turn, future):
                self.shed(call_class, "cancelled")
            else:
                self.leave(turn)
            raise

    def _gave_up(self, turn: Turn, future: "asyncio.Future[None]") -> bool:
        """Remove a call from its queue; False where its turn had just begun."""
        if future.done() and not future.cancelled():
            return False
        queue = self._queues[turn.call_class]
        if (turn, future) in queue:
            queue.remove((turn, future))
            self._wake()
        return True

    def _wake(self) -> None:
        """Give turns to waiting calls: interactive calls first, of each class the oldest."""
        for queue in self._queues.values():
            while queue:
                turn, future = queue[0]
                if not future.done() and not self._fits(turn):
                    return
                queue.popleft()
                if not future.done():  # else its caller has just cancelled it
                    self._take(turn)
                    future.set_result(None)

    def _refusal(self, call_class: CallClass, reason: str) -> Overloaded:
        self.shed(call_class, reason)
        self._refused_in_a_row += 1
        doublings = min(self._refused_in_a_row // REFUSALS_PER_DOUBLING, 10)
        longest = min(RETRY_SECONDS * 2.0**doublings, LONGEST_RETRY_SECONDS)
        return Overloaded(longest * (0.5 + self._random() / 2))
