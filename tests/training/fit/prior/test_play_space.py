"""Movies that the same members play lie near each other in the space of plays."""

import numpy as np
import pytest

from training.fit.prior.play_space import embed


@pytest.fixture(scope="module")
def plays():
    """Two camps of members, each with 20 movies of its own; the last movie is played by nobody."""
    random = np.random.default_rng(1)
    camp = np.repeat([0, 1], 100)
    chance = np.where(np.arange(41) // 20 == camp[:, None], 0.5, 0.02)
    chance[:, 40] = 0
    return np.nonzero(random.random(chance.shape) < chance)


def test_movies_of_one_camp_point_the_same_way(plays):
    embedding, _ = embed(*plays, 41, 2, np.random.default_rng(0))
    direction = embedding[:40] / np.linalg.norm(embedding[:40], axis=1, keepdims=True)
    cosine = direction @ direction.T
    same = (np.arange(40) // 20)[:, None] == np.arange(40) // 20
    assert cosine[same].mean() > 0.8
    assert cosine[~same].mean() < 0.2


def test_a_movie_that_nobody_plays_has_no_place_and_rare_ones_weigh_more(plays):
    embedding, squared = embed(*plays, 41, 2, np.random.default_rng(0))
    assert np.abs(embedding[40]).max() < 1e-6
    counts = np.bincount(plays[1], minlength=41)
    assert (np.diff(squared[np.argsort(counts)]) <= 0).all()


def test_the_same_plays_and_seed_give_the_same_space(plays):
    first, other = (embed(*plays, 41, 5, np.random.default_rng(0))[0] for _ in range(2))
    assert first.tobytes() == other.tobytes()


def test_it_is_the_singular_value_decomposition_of_the_weighted_plays(plays):
    embedding, squared = embed(*plays, 41, 10, np.random.default_rng(0))
    weight = np.sqrt(squared)
    matrix = np.zeros((200, 41))
    matrix[plays] = weight[plays[1]]
    matrix /= np.sqrt((matrix**2).sum(axis=1, keepdims=True) + 20)
    vectors = np.linalg.svd(matrix, full_matrices=False)[2][:2]
    directions = (embedding / weight[:, None])[:, :2]
    assert np.abs(directions.T @ vectors.T) == pytest.approx(np.eye(2), abs=1e-3)


@pytest.mark.parametrize("pairs", [[], [(0, 0)], [(0, 0), (0, 1), (0, 2)], [(0, 1), (1, 1)]])
def test_hardly_any_plays_leave_numbers(pairs):
    members, movies = (np.array([pair[place] for pair in pairs], np.int64) for place in (0, 1))
    embedding, squared = embed(members, movies, 3, 4, np.random.default_rng(0))
    assert embedding.shape == (3, 4)
    assert np.isfinite(embedding).all()
    assert (squared > 0).all()
