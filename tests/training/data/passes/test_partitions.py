"""Partitions hold every member once, and depend on the numbers of plays alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.passes.partitions import partition_members


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 30))
def test_each_member_is_in_one_partition_and_only_the_last_is_smaller(plays, most):
    ranges = partition_members(np.array(plays), most)
    assert [member for part in ranges for member in range(part.start, part.stop)] == list(range(len(plays)))
    sizes = [sum(plays[part]) for part in ranges]
    assert all(size >= most for size in sizes[:-1])
    assert all(size - plays[part.stop - 1] < most for size, part in zip(sizes, ranges, strict=True))


@pytest.mark.parametrize("members", [0, 1])
def test_hardly_any_members(members):
    assert partition_members(np.zeros(members, np.int64)) == tuple([slice(0, 1)] * members)
