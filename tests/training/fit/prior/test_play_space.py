"""Movies that the same members play lie near each other in the space of plays."""

import numpy as np
import pytest

from tests.training.fit.conftest import partitions_of
from training.fit.prior.play_space import KeptPlays, embed


@pytest.fixture(scope="module")
def plays() -> np.ndarray:
    """Two camps of members, each with 20 movies of its own; the last movie is played by nobody."""
    random = np.random.default_rng(1)
    camp = np.repeat([0, 1], 100)
    chance = np.where(np.arange(41) // 20 == camp[:, None], 0.5, 0.02)
    chance[:, 40] = 0
    return random.random(chance.shape) < chance


def embedded(passes, plays: np.ndarray, size: int, parts: int = 3, kept: np.ndarray | None = None):
    """The space of the plays of those members whom a mask selects."""
    kept = np.ones(len(plays), bool) if kept is None else kept
    partitions = partitions_of(passes, plays, parts=parts)
    return embed(passes, [KeptPlays(part, kept[part.members]) for part in partitions], size, np.random.default_rng(0))


def test_movies_of_one_camp_point_the_same_way(passes, plays):
    embedding, _ = embedded(passes, plays, 2)
    direction = embedding[:40] / np.linalg.norm(embedding[:40], axis=1, keepdims=True)
    cosine = direction @ direction.T
    same = (np.arange(40) // 20)[:, None] == np.arange(40) // 20
    assert cosine[same].mean() > 0.8
    assert cosine[~same].mean() < 0.2


def test_a_movie_that_nobody_plays_has_no_place_and_rare_ones_weigh_more(passes, plays):
    embedding, squared = embedded(passes, plays, 2)
    assert np.abs(embedding[40]).max() < 1e-6
    assert (np.diff(squared[np.argsort(plays.sum(axis=0))]) <= 0).all()


def test_the_same_plays_and_seed_give_the_same_space(passes, plays):
    first, other = (embedded(passes, plays, 5)[0] for _ in range(2))
    assert first.tobytes() == other.tobytes()


def test_partitions_and_members_without_plays_change_nothing_but_the_rounding(passes, plays):
    whole = embedded(passes, plays, 5, parts=1)
    parts = embedded(passes, np.concatenate([plays[:60], np.zeros((70, 41), bool), plays[60:]]), 5, parts=7)
    assert parts[0] == pytest.approx(whole[0], abs=1e-4)
    assert parts[1] == pytest.approx(whole[1])


def test_the_plays_of_members_who_are_left_out_change_nothing(passes, plays):
    kept = np.arange(len(plays)) % 4 > 0
    ours, theirs = embedded(passes, plays, 5, kept=kept), embedded(passes, plays[kept], 5)
    assert ours[0] == pytest.approx(theirs[0], abs=1e-4)
    assert ours[1] == pytest.approx(theirs[1])
    assert ours[1] != pytest.approx(embedded(passes, plays, 5)[1])


def test_it_is_the_singular_value_decomposition_of_the_weighted_plays(passes, plays):
    embedding, squared = embedded(passes, plays, 10)
    weight = np.sqrt(squared)
    matrix = plays * weight
    matrix /= np.sqrt((matrix**2).sum(axis=1, keepdims=True) + 20)
    vectors = np.linalg.svd(matrix, full_matrices=False)[2][:2]
    directions = (embedding / weight[:, None])[:, :2]
    assert np.abs(directions.T @ vectors.T) == pytest.approx(np.eye(2), abs=1e-3)


@pytest.mark.parametrize("pairs", [[], [(0, 0)], [(0, 0), (0, 1), (0, 2)], [(0, 1), (1, 1)]])
def test_hardly_any_plays_leave_numbers(passes, pairs):
    plays = np.zeros((2, 3), bool)
    for pair in pairs:
        plays[pair] = True
    embedding, squared = embedded(passes, plays, 4, parts=2)
    assert embedding.shape == (3, 4)
    assert np.isfinite(embedding).all()
    assert (squared > 0).all()
