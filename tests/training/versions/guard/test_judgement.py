"""Two versions are compared on the same ratings: versions as good stay, and worse ones are taken back."""

import numpy as np
import pytest

from benchmarks.guard import KINDS, SCALE, measured, simulated
from training.versions.guard.guard_settings import GuardSettings
from training.versions.guard.judgement import Replay, VersionPredictions, judge


@pytest.mark.parametrize("kind", [name for name in KINDS if name.startswith("as good")])
def test_versions_that_are_as_good_stay(kind):
    seen = measured(KINDS[kind], 100, 5000, 7)
    assert seen["taken_back"] <= 1
    assert abs(seen["more_squared_error_percent"]) < 0.5


@pytest.mark.parametrize("kind", [name for name in KINDS if not name.startswith("as good")])
def test_versions_that_are_worse_are_taken_back(kind):
    seen = measured(KINDS[kind], 20, 20_000, 7)
    assert seen["taken_back"] >= 19
    assert seen["outcomes_until_taken_back"]["median"] < 12_000


def exchanged(replay: Replay) -> Replay:
    return Replay(replay.member, replay.rating, replay.before, replay.current)


def test_a_version_that_is_better_stays_however_many_rate():
    for number in range(20):
        replay = exchanged(simulated(KINDS["10 % more squared error"], 5000, np.random.default_rng(number)))
        judgement = judge(replay, SCALE, GuardSettings())
        assert not judgement.is_worse
        assert judgement.squared_error[0] < judgement.squared_error[1]
        assert judgement.members == 5000


def test_what_is_told_is_what_was_seen_until_the_evidence_sufficed():
    replay = simulated(KINDS["10 % more squared error"], 5000, np.random.default_rng(0))
    judgement = judge(replay, SCALE, GuardSettings())
    assert judgement.is_worse
    assert judgement.e_value >= 100
    assert judgement.members < 5000
    seen = replay.member < judgement.members
    assert judgement.outcomes == seen.sum()
    assert judgement.squared_error[1] == pytest.approx(np.mean((replay.before.rating - replay.rating)[seen] ** 2))
    earlier = Replay(
        replay.member[seen], replay.rating[seen],
        *(VersionPredictions(*(part[seen] for part in version)) for version in (replay.current, replay.before)),
    )  # fmt: skip
    assert judge(earlier, SCALE, GuardSettings()) == judgement, "later ratings change nothing"


def test_a_member_counts_once_however_many_movies_are_rated():
    chance = np.random.default_rng(0)
    rating = chance.integers(1, 6, 40_000).astype(float)
    better, worse = (VersionPredictions(rating + off, rating - 3, rating + 3) for off in (0.1, 1.0))
    zealot = Replay(np.zeros(40_000, np.int64), rating, worse, better)
    assert not judge(zealot, SCALE, GuardSettings()).is_worse
    crowd = Replay(np.arange(40_000), rating, worse, better)
    assert judge(crowd, SCALE, GuardSettings()).is_worse


def test_intervals_that_cover_less_than_before_but_as_much_as_they_should_are_no_reason():
    chance = np.random.default_rng(0)
    off = chance.normal(size=20_000)
    wide, right = (
        VersionPredictions(np.full(20_000, 3.0), 3 - half + 0 * off, 3 + half + 0 * off) for half in (3, 1.645)
    )
    replay = Replay(np.arange(20_000), 3 + off, right, wide)
    judgement = judge(replay, SCALE, GuardSettings())
    assert judgement.coverage == (pytest.approx(0.9, abs=0.01), pytest.approx(1, abs=0.01))
    assert not judgement.is_worse


def test_without_ratings_nothing_is_known():
    none = np.empty(0)
    judgement = judge(
        Replay(np.empty(0, np.int64), none, *2 * (VersionPredictions(none, none, none),)), SCALE, GuardSettings()
    )
    assert (judgement.members, judgement.outcomes, judgement.e_value, judgement.is_worse) == (0, 0, 1.0, False)
