"""A pass gives the same bits wherever and however fast its partitions are worked on."""

import time
from collections.abc import Iterator
from threading import Event, Thread, Timer
from typing import NamedTuple

import numpy as np
import pytest

from training.data.passes.array_files import read_arrays, write_arrays
from training.data.passes.passes import MOST_GROUPS, Passes, groups, passes_in_threads
from training.errors import DamagedPartition, PassesStopped


class Sums(NamedTuple):
    total: np.ndarray
    rows: int


def sums_of(values: np.ndarray, factor: float = 1.0) -> Sums:
    return Sums(factor * values.sum(axis=0), len(values))


def bits(sums: Sums) -> tuple[bytes, int]:
    return sums.total.tobytes(), sums.rows


def sums_after_a_while(values: np.ndarray) -> Sums:
    time.sleep(0.002 * (values[0, 0] % 3))
    return sums_of(values)


@pytest.fixture(scope="module")
def threads() -> Iterator[Passes]:
    with passes_in_threads(3) as passes:
        yield passes


@pytest.fixture(scope="module")
def values() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [np.exp(8 * random.normal(size=(random.integers(1, 9), 5))) for _ in range(61)]


def test_results_are_collected_in_order(threads):
    assert threads.collect(lambda left, right: left - right, range(30, 0, -1), range(30)) == [
        30 - 2 * number for number in range(30)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 20, 61])
def test_one_thread_and_several_give_the_same_bits(threads, values, count):
    with passes_in_threads(1) as single:
        expected = single.sum(sums_of, values[:count])
    assert expected.rows == sum(map(len, values[:count]))
    assert expected.total == pytest.approx(np.concatenate(values[:count]).sum(axis=0))
    for _ in range(3):
        assert bits(threads.sum(sums_after_a_while, values[:count])) == bits(expected)


def test_sequences_beside_the_partitions_are_passed_along(threads, values):
    assert threads.sum(sums_of, values[:2], [1.0, 2.0]).total == pytest.approx(
        values[0].sum(axis=0) + 2 * values[1].sum(axis=0)
    )


def test_an_error_in_a_partition_is_the_error_of_the_pass(threads):
    with pytest.raises(ZeroDivisionError):
        threads.collect(lambda number: 1 // number, [1, 0, 2])


def test_an_end_from_outside_waits_only_for_the_partitions_under_way():
    """As a signal ends a retrain: groups have ten partitions here, and at full size each takes seconds."""
    begun, outcome, ended = [], [], Event()

    def work(number: int) -> None:
        begun.append(number)
        ended.wait()

    def run(passes: Passes) -> None:
        with pytest.raises(PassesStopped):
            passes.collect(work, range(10 * MOST_GROUPS))
        outcome.append("stopped")

    def end_early() -> None:
        with passes_in_threads(2) as passes:
            threads.append(Thread(target=run, args=[passes]))
            threads[0].start()
            while len(begun) < 2:
                time.sleep(0.001)
            Timer(1, ended.set).start()  # long after the end
            raise KeyboardInterrupt

    threads: list[Thread] = []
    with pytest.raises(KeyboardInterrupt):
        end_early()
    threads[0].join()
    assert outcome == ["stopped"]
    assert len(begun) == 2


@pytest.mark.parametrize("given", [False, True])
def test_files_stay_in_a_given_folder_only_and_none_in_memory(tmp_path, given):
    folder = tmp_path if given else None

    def fail_with_files() -> None:
        with passes_in_threads(1, folder) as passes:
            path = passes.folder / "arrays.arrays"
            write_arrays(path, {"numbers": np.arange(3)})
            paths.append(path)
            assert read_arrays(path, dict)["numbers"].tolist() == [0, 1, 2]
            raise ZeroDivisionError

    paths = []
    with pytest.raises(ZeroDivisionError):
        fail_with_files()
    assert paths[0].exists() is paths[0].parent.exists() is given
    if given:
        paths[0].unlink()
    with pytest.raises(DamagedPartition):
        read_arrays(paths[0], dict)


def test_a_pass_needs_sequences_of_equal_length_and_a_sum_at_least_one_partition(threads):
    with pytest.raises(ValueError, match="one element of each sequence"):
        threads.collect(print, [1], [1, 2])
    with pytest.raises(ValueError, match="at least one partition"):
        threads.sum(sums_of, [])
    assert threads.collect(print, []) == []


@pytest.mark.parametrize("count", [1, 23, 24, 25, 400])
def test_partitions_form_groups_of_about_equal_size(count):
    parts = groups(count)
    assert len(parts) == min(count, MOST_GROUPS)
    assert [place for part in parts for place in range(count)[part]] == list(range(count))
    assert {part.stop - part.start for part in parts} <= {count // len(parts), count // len(parts) + 1}
