"""Work on data in memory runs in threads, and its results come in order."""

import threading
import time

import pytest

from model.cores import usable_cores
from training.data.passes.side_by_side import side_by_side


def test_results_come_in_the_order_of_the_elements():
    last = threading.Event()

    def product(left, right):
        if left == 0 and usable_cores() > 1:
            assert last.wait(10)  # the first call ends after the others
        if left == 4:
            last.set()
        return left * right

    assert side_by_side(product, range(5), [2, 3, 4, 5, 6]) == [0, 3, 8, 15, 24]
    assert side_by_side(product, [], []) == []


def test_sequences_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        side_by_side(max, [1, 2], [1])


def test_a_failure_ends_the_work_before_the_calls_that_wait():
    called = []

    def fail(number):
        called.append(number)
        if number == 0:
            raise LookupError(number)
        time.sleep(0.01)

    with pytest.raises(LookupError, match="0"):
        side_by_side(fail, range(10_000))
    assert len(called) < 10_000
