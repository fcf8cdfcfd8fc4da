"""Admission control: under overload, some calls run, a few wait in a queue, and the rest are refused immediately."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from service.errors import DeadlinePassed, Overloaded
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.telemetry.metrics.labels import CallClass

RETRY_SECONDS = 0.1
"""Maximum retry delay of the first refusals, in seconds."""
LONGEST_RETRY_SECONDS = 2.0
REFUSALS_PER_DOUBLING = 64
"""Number of consecutive refusals after which the retry delay doubles."""
SPACING_WEIGHT = 0.05
"""Smoothing factor of the average time between the ends of two calls, from which the wait in a queue is predicted."""
SLOWER_WEIGHT = 0.05
FASTER_WEIGHT = 0.3
"""Smoothing factors of the average duration of a method, for calls slower and faster than the average.

Faster calls have a larger weight, so that a short slow period is soon forgotten.
"""


@dataclass(eq=False)
class Turn:
    """One call's permission to run, used in an `async with` block that holds the work.

    Entering the block waits until the call may run. Raises Overloaded if the call is refused, and DeadlinePassed if the
    caller's deadline passes during the wait.
    """

    admission: "Admission"
    call_class: CallClass
    method: str
    cost: float
    """Estimated amount of work, in units of a small call."""
    remaining_seconds: float | None
    """Time until the caller's deadline on arrival; None if the call has no deadline."""
    arrived: float = 0.0
    """Time of arrival, in seconds on the clock of Admission."""
    began: float = 0.0
    """Time at which the call began to run, in seconds on the clock of Admission."""

    async def __aenter__(self) -> Self:
        await self.admission.enter(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.admission.leave(self)


class Admission:
    """Decides which calls run, wait or are refused, by an adaptive limit on the total cost of those that run.

    Must be used from a single event loop.
    """

    def __init__(
        self,
        limit: AdaptiveLimit,
        queue_calls: int,
        queue_seconds: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        shed: Callable[[CallClass, str], None],
    ) -> None:
        """Start without running or waiting calls.

        Args:
            limit: Limit of the total cost of running calls.
            queue_calls: Maximum number of waiting calls of each class.
            queue_seconds: Maximum time that an interactive call waits.
            clock: Returns seconds from an arbitrary origin.
            random: Returns uniform random numbers from 0 to 1, for the jitter of retry delays.
            shed: Called for each call that never runs, with its class and one of `SHED_REASONS`.
        """
        self._limit = limit
        self._queue_calls = queue_calls
        self._queue_seconds = queue_seconds
        self._clock = clock
        self._random = random
        self.shed = shed
        self.in_flight = 0.0
        """Total cost of the running calls, in units of a small call."""
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
        """Maximum total cost of the running calls, in units of a small call."""
        return self._limit.value

    def queued(self, call_class: CallClass) -> int:
        """Return the number of waiting calls of a class (interactive or bulk)."""
        return len(self._queues[call_class])

    def check(self, call_class: CallClass) -> None:
        """Raise Overloaded if a new call would be refused. May be called before the message of the call is read.

        A call is refused if its expected wait is more than half of the maximum wait, so that few calls reach the
        maximum.
        """
        if len(self._queues[call_class]) >= self._queue_calls or (
            call_class is CallClass.INTERACTIVE and self._expected_wait(call_class) > self._queue_seconds / 2
        ):
            raise self._refusal(call_class, "full")

    async def enter(self, turn: Turn) -> None:
        """Wait until the call may run, and count it as running.

        Raises Overloaded if the call is refused, and DeadlinePassed if the caller's deadline passes during the wait.
        """
        turn.arrived = self._clock()
        if self._would_be_late(turn):
            raise self._refusal(turn.call_class, "deadline")
        if not self._fits(turn) or self._queues[CallClass.INTERACTIVE] or self._queues[turn.call_class]:
            await self._queue(turn)
        else:
            self._take(turn)
        self._refused_in_a_row = 0

    def leave(self, turn: Turn) -> None:
        """Count the call as ended, and let waiting calls run that now fit."""
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
        self.in_flight = self.in_flight - turn.cost if self._turns else 0.0  # float sums might not return to exactly 0
        self._wake()

    def _fits(self, turn: Turn) -> bool:
        """Return whether the call may run along with the running calls. A call that exceeds the limit may run alone."""
        return not self._turns or self.in_flight + turn.cost <= self._limit.value

    def _would_be_late(self, turn: Turn) -> bool:
        """Return whether the call is expected to end after its deadline.

        False if no other call is running, so that at least one call updates the average duration.
        """
        remaining = turn.remaining_seconds
        return bool(self._turns) and remaining is not None and remaining < self._mean_seconds.get(turn.method, 0.0)

    def _take(self, turn: Turn) -> None:
        turn.began = self._clock()
        self.in_flight += turn.cost
        self._turns += 1

    def _expected_wait(self, call_class: CallClass) -> float:
        """Return the expected wait of a call that arrives now, in seconds; for bulk calls, a lower bound."""
        return len(self._queues[call_class]) * self._spacing_seconds

    async def _queue(self, turn: Turn) -> None:
        """Let the call wait in the queue of its class until it may run.

        Raises Overloaded if the wait is or is expected to be too long, and DeadlinePassed if the caller's deadline
        passes during the wait.
        """
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
        """Remove a call from its queue and return True. Return False if it has already begun to run."""
        if future.done() and not future.cancelled():
            return False
        queue = self._queues[turn.call_class]
        if (turn, future) in queue:
            queue.remove((turn, future))
            self._wake()
        return True

    def _wake(self) -> None:
        """Let waiting calls run that fit: interactive calls first, and in each class the oldest first."""
        for queue in self._queues.values():
            while queue:
                turn, future = queue[0]
                if not future.done() and not self._fits(turn):
                    return
                queue.popleft()
                if not future.done():  # otherwise the caller has just cancelled it
                    self._take(turn)
                    future.set_result(None)

    def _refusal(self, call_class: CallClass, reason: str) -> Overloaded:
        self.shed(call_class, reason)
        self._refused_in_a_row += 1
        doublings = min(self._refused_in_a_row // REFUSALS_PER_DOUBLING, 10)
        longest = min(RETRY_SECONDS * 2.0**doublings, LONGEST_RETRY_SECONDS)
        return Overloaded(longest * (0.5 + self._random() / 2))
