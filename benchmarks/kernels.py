"""A sweep's sums over the ratings of each member: by scipy, member by member and by movie, and by a compiled kernel.

`pip install numba` first; the project itself doesn't use it. `python -m benchmarks.kernels [--members 2000]` measures
all in turn on made-up ratings of 17,770 movies, as many for each member as in the Netflix Prize, on all cores. The
project has scipy add up movie by movie.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import truediv
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model.cores import usable_cores

MOVIES, RATINGS_OF_MEMBER, FACTORS = 17_770, 155, 18
PACKED = FACTORS * (FACTORS + 1) // 2
ROUNDS = 5

AS_IT_IS = "scipy, by movie"

Single = NDArray[np.float32]
Kernel = Callable[[], Single]


def main() -> None:
    """Measure all kernels, check that they agree, and print nanoseconds for each rating and the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=2000, help="number of members of each partition (default 2000)")
    members = parser.parse_args().members
    random = np.random.default_rng(0)
    moments = random.standard_normal((MOVIES, PACKED)).astype(np.float32)
    threads = usable_cores()
    of_threads = [_kernels(_ratings(members, random), moments) for _ in range(threads)]
    started = time.perf_counter()
    sums = [kernel() for kernel in of_threads[0].values()]
    first_seconds = time.perf_counter() - started
    for other in sums[1:]:
        np.testing.assert_allclose(sums[0], other, rtol=1e-3, atol=1e-2)
    seconds: dict[str, list[float]] = {name: [] for name in of_threads[0]}
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            for name, taken in seconds.items():
                started = time.perf_counter()
                list(pool.map(lambda kernels, name=name: kernels[name](), of_threads))
                taken.append(time.perf_counter() - started)
    count = members * RATINGS_OF_MEMBER
    report = {
        "ratings": count,
        "threads": threads,
        "nanoseconds_of_core_per_rating": {
            name: round(1e9 * statistics.median(taken) / count, 1) for name, taken in seconds.items()
        },
        f"ratio to {AS_IT_IS}": {
            name: round(statistics.median(map(truediv, taken, seconds[AS_IT_IS])), 2) for name, taken in seconds.items()
        },
        "seconds_of_first_calls": round(first_seconds, 1),
    }
    print(json.dumps(report, indent=2))


def _kernels(by_member: sparse.csr_array, moments: Single) -> dict[str, Kernel]:
    """Return functions that add up the moments (M, P) of the movies that each member rated, by name."""
    from numba import njit

    by_movie = by_member.tocsc()
    compiled = njit(nogil=True, fastmath=True)(_sums_by_movie)
    shape = (by_member.shape[0], moments.shape[1])
    return {
        "scipy, by member": lambda: np.asarray(by_member @ moments),
        AS_IT_IS: lambda: np.asarray(by_movie @ moments),
        "numba, by movie": lambda: compiled(by_movie.indices, by_movie.indptr, moments, shape),
    }


def _sums_by_movie(members: NDArray[Any], ends: NDArray[Any], moments: Single, shape: tuple[int, int]) -> Single:
    sums = np.zeros(shape, np.float32)
    for movie in range(len(ends) - 1):
        for place in range(ends[movie], ends[movie + 1]):
            member = members[place]
            for column in range(moments.shape[1]):
                sums[member, column] += moments[movie, column]
    return sums


def _ratings(members: int, random: np.random.Generator) -> sparse.csr_array:
    """Return a (members, MOVIES) 1 for each rating of movies drawn by a Zipf-like popularity."""
    popularity = 1 / (np.arange(MOVIES) + 50)
    drawn = random.choice(MOVIES, (members, RATINGS_OF_MEMBER), p=popularity / popularity.sum())
    starts = np.arange(0, drawn.size + 1, RATINGS_OF_MEMBER, dtype=np.int32)
    ones = np.ones(drawn.size, np.float32)
    return sparse.csr_array((ones, np.sort(drawn).ravel().astype(np.int32), starts), shape=(members, MOVIES))


if __name__ == "__main__":
    main()
