"""The limit of calls in flight: it follows what the machine can bear."""

from service.rpc.admission.adaptive_limit import AdaptiveLimit


def learned(limit, seconds_of, calls=3000):
    """The limit after calls that keep it busy, where a call among so many others takes so long."""
    for _ in range(200):
        limit.ended("Method", seconds_of(1), 1)
    for _ in range(calls):
        limit.ended("Method", seconds_of(limit.value), limit.value)
    return limit.value


def test_the_limit_rises_while_calls_beside_each_other_are_as_fast_as_alone():
    assert learned(AdaptiveLimit(1, 50), lambda _: 0.01) == 50


def test_the_limit_sinks_to_its_floor_where_calls_only_hold_each_other_up():
    assert learned(AdaptiveLimit(4, 50), lambda under_way: 0.01 * under_way) == 4


def test_the_limit_settles_where_the_machine_has_no_more_to_give():
    assert 8 <= learned(AdaptiveLimit(1, 200), lambda under_way: 0.01 * max(under_way / 8, 1)) <= 32


def test_the_limit_recovers_after_an_overload():
    limit = AdaptiveLimit(2, 50)
    assert learned(limit, lambda under_way: 0.01 * under_way) <= 4
    assert learned(limit, lambda _: 0.01) == 50


def test_the_limit_does_not_rise_while_few_calls_come():
    limit = AdaptiveLimit(1, 50)
    for _ in range(1000):
        limit.ended("Method", 0.01, 2)
    assert limit.value == 16


def test_methods_that_take_longer_by_nature_do_not_look_like_overload():
    limit = AdaptiveLimit(1, 50)
    for method, seconds in (("fast", 0.001), ("slow", 0.1)):
        for _ in range(200):
            limit.ended(method, seconds, 1)
    for _ in range(1000):
        limit.ended("fast", 0.001, limit.value)
        limit.ended("slow", 0.1, limit.value)
    assert limit.value == 50
