"""Partitions: ranges of members that hold about equally many plays."""

import numpy as np
from numpy.typing import NDArray

PARTITION_PLAYS = 500_000
"""Number of plays, of which each rating is one, at which a partition ends. A partition holds fewer only if it is the
last, and more only by the plays of its last member. At this size, the arrays of a partition take about 100 MB."""


def partition_members(plays: NDArray[np.int64], most_plays: int = PARTITION_PLAYS) -> tuple[slice, ...]:
    """Return consecutive ranges that together hold all N members, given the number of plays of each (N,).

    The ranges depend on nothing else, so that sums over partitions are the same wherever they are computed.
    """
    ends = np.cumsum(plays)
    ranges, start = [], 0
    while start < len(plays):
        before = ends[start - 1] if start else 0
        stop = min(int(np.searchsorted(ends, before + most_plays)) + 1, len(plays))
        ranges.append(slice(start, stop))
        start = stop
    return tuple(ranges)
