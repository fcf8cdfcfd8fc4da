"""What a compiled kernel would save: a sweep's sums over ratings by scipy, as they are, and by numba.

`pip install numba` first; the project itself doesn't use it. `python -m benchmarks.kernels [--members 30000]` measures
both in turn on made-up ratings of 17,770 movies, as many for each member as in the Netflix Prize, on all cores.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model.cores import usable_cores

MOVIES, RATINGS_OF_MEMBER, FACTORS = 17_770, 155, 18
PACKED = FACTORS * (FACTORS + 1) // 2
ROUNDS = 5

Single = NDArray[np.float32]
Sums = Callable[[sparse.csr_array, Single], Single]


def main() -> None:
    """Measure both kernels, check that they agree, and print nanoseconds for each rating and their ratio as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=30_000, help="number of members of each partition")
    members = parser.parse_args().members
    random = np.random.default_rng(0)
    threads = usable_cores()
    ratings = [_ratings(members, random) for _ in range(threads)]
    moments = random.standard_normal((MOVIES, PACKED)).astype(np.float32)
    by_numba, compile_seconds = _compiled(ratings[0][:10], moments)
    kernels: dict[str, Sums] = {"scipy": _by_scipy, "numba": by_numba}
    sums = [kernel(ratings[0], moments) for kernel in kernels.values()]
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-3, atol=1e-2)
    seconds: dict[str, list[float]] = {name: [] for name in kernels}
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            for name, kernel in kernels.items():
                started = time.perf_counter()
                list(pool.map(kernel, ratings, [moments] * threads))
                seconds[name].append(time.perf_counter() - started)
    count = sum(matrix.nnz for matrix in ratings)
    each = {name: 1e9 * threads * statistics.median(taken) / count for name, taken in seconds.items()}
    ratio = statistics.median(ours / other for ours, other in zip(seconds["numba"], seconds["scipy"], strict=True))
    report = {"ratings": count, "threads": threads, "nanoseconds_of_core_per_rating": each, "numba_to_scipy": ratio}
    print(json.dumps(report | {"compile_seconds": compile_seconds}, indent=2))


def _ratings(members: int, random: np.random.Generator) -> sparse.csr_array:
    """Return (members, MOVIES) ratings of movies drawn by a Zipf-like popularity."""
    popularity = 1 / (np.arange(MOVIES) + 50)
    drawn = random.choice(MOVIES, (members, RATINGS_OF_MEMBER), p=popularity / popularity.sum())
    values = random.standard_normal(drawn.size).astype(np.float32)
    starts = np.arange(0, drawn.size + 1, RATINGS_OF_MEMBER, dtype=np.int32)
    return sparse.csr_array((values, np.sort(drawn).ravel().astype(np.int32), starts), shape=(members, MOVIES))


def _by_scipy(ratings: sparse.csr_array, moments: Single) -> Single:
    counts = sparse.csr_array((np.ones_like(ratings.data), ratings.indices, ratings.indptr), shape=ratings.shape)
    return np.asarray(counts @ moments)


def _compiled(ratings: sparse.csr_array, moments: Single) -> tuple[Sums, float]:
    """Return the kernel that numba compiles, and how many seconds that takes."""
    from numba import njit

    def add_up(indices: NDArray[Any], starts: NDArray[Any], moments: Single) -> Single:
        sums = np.zeros((len(starts) - 1, moments.shape[1]), np.float32)
        for row in range(len(starts) - 1):
            for place in range(starts[row], starts[row + 1]):
                movie = indices[place]
                for column in range(moments.shape[1]):
                    sums[row, column] += moments[movie, column]
        return sums

    compiled = njit(nogil=True, fastmath=True)(add_up)

    def by_numba(ratings: sparse.csr_array, moments: Single) -> Single:
        return np.asarray(compiled(ratings.indices, ratings.indptr, moments))

    started = time.perf_counter()
    by_numba(ratings, moments)
    return by_numba, time.perf_counter() - started


if __name__ == "__main__":
    main()
