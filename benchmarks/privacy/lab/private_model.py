"""A never-rater model of which every number comes from sums over members, with noise for differential privacy.

It is the smallest model with the parts of the served one: movie means, a prior whose movie factors are public genres,
a few factors learned on top, a regression from facts to tastes, offsets, group effects in place of trees, and
calibration. A member's own plays at request time cost no budget. Constants are chosen by hand and count as public.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.privacy.lab.accountant import Releases
from benchmarks.privacy.lab.worlds import World

Array = NDArray[np.float64]

SHARES: Mapping[str, float] = {
    "movie means": 0.62, "facts": 0.06, "tastes": 0.1, "slopes": 0.02, "factors": 0.02, "offsets": 0.08,
    "group effects": 0.04, "calibration": 0.06,
}  # fmt: skip
"""Share of each release in the squared budget."""
BASE = 3.6
"""Ratings count as their difference from this."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of what one member adds to sums over ratings."""

    clip: float
    """Largest size of a rating's difference from a prediction, or from BASE."""
    most_ratings: float
    """Largest sum of the squared weights of a member's ratings; those of members with more count less."""


PRIVATE, UNBOUNDED = Bounds(1.6, 40), Bounds(10.0, 1e9)
COUNT_SCALE = 0.6
"""Weight of a count beside a sum of ratings in the release of both."""
NOISE, QUALITY, OFFSET, FACTOR = 0.9, 0.25, 0.01, 0.05
"""Variances of ratings about their prediction, of movies' qualities, of offsets, and of movies' factors."""
TASTE_VARIANCE, GENEROSITY_VARIANCE = 0.3, 0.2
FACTS_NORM, TASTE_NORM, SLOPE_NORM, GROUP_NORM, INTERVAL_RATINGS = 2.0, 0.8, 4.0, 6.0, 20
"""Largest lengths of what one member adds to a release; longer vectors are shortened."""
RIDGE, FACTORS, BINS, STEPS, COVERAGE = 20.0, 4, 10, 5, 0.9
CHUNK = 20_000


@dataclass(frozen=True)
class Part:
    """N members of a world, with ratings less BASE and shown plays as sparse matrices (N, M)."""

    attributes: Array
    """(N, W) encoded attributes."""
    all_rated: sparse.csr_array
    """All ratings."""
    plays: sparse.csr_array
    """1 for each rating that is shown as a play."""
    rated: sparse.csr_array
    """The ratings that aren't shown."""

    bounds: Bounds
    """Bounds of what a member adds to sums."""

    @property
    def weight(self) -> Array:
        """(N,) weight of each rating of a member that isn't shown."""
        return weights(self.rated, self.bounds)

    def residual(self, predicted: Array) -> sparse.csr_array:
        """Return the ratings less predictions (R,), clipped."""
        clip = self.bounds.clip
        return self._with(np.clip(self.rated.data - predicted, -clip, clip))

    def ones(self) -> sparse.csr_array:
        """Return 1 for each rating."""
        return self._with(np.ones(len(self.rated.data)))

    def _with(self, values: Array) -> sparse.csr_array:
        return sparse.csr_array((values, self.rated.indices, self.rated.indptr), shape=self.rated.shape)

    @property
    def owner(self) -> NDArray[np.int64]:
        """(R,) whose rating it is."""
        return np.repeat(np.arange(self.rated.shape[0]), np.diff(self.rated.indptr))


def parts_of(world: World, tested: bool, bounds: Bounds = PRIVATE) -> list[Part]:
    """Return the members who are held out, or all others, in parts."""
    members = np.flatnonzero(world.tested == tested)
    shape = len(world.tested), len(world.genres)
    whole = sparse.csr_array((world.rating - BASE, world.movie, world.starts), shape=shape, dtype=np.float32)
    mask = sparse.csr_array((world.shown.astype(np.float32), world.movie, world.starts), shape=shape)
    parts = []
    for start in range(0, len(members), CHUNK):
        own = members[start : start + CHUNK]
        rated, shown = whole[own], mask[own]
        seen = shown.data > 0
        parts.append(
            Part(
                world.attributes[own].astype(np.float64),
                rated,
                _kept(shown, seen, np.ones_like(shown.data)),
                _kept(rated, ~seen, rated.data),
                bounds,
            )
        )
    return parts


def weights(rated: sparse.csr_array, bounds: Bounds) -> Array:
    """Return (N,) weights of each member's ratings, whose squares sum to at most `bounds.most_ratings`."""
    return np.minimum(1, np.sqrt(bounds.most_ratings / np.maximum(np.diff(rated.indptr), 1)))


def _kept(matrix: sparse.csr_array, kept: NDArray[np.bool_], values: NDArray[np.floating]) -> sparse.csr_array:
    """Return a matrix with only some of its stored places, and with these values (R,)."""
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[matrix.indptr]
    return sparse.csr_array((values[kept].astype(np.float64), matrix.indices[kept], ends), shape=matrix.shape)


@dataclass
class PrivateModel:
    """The released numbers and what follows from them."""

    genres: Array
    """(M, H + 1) public columns of the movies, then 1."""
    quality: Array
    """(M,) shrunk mean of each movie, less BASE."""
    popularity: Array
    """(M,) logarithms of the numbers of ratings."""
    facts: Array
    """(D, H + 1) weights from a member's facts to taste in genres and generosity."""
    slopes: Array
    """(2,) factors of taste and of generosity."""
    directions: Array
    """(H + 1, FACTORS) directions of taste in which movies have factors of their own."""
    factors: Array
    """(M, FACTORS) those factors."""
    offsets: Array
    """(M,) mean residuals."""
    effects: Array
    """(G, H) mean residual of each group's members for each genre, less the rest."""
    intervals: Array
    """(BINS, 2) lowest and highest rating of the 90 % intervals by predicted rating."""

    def inputs(self, part: Part) -> Array:
        """Return (N, D) a member's facts: attributes, and what the plays have in common, at most FACTS_NORM long."""
        count = np.asarray(part.plays.sum(axis=1))[:, None]
        columns = np.column_stack([2 * self.genres[:, :-1], self.quality, self.popularity / 4])
        of_plays = np.asarray(part.plays @ columns) / (count + 5)
        constant = np.ones((len(count), 1))
        known = np.concatenate([constant, 0.5 * part.attributes, of_plays, np.log1p(count) / 5], axis=1)
        return shortened(known, FACTS_NORM)

    def tastes(self, part: Part) -> Array:
        """Return (N, H + 1) taste in genres and generosity, predicted from facts."""
        predicted = self.inputs(part) @ self.facts
        return predicted * np.append(np.full(predicted.shape[1] - 1, self.slopes[0]), self.slopes[1])

    def predict(self, part: Part, stage: str = "all") -> Array:
        """Return (R,) predicted ratings, less BASE, of the ratings that aren't shown, up to a stage."""
        owner, movie = part.owner, part.rated.indices
        rating = self.quality[movie].copy()
        if stage == "movie means":
            return rating
        tastes = self.tastes(part)
        rating += _dots(tastes, owner, self.genres, movie)
        if stage == "regression":
            return rating
        rating += _dots(tastes @ self.directions, owner, self.factors, movie)
        if stage == "factors":
            return rating
        rating += self.offsets[movie]
        if stage == "offsets":
            return rating
        groups = part.attributes[:, : len(self.effects)] @ self.effects
        return rating + _dots(groups, owner, self.genres[:, :-1], movie)


STAGES = ("movie means", "regression", "factors", "offsets", "all")


def fit_private(world: World, parts: list[Part], releases: Releases) -> PrivateModel:
    """Fit all parts of the model, one after the other, each to sums with noise."""
    genres = np.column_stack([world.genres, np.ones(len(world.genres))]).astype(np.float64)
    movies, width = len(genres), genres.shape[1]
    quality, counts = movie_means(parts, genres, releases)
    model = PrivateModel(
        genres, quality, np.log1p(np.maximum(counts, 0)) - 4, np.zeros((0, width)), np.ones(2),
        np.zeros((width, FACTORS)), np.zeros((movies, FACTORS)), np.zeros(movies), np.zeros((0, width - 1)),
        np.zeros((BINS, 2)),
    )  # fmt: skip
    _fit_facts(model, parts, releases)
    _fit_slopes(model, parts, releases)
    _fit_factors(model, parts, releases)
    _fit_offsets(model, parts, counts, releases)
    _fit_effects(model, parts, world, releases)
    _fit_intervals(model, parts, releases)
    return model


def movie_means(parts: list[Part], genres: Array, releases: Releases) -> tuple[Array, Array]:
    """Return (M,) shrunk means less BASE, and (M,) noisy numbers of ratings.

    Means are shrunk towards a regression on public columns, by as much as noise and number ask for.
    """
    bounds = parts[0].bounds
    sums, counts = np.zeros(len(genres)), np.zeros(len(genres))
    for part in parts:
        rated = part.all_rated
        weight = np.repeat(weights(rated, bounds), np.diff(rated.indptr))
        sums += np.bincount(rated.indices, weight * np.clip(rated.data, -bounds.clip, bounds.clip), len(genres))
        counts += np.bincount(rated.indices, weight, len(genres))
    sensitivity = float(np.sqrt(bounds.most_ratings * (bounds.clip**2 + COUNT_SCALE**2)))
    noise = releases.deviation("movie means", sensitivity)
    sums, counts = releases.release("movie means", np.stack([sums, COUNT_SCALE * counts]), sensitivity)
    counts = np.maximum(counts / COUNT_SCALE, 0)
    usable = counts > 1
    observed = np.where(usable, sums / np.maximum(counts, 1), 0)
    precision = np.where(
        usable, 1 / (QUALITY + NOISE / np.maximum(counts, 1) + (noise / np.maximum(counts, 1)) ** 2), 0
    )
    weighted = genres * precision[:, None]
    prior = genres @ np.linalg.solve(weighted.T @ genres + 5 * np.eye(genres.shape[1]), weighted.T @ observed)
    gain = QUALITY * counts / (QUALITY * counts**2 + NOISE * counts + noise**2 + 1e-9)
    return prior + (sums - prior * counts) * gain, counts


def _fit_facts(model: PrivateModel, parts: list[Part], releases: Releases) -> None:
    """Regress members' tastes, learned from their ratings alone, on their facts, by noisy normal equations."""
    width = model.genres.shape[1]
    gram: Array | None = None
    right: Array | None = None
    for part in parts:
        inputs, tastes = model.inputs(part), shortened(_learned_tastes(model, part), TASTE_NORM)
        counts = np.diff(part.rated.indptr)
        root = np.sqrt(counts / (counts + 20.0))[:, None]
        of_part = (inputs * root).T @ (inputs * root), (inputs * root).T @ (tastes * root)
        gram, right = of_part if gram is None or right is None else (gram + of_part[0], right + of_part[1])
    assert gram is not None  # noqa: S101
    assert right is not None  # noqa: S101
    noise = releases.deviation("facts", FACTS_NORM**2)
    gram = releases.release("facts", gram, FACTS_NORM**2)
    right = releases.release("tastes", right, FACTS_NORM * TASTE_NORM)
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    ridge = RIDGE + noise * np.sqrt(len(gram))
    model.facts = (vectors / (np.maximum(values, 0) + ridge)) @ (vectors.T @ right.reshape(len(gram), width))


def _learned_tastes(model: PrivateModel, part: Part) -> Array:
    """Return (N, H + 1) posterior tastes in genres and generosity of members, from their own ratings."""
    width = model.genres.shape[1]
    rows, columns = np.triu_indices(width)
    residual = part.residual(model.quality[part.rated.indices])
    packed = np.asarray(part.ones() @ (model.genres[:, rows] * model.genres[:, columns])) / NOISE
    precision = np.empty((len(packed), width, width))
    precision[:, rows, columns] = packed
    precision[:, columns, rows] = packed
    prior = np.append(np.full(width - 1, TASTE_VARIANCE), GENEROSITY_VARIANCE)
    precision += np.diag(1 / prior)
    right = np.asarray(residual @ model.genres) / NOISE
    return np.asarray(np.linalg.solve(precision, right[:, :, None])[:, :, 0])


def _fit_slopes(model: PrivateModel, parts: list[Part], releases: Releases) -> None:
    """Scale predicted taste and generosity as is best for the ratings."""
    sums = np.zeros(5)
    for part in parts:
        owner, movie, count = part.owner, part.rated.indices, part.rated.shape[0]
        tastes = model.tastes(part)
        taste = _dots(tastes[:, :-1], owner, model.genres[:, :-1], movie)
        generosity, residual = tastes[owner, -1], part.residual(model.quality[movie]).data
        products = (taste * residual, generosity * residual, taste**2, taste * generosity, generosity**2)
        of_members = np.stack([np.bincount(owner, product, count) for product in products], axis=1)
        sums += shortened(of_members, SLOPE_NORM).sum(axis=0)
    noise = releases.deviation("slopes", SLOPE_NORM)
    first, second, *squares = releases.release("slopes", sums, SLOPE_NORM)
    matrix = np.array([[squares[0], squares[1]], [squares[1], squares[2]]]) + (2 * noise + 1) * np.eye(2)
    model.slopes = np.clip(np.linalg.lstsq(matrix, np.array([first, second]), rcond=None)[0], 0, 3)


def _fit_factors(model: PrivateModel, parts: list[Part], releases: Releases) -> None:
    """Give movies factors of their own in the leading directions of predicted taste: half a round of alternation."""
    values, vectors = np.linalg.eigh(model.facts[:, :-1].T @ model.facts[:, :-1])
    model.directions = np.zeros_like(model.directions)
    leading = np.argsort(-values)[:FACTORS]
    model.directions[:-1] = vectors[:, leading]
    rows, columns = np.triu_indices(FACTORS)
    gram, right = np.zeros((len(model.genres), len(rows))), np.zeros((len(model.genres), FACTORS))
    for part in parts:
        own = shortened(model.tastes(part) @ model.directions, 1.0)
        residual = part.residual(model.predict(part, "regression"))
        weighted = own * part.weight[:, None]
        gram += np.asarray(part.ones().T @ (weighted[:, rows] * own[:, columns]))
        right += np.asarray(residual.T @ weighted)
    bounds = parts[0].bounds
    sensitivity = float(np.sqrt(bounds.most_ratings * (1 + bounds.clip**2)))
    noise = releases.deviation("factors", sensitivity)
    released = releases.release("factors", np.concatenate([gram, right], axis=1), sensitivity)
    square = np.empty((len(gram), FACTORS, FACTORS))
    square[:, rows, columns] = square[:, columns, rows] = released[:, : len(rows)]
    values, vectors = np.linalg.eigh(square)
    ridge = NOISE / FACTOR + 2 * noise + noise**2 * FACTOR
    solved = np.einsum("mji,mj->mi", vectors, released[:, len(rows) :]) / (np.maximum(values, 0) + ridge)
    model.factors = np.einsum("mij,mj->mi", vectors, solved)


def _fit_offsets(model: PrivateModel, parts: list[Part], counts: Array, releases: Releases) -> None:
    sums = np.zeros(len(counts))
    for part in parts:
        residual = part.residual(model.predict(part, "factors")).data
        sums += np.bincount(part.rated.indices, part.weight[part.owner] * residual, len(counts))
    sensitivity = float(np.sqrt(parts[0].bounds.most_ratings)) * parts[0].bounds.clip
    noise = releases.deviation("offsets", sensitivity)
    sums = releases.release("offsets", sums, sensitivity)
    model.offsets = sums * OFFSET * counts / (OFFSET * counts**2 + NOISE * counts + noise**2 + 1e-9)


def _fit_effects(model: PrivateModel, parts: list[Part], world: World, releases: Releases) -> None:
    """Fit what groups of members, by each attribute, feel about genres beyond the rest."""
    width = model.genres.shape[1] - 1
    sums, squares = np.zeros((world.grouped, width)), np.zeros((world.grouped, width))
    columns = model.genres[:, :-1]
    for part in parts:
        residual = part.residual(model.predict(part, "offsets"))
        weight = part.weight[:, None]
        groups = part.attributes[:, : world.grouped]
        sums += groups.T @ shortened(weight * np.asarray(residual @ columns), GROUP_NORM)
        squares += groups.T @ shortened(weight * np.asarray(part.ones() @ columns**2), GROUP_NORM)
    sensitivity = float(np.sqrt(2 * world.categories)) * GROUP_NORM
    noise = releases.deviation("group effects", sensitivity)
    sums, squares = releases.release("group effects", np.stack([sums, squares]), sensitivity)
    model.effects = sums / (np.maximum(squares, 0) + NOISE / 0.002 + 2 * noise) / world.categories


def _fit_intervals(model: PrivateModel, parts: list[Part], releases: Releases) -> None:
    """Fit 90 % intervals by predicted rating: the fewest steps of the scale that hold that share of noisy counts."""
    counts = np.zeros((BINS, STEPS))
    for part in parts:
        own = np.minimum(1, INTERVAL_RATINGS / np.maximum(np.diff(part.rated.indptr), 1))[part.owner]
        step = np.rint(part.rated.data + BASE - 1).astype(np.int64).clip(0, STEPS - 1)
        place = bin_of(model.predict(part)) * STEPS + step
        counts += np.bincount(place, own, BINS * STEPS).reshape(BINS, STEPS)
    released = np.maximum(releases.release("calibration", counts, float(INTERVAL_RATINGS)), 0)
    total = released.sum(axis=0)
    model.intervals = np.array([shortest(row + 1e-3 * total / total.sum()) for row in released])


def bin_of(rating: Array) -> NDArray[np.int64]:
    """Return (R,) the bin of predicted ratings, less BASE."""
    return np.floor((rating + BASE - 2.5) / 2.5 * BINS).astype(np.int64).clip(0, BINS - 1)


def shortest(counts: Array) -> tuple[float, float]:
    """Return the ends of the fewest steps, 1 to STEPS, that hold COVERAGE of the counts; among equals, the most."""
    share = counts / counts.sum()
    for length in range(1, STEPS + 1):
        held = [share[first : first + length].sum() for first in range(STEPS - length + 1)]
        best = int(np.argmax(held))
        if held[best] >= COVERAGE - 1e-9:
            return best + 1.0, float(best + length)
    return 1.0, float(STEPS)


def shortened(rows: Array, most: float) -> Array:
    """Return (N, D) rows, shortened to at most this length each."""
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return rows * np.minimum(1, most / np.maximum(length, 1e-12))


def _dots(left: Array, owner: NDArray[np.int64], right: Array, movie: NDArray[np.int32]) -> Array:
    """Return (R,) dot products of members' and movies' rows."""
    return np.asarray(np.einsum("ij,ij->i", left[owner], right[movie]))
