"""Partitions hold every member once, and depend on the numbers of plays alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.passes.partitions import partition_members, rows_of_members


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 30))
def test_each_member_is_in_one_partition_and_only_the_last_is_smaller(plays, most):
    ranges = partition_members(np.array(plays), most)
    assert [member for part in ranges for member in range(part.start, part.stop)] == list(range(len(plays)))
    sizes = [sum(plays[part]) for part in ranges]
    assert all(size >= most for size in sizes[:-1])
    assert all(size - plays[part.stop - 1] < most for size, part in zip(sizes, ranges, strict=True))


def test_rows_of_a_range_of_members_are_consecutive():
    owner = np.array([0, 0, 2, 2, 2, 5])
    rows = rows_of_members(owner, [slice(0, 2), slice(2, 3), slice(3, 5), slice(5, 6)])
    assert rows == (slice(0, 2), slice(2, 5), slice(5, 5), slice(5, 6))


@pytest.mark.parametrize("members", [0, 1])
def test_hardly_any_members(members):
    assert partition_members(np.zeros(members, np.int64)) == tuple([slice(0, 1)] * members)
