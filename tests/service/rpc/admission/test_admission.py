"""Admission: which calls compute, wait and are refused, on a clock that the tests turn."""

import asyncio
from collections import Counter

import pytest

from service.errors import DeadlinePassed, Overloaded
from service.rpc.admission.adaptive_limit import AdaptiveLimit
from service.rpc.admission.admission import Admission, Turn
from service.telemetry.metrics.labels import CallClass


class World:
    """An admission, its clock and a count of the calls that it shed."""

    def __init__(self, limit=2, queue_calls=3, queue_seconds=0.05, most=None):
        self.now = 0.0
        self.shed = Counter()
        self.log = []
        adaptive = AdaptiveLimit(limit, most or limit)
        self.admission = Admission(
            adaptive, queue_calls, queue_seconds, lambda: self.now, lambda: 0.5,
            lambda kind, reason: self.shed.update([(kind, reason)]),
        )  # fmt: skip

    @property
    def in_flight(self):
        return self.admission.in_flight

    @property
    def queued(self):
        return {kind: self.admission.queued(kind) for kind in CallClass}

    def turn(self, kind=CallClass.INTERACTIVE, cost=1.0, remaining=None):
        return Turn(self.admission, kind, "Method", cost, remaining)

    async def call(self, name, release, kind=CallClass.INTERACTIVE, cost=1.0, remaining=None):
        async with self.turn(kind, cost, remaining):
            self.log.append(name)
            await release.wait()

    async def hold(self, count, release, **turn):
        """Calls that compute until the event."""
        tasks = [asyncio.create_task(self.call(number, release, **turn)) for number in range(count)]
        await settle()
        return tasks


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_calls_compute_at_once_within_the_limit_and_wait_beyond_it():
    async def test():
        world, release = World(limit=2), asyncio.Event()
        tasks = await world.hold(4, release)
        assert (world.log, world.in_flight, world.queued[CallClass.INTERACTIVE]) == ([0, 1], 2, 2)
        release.set()
        await asyncio.gather(*tasks)
        assert (world.log, world.in_flight, world.queued[CallClass.INTERACTIVE]) == ([0, 1, 2, 3], 0, 0)
        assert not world.shed

    asyncio.run(test())


def test_a_call_that_finds_the_queue_full_is_refused_at_once_with_a_time_to_come_again():
    async def test():
        world, release = World(limit=1, queue_calls=2), asyncio.Event()
        tasks = await world.hold(3, release)
        with pytest.raises(Overloaded) as refused:
            await world.call("late", release)
        assert 0.05 <= refused.value.retry_seconds <= 0.1
        with pytest.raises(Overloaded):
            world.admission.check(CallClass.INTERACTIVE)
        world.admission.check(CallClass.BULK)
        assert world.shed == {(CallClass.INTERACTIVE, "full"): 2}
        release.set()
        await asyncio.gather(*tasks)

    asyncio.run(test())


def test_retry_delays_are_longer_the_more_are_refused_but_never_long():
    async def test():
        world, release = World(limit=1, queue_calls=1, queue_seconds=10), asyncio.Event()
        tasks = await world.hold(2, release)
        delays = []
        for _ in range(1000):
            with pytest.raises(Overloaded) as refused:
                world.admission.check(CallClass.INTERACTIVE)
            delays.append(refused.value.retry_seconds)
        assert delays == sorted(delays)
        assert delays[0] < 0.1
        assert 1 < delays[-1] <= 2
        release.set()
        await asyncio.gather(*tasks)
        tasks = await world.hold(2, release)
        await asyncio.gather(*tasks)
        assert world.admission._refusal(CallClass.INTERACTIVE, "full").retry_seconds < 0.1

    asyncio.run(test())


def test_interactive_calls_go_before_bulk_ones_that_wait_longer():
    async def test():
        world, release = World(limit=1), asyncio.Event()
        held = await world.hold(1, release)
        bulk = [asyncio.create_task(world.call(f"bulk {number}", release, CallClass.BULK)) for number in range(2)]
        await settle()
        interactive = asyncio.create_task(world.call("interactive", release))
        await settle()
        release.set()
        await asyncio.gather(*held, *bulk, interactive)
        assert world.log == [0, "interactive", "bulk 0", "bulk 1"]

    asyncio.run(test())


def test_a_bulk_request_waits_as_long_as_it_takes():
    async def test():
        world, release = World(limit=1, queue_seconds=0.001), asyncio.Event()
        held = await world.hold(1, release)
        bulk = asyncio.create_task(world.call("bulk", release, CallClass.BULK))
        await asyncio.sleep(0.05)
        assert not bulk.done()
        release.set()
        await asyncio.gather(*held, bulk)

    asyncio.run(test())


def test_a_dear_call_takes_the_place_of_several_and_may_compute_alone_whatever_it_costs():
    async def test():
        world, release = World(limit=4), asyncio.Event()
        held = await world.hold(2, release, cost=3.0)
        assert (world.log, world.in_flight) == ([0], 3)
        release.set()
        await asyncio.gather(*held)
        release.clear()
        held = await world.hold(1, release, cost=100.0)
        assert world.in_flight == 100
        release.set()
        await asyncio.gather(*held)

    asyncio.run(test())


def test_a_wait_that_lasts_too_long_ends_with_a_refusal():
    async def test():
        world, release = World(limit=1), asyncio.Event()
        held = await world.hold(1, release)
        with pytest.raises(Overloaded):
            await world.call("waits", release)
        assert world.shed == {(CallClass.INTERACTIVE, "waited"): 1}
        assert world.queued[CallClass.INTERACTIVE] == 0
        release.set()
        await asyncio.gather(*held)

    asyncio.run(test())


def test_a_call_whose_deadline_passes_in_the_queue_is_never_computed():
    async def test():
        world, release = World(limit=1, queue_seconds=10), asyncio.Event()
        held = await world.hold(1, release)
        with pytest.raises(DeadlinePassed):
            await world.call("waits", release, remaining=0.02)
        assert world.shed == {(CallClass.INTERACTIVE, "deadline"): 1}
        release.set()
        await asyncio.gather(*held)
        assert world.log == [0]

    asyncio.run(test())


def test_a_call_that_would_not_have_its_turn_before_its_deadline_is_refused_at_once():
    async def test():
        world, release = World(limit=1, queue_calls=100, queue_seconds=100), asyncio.Event()
        for _ in range(200):
            async with world.turn():
                world.now += 1.0  # computing takes a second
        held = await world.hold(4, release)
        with pytest.raises(Overloaded):
            await world.call("hurried", release, remaining=2)
        patient = asyncio.create_task(world.call("patient", release, remaining=50))
        await settle()
        release.set()
        await asyncio.gather(*held, patient)
        assert world.log == [0, 1, 2, 3, "patient"]

    asyncio.run(test())


def test_a_call_that_would_not_be_answered_before_its_deadline_is_not_computed_while_others_are():
    async def test():
        world, release = World(limit=10), asyncio.Event()
        for _ in range(100):
            async with world.turn():
                world.now += 1.0
        held = await world.hold(1, release, remaining=0.5)
        with pytest.raises(Overloaded):
            await world.call("hurried", release, remaining=0.5)
        assert world.shed == {(CallClass.INTERACTIVE, "deadline"): 1}
        patient = asyncio.create_task(world.call("patient", release, remaining=2))
        await settle()
        release.set()
        await asyncio.gather(*held, patient)
        assert world.log == [0, "patient"], "the first, which nobody has to wait for, shows how long it takes now"
        for _ in range(20):
            async with world.turn(remaining=0.5):
                world.now += 0.01
        release.clear()
        held = await world.hold(2, release, remaining=0.5)
        assert world.in_flight == 2, "a slow time is soon forgotten"
        release.set()
        await asyncio.gather(*held)

    asyncio.run(test())


def test_a_queue_that_would_take_too_long_is_full_however_few_wait_in_it():
    async def test():
        world, release = World(limit=1, queue_calls=100, queue_seconds=4), asyncio.Event()
        for _ in range(200):
            async with world.turn():
                world.now += 1.0
        held = await world.hold(4, release)
        with pytest.raises(Overloaded):
            world.admission.check(CallClass.INTERACTIVE)
        release.set()
        await asyncio.gather(*held)

    asyncio.run(test())


def test_a_call_that_its_caller_gives_up_in_the_queue_leaves_its_place_to_others():
    async def test():
        world, release = World(limit=1, queue_calls=1), asyncio.Event()
        held = await world.hold(1, release)
        given_up = asyncio.create_task(world.call("given up", release))
        await settle()
        given_up.cancel()
        await settle()
        assert world.shed == {(CallClass.INTERACTIVE, "cancelled"): 1}
        waits = asyncio.create_task(world.call("waits", release))
        await settle()
        release.set()
        await asyncio.gather(*held, waits)
        assert world.log == [0, "waits"]

    asyncio.run(test())


def test_a_turn_that_comes_in_the_moment_in_which_its_caller_gives_up_is_not_lost():
    async def test():
        for give_up_first in (True, False):
            world, release = World(limit=1), asyncio.Event()
            held = await world.hold(1, release)
            waits = asyncio.create_task(world.call("waits", release))
            await settle()
            if give_up_first:
                waits.cancel()
            release.set()
            await asyncio.sleep(0)
            waits.cancel()
            await asyncio.gather(*held, waits, return_exceptions=True)
            assert world.in_flight == 0
            async with world.turn():
                assert world.in_flight == 1

    asyncio.run(test())


def test_an_error_gives_the_turn_back():
    async def test():
        world = World(limit=1)
        with pytest.raises(ValueError, match="broken"):
            async with world.turn():
                raise ValueError("broken")
        assert world.in_flight == 0

    asyncio.run(test())
