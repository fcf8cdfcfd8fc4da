"""Membership inference against the lab's model and against its movie means alone, with and without noise."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.privacy.lab.accountant import Releases, mu_of
from benchmarks.privacy.lab.private_model import PRIVATE, SHARES, UNBOUNDED, Part, fit_private, movie_means, parts_of
from benchmarks.privacy.lab.worlds import World
from benchmarks.privacy.likelihood_ratio import directed_shift, log_likelihood_ratios, memberships, success
from features.movies import PRIOR_RATINGS

Array = NDArray[np.float64]


def attacked(world: World, epsilon: float, delta: float, shadows: int, seed: int) -> dict[str, dict[str, list[float]]]:
    """Return the success of an attack on movie means, which get the whole budget, and of one on the whole model.

    All members are targets, and each model is fitted to a half of them.
    """
    bounds = PRIVATE if np.isfinite(epsilon) else UNBOUNDED
    everybody = _joined(parts_of(world, tested=False, bounds=bounds) + parts_of(world, tested=True, bounds=bounds))
    random = np.random.default_rng([seed, 50])
    member = memberships(shadows, everybody.rated.shape[0], random)
    mu = mu_of(epsilon, delta) if np.isfinite(epsilon) else float("inf")
    genres = np.column_stack([world.genres, np.ones(len(world.genres))]).astype(np.float64)
    means, predicted = [], []
    for number, kept in enumerate(member):
        half = _part(everybody, kept)
        alone = Releases(mu, {"movie means": 1.0}, np.random.default_rng([seed, 51, number]))
        means.append(movie_means([half], genres, alone)[0][everybody.all_rated.indices])
        releases = Releases(mu, SHARES, np.random.default_rng([seed, 52, number]))
        predicted.append(fit_private(world, [half], releases).predict(everybody))
    counts = np.bincount(everybody.all_rated.indices, minlength=len(genres)) / 2
    rows = everybody.all_rated
    all_owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return {
        "movie means": _success(np.stack(means), rows.data, counts[rows.indices], all_owner, member, random),
        "whole model": _success(
            np.stack(predicted), everybody.rated.data, counts[everybody.rated.indices], everybody.owner, member, random
        ),
    }


def _success(
    predictions: Array,
    rating: Array,
    counts: Array,
    owner: NDArray[np.int64],
    member: NDArray[np.bool_],
    random: np.random.Generator,
) -> dict[str, list[float]]:
    expected = (rating - predictions.mean(axis=0)) / (counts + PRIOR_RATINGS)
    statistic = directed_shift(predictions, expected, owner, member.shape[1])
    return success(log_likelihood_ratios(statistic, member), member, random, resamples=50).to_dict()


def _joined(parts: list[Part]) -> Part:
    columns = ("all_rated", "plays", "rated")
    joined = {name: sparse.csr_array(sparse.vstack([getattr(part, name) for part in parts])) for name in columns}
    return Part(np.concatenate([part.attributes for part in parts]), **joined, bounds=parts[0].bounds)


def _part(part: Part, kept: NDArray[np.bool_]) -> Part:
    return Part(part.attributes[kept], part.all_rated[kept], part.plays[kept], part.rated[kept], part.bounds)
