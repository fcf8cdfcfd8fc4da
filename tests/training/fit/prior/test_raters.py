"""Raters count as much as they rate, those who are left out not at all, and prior means are predicted out of fold."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from model.facts.evidence import MemberEvidence
from model.prediction.prior.member_inputs import MovieColumns
from tests.training.conftest import new_folder
from training.data.dataset import read_dataset
from training.data.never_rater_views import SHORT, VIEWS
from training.data.passes.play_table import play_table
from training.fit.folds import fold_data
from training.fit.prior.factorization import Factors, KeptRatings, MemberUpdate, start, sweep
from training.fit.prior.fit_heads import fit_heads
from training.fit.prior.fit_prior import fit_prior
from training.fit.prior.prior_means import prior_means
from training.fit.prior.raters import Raters, average_of
from training.settings import read_fit_settings

LEFT_OUT = 1
"""The fold that is left out."""
PRIOR_RATINGS = 5.0
BOTH, NOTHING = MemberEvidence.ATTRIBUTES_AND_PLAYS, MemberEvidence.NOTHING


@dataclass(frozen=True)
class World:
    """Raters of whom a fold is left out, with some other weight for each, and factors of theirs."""

    raters: Raters
    factors: Factors
    columns: MovieColumns
    kept: np.ndarray
    weight: np.ndarray
    count: np.ndarray
    """Number of ratings of each rater."""
    ratings_of_movie: np.ndarray


@pytest.fixture(scope="module")
def world(small, light, passes) -> World:
    data = read_dataset(small.data, 20)[1]
    data = replace(data, play_table=play_table(data.play_table.collect(), len(data.member_ids), 300))
    settings = read_fit_settings(Path(light[1])).prior.model_copy(update={"prior_ratings": PRIOR_RATINGS})
    folded, random = fold_data(passes, data, 3, 0, 10**9, new_folder(passes)), np.random.default_rng(0)
    weight = random.uniform(0.5, 2, len(data.member_ids))
    learned = folded.learned(LEFT_OUT, weight)
    columns = fit_prior(passes, data, learned, np.random.default_rng(0), settings).prior.columns
    ratings = [KeptRatings(part, learned.kept[part.raters], learned.statistics.mean) for part in folded.partitions]
    factors = start(ratings, learned.statistics, settings.rank, random)
    for _ in range(3):
        factors = sweep(passes, ratings, factors)
    of_raters = [weight[part.raters] for part in folded.partitions]
    raters = Raters.of(passes, ratings, of_raters, data.schema, settings, random)
    every, counts = data.raters, data.play_table.ratings[data.raters]
    return World(
        raters, factors, columns, learned.kept[every], weight[every], counts, learned.statistics.ratings
    )  # fmt: skip


def posterior(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances of all raters who are kept."""
    update, means, covariances = MemberUpdate.of(world.factors), [], []
    for ratings, prior in zip(world.raters.ratings, world.factors.member_prior, strict=True):
        members = update.posterior(ratings.centred(), prior[ratings.kept])
        means.append(members.mean)
        covariances.append(members.cov)
    return np.concatenate(means), np.concatenate(covariances)


def test_weights_grow_with_ratings_and_are_zero_without_the_ratings_of_a_rater(world):
    weights = np.concatenate(world.raters.weights)
    expected = world.kept * world.weight * world.count / (world.count + PRIOR_RATINGS)
    assert weights == pytest.approx(expected)
    assert (weights[~world.kept] == 0).all()
    assert 0 < (~world.kept).sum() < len(weights)


def test_targets_are_posterior_means_and_their_average_is_weighted(world):
    targets = world.raters.targets(world.factors)
    factors, weights = (np.concatenate([getattr(part, name) for part in targets]) for name in ("factors", "weights"))
    means = posterior(world)[0]
    assert factors[world.kept] == pytest.approx(means)
    assert (factors[~world.kept] == 0).all()
    assert average_of(targets) == pytest.approx(np.average(means, axis=0, weights=weights[world.kept]), abs=1e-6)
    folds = np.concatenate(world.raters.folds)
    assert np.ptp(np.bincount(folds)) <= 1
    assert len(np.unique(folds)) == world.raters.settings.folds


def test_rows_are_views_of_raters_who_are_kept(world):
    kept = np.split(world.kept, np.cumsum([len(part) for part in world.raters.ratings])[:-1])
    for short in (True, False):
        for views, of_part in zip(world.raters.views(BOTH, short), kept, strict=True):
            assert of_part[views // VIEWS].all()
            assert short or (views % VIEWS != SHORT).all()


def test_what_is_known_of_nobody_is_the_average_and_errs_as_raters_vary(world):
    heads = fit_heads(world.raters, world.factors, world.columns, world.ratings_of_movie, 0, np.random.default_rng(1))
    means, covariances = posterior(world)
    away = means.astype(np.float64) - heads.average
    expected = (away.T @ away + covariances.sum(axis=0)) / len(means)
    assert heads.average == pytest.approx(average_of(world.raters.targets(world.factors)))
    assert heads.spread[NOTHING] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert set(heads.spread) == {NOTHING, *heads.regressions}
    for spread in heads.spread.values():
        assert (np.linalg.eigvalsh(spread) > 0).all()
        assert np.trace(spread) < 1.1 * np.trace(heads.spread[NOTHING])
    for shrinkage in heads.shrinkage.values():
        assert ((shrinkage >= 0) & (shrinkage <= 1)).all()


def test_prior_means_of_a_rater_do_not_come_from_the_factors_of_the_rater(world):
    """Factors of one fold are spoilt: the means of that fold stay, those of the others change."""
    one_ridge = world.raters.settings.with_plays.model_copy(update={"ridges": (16.0,)})
    raters = replace(world.raters, settings=world.raters.settings.model_copy(update={"with_plays": one_ridge}))
    targets = raters.targets(world.factors)
    spoilt = [replace(part, factors=part.factors + 50.0 * (part.folds == 0)[:, None]) for part in targets]
    before, after = (
        np.concatenate(prior_means(raters, given, world.columns, 0, np.random.default_rng(2))[0])
        for given in (targets, spoilt)
    )
    assert before.shape == (len(world.kept), world.factors.rank + 1)
    fold = np.concatenate(raters.folds)
    of_views = world.kept & ~(before == average_of(targets)).all(axis=1)
    assert of_views.sum() > 0.9 * world.kept.sum()
    assert after[of_views & (fold == 0)] == pytest.approx(before[of_views & (fold == 0)], abs=1e-3)
    assert (np.abs(after - before)[of_views & (fold != 0)].max(axis=1) > 1).mean() > 0.9
