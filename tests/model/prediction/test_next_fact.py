"""The fact to ask for next: the one that matters, by as much as knowing it then helps."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from model.artifact.artifact import load_model
from model.facts.facts import MemberFacts
from model.facts.member_table import MemberTable
from model.prediction.calibration import Calibration, Tables, bin_of
from model.prediction.model import Model
from model.prediction.next_fact import FURTHER_PLAYS, next_fact
from model.store.store import Store
from training.__main__ import main

MOODS = ("cheerful", "stern", "tired")
MOVIES = 40
SETTINGS = """\
folds = 3
[prior]
rank = 8
sweeps = 5
embedding = 20
sight = 10
[prior.with_plays]
landmarks = 100
[prior.attributes_only]
landmarks = 100
[trees]
trees = 20
"""
"""Settings with which so small a world is learned."""


@dataclass(frozen=True)
class Planted:
    """A world in which one attribute decides how members rate and for which movies, and nothing else says anything."""

    model: Model
    mood: np.ndarray
    """(N,) position in MOODS of members that the model has not seen."""
    rating: np.ndarray
    """(N, MOVIES) what they rate."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    random = np.random.default_rng(5)
    effect = np.array([1.1, -1.3, 0.2])[:, None] + 0.5 * random.normal(size=(len(MOODS), MOVIES))

    quality = 5.5 + random.normal(0, 0.5, MOVIES)

    def ratings(mood: np.ndarray) -> np.ndarray:
        felt = quality + effect[mood] + 0.7 * random.normal(size=(len(mood), MOVIES))
        return np.clip(np.round(2 * felt) / 2, 0, 10)

    mood = random.choice(len(MOODS), 500, p=(0.5, 0.35, 0.15))
    rating = ratings(mood)
    seen = random.random(rating.shape) < 0.5
    member, movie = np.nonzero(seen)
    members = pl.DataFrame(
        {
            "member_id": [f"u{place}" for place in range(len(mood))],
            "mood": [MOODS[place] for place in mood],
            "colour": random.choice(["blue", "green", "red"], len(mood)),
            "shoe_size": random.normal(40, 3, len(mood)).round(),
        }
    )
    data = folder / "data"
    data.mkdir()
    members.write_csv(data / "members.csv")
    pl.DataFrame({"movie_id": [f"m{place:02}" for place in range(MOVIES)]}).with_columns(
        pl.lit(None).alias(name) for name in ("title", "release_year", "genres")
    ).write_csv(data / "movies.csv")
    pl.DataFrame(
        {
            "member_id": [f"u{place}" for place in member],
            "movie_id": [f"m{place:02}" for place in movie],
            "rating": rating[seen],
        }
    ).write_csv(data / "ratings.csv")
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    places = ("--data", str(data), "--models", str(folder / "models"))
    assert main(["retrain", *places, "--settings", str(settings)]) == 0
    store = Store(folder / "models")
    fresh = random.choice(len(MOODS), 400, p=(0.5, 0.35, 0.15))
    return Planted(load_model(store.folder(store.current())), fresh, ratings(fresh))


def with_mood(model: Model, mood: int) -> MemberFacts:
    place = [attribute.name for attribute in model.schema.member_attributes].index("mood")
    return MemberFacts.nothing(model.schema).with_attributes({place: float(mood)})


def test_the_attribute_that_matters_is_asked_for(planted):
    nothing = MemberFacts.nothing(planted.model.schema)
    asked = [next_fact(planted.model, nothing, movie) for movie in range(MOVIES)]
    assert [fact.attribute for fact in asked] == ["mood"] * MOVIES


def test_intervals_and_errors_are_then_as_much_smaller_as_was_expected(planted):
    model, nothing = planted.model, MemberFacts.nothing(planted.model.schema)
    movies = list(range(MOVIES))
    asked = [next_fact(model, nothing, movie) for movie in movies]
    before = model.predict(nothing, movies)
    after = [model.predict(with_mood(model, mood), movies) for mood in range(len(MOODS))]
    errors_before = planted.rating - before.rating
    errors_after = planted.rating - np.stack([after[mood].rating for mood in planted.mood])
    widths = np.stack([after[mood].upper - after[mood].lower for mood in planted.mood])
    expected = np.mean([fact.expected_width for fact in asked])
    current = np.mean([fact.current_width for fact in asked])
    assert current == pytest.approx(np.mean(before.upper - before.lower))
    assert widths.mean() == pytest.approx(expected, rel=0.15), "they go by steps of half a point"
    assert np.sqrt((errors_after**2).mean() / (errors_before**2).mean()) == pytest.approx(expected / current, abs=0.1)
    assert expected < 0.9 * current


def test_what_is_known_is_not_asked_for_again_and_what_says_nothing_hardly_ever(planted):
    asked = [
        next_fact(planted.model, with_mood(planted.model, mood), movie)
        for mood in range(len(MOODS))
        for movie in range(0, MOVIES, 3)
    ]
    assert sum(fact is None for fact in asked) >= 0.9 * len(asked)
    assert all(fact is None or fact.expected_width > 0.985 * fact.current_width for fact in asked)


def test_where_plays_tell_most_they_are_asked_for_and_the_less_the_more_are_known(published):
    """In the sample, what is played shows taste; a movie among the plays counts as not played."""
    model = published.model
    plays = published.tables.plays.group_by("member_id").agg(pl.col("movie_id")).sort("member_id")
    fullest = plays.sort(pl.col("movie_id").list.len(), "member_id").tail(1).row(0, named=True)
    member = MemberFacts(MemberFacts.nothing(model.schema).attributes, *plays_of(model, fullest["member_id"]))
    movies = range(0, len(model.catalogue), 15)
    asked = [next_fact(model, MemberFacts.nothing(model.schema), movie) for movie in movies]
    assert sum(fact is not None and fact.plays == FURTHER_PLAYS for fact in asked) > len(asked) / 2
    later = [next_fact(model, member, movie) for movie in movies]
    assert not any(fact is not None and fact.plays for fact in later)
    movie = int(member.movies[0])
    assert next_fact(model, member, movie) == next_fact(model, member.without(movie), movie)


def test_plays_are_asked_for_too_where_nobody_is_published(published):
    model, nothing = published.model, MemberFacts.nothing(published.model.schema)
    none, width = np.empty(0, np.float32), len(nothing.attributes)
    table = MemberTable(
        np.empty((0, 2), np.uint64), np.empty((0, width), np.float32), np.zeros(1, np.int64), none.astype(np.int32),
        none, none,
    )  # fmt: skip
    asked = [next_fact(replace(model, members=table), nothing, movie) for movie in range(0, len(model.catalogue), 15)]
    assert sum(fact is not None and fact.plays == FURTHER_PLAYS for fact in asked) > len(asked) / 2


@pytest.mark.parametrize(("plays", "counts"), [(1000, False), (30, True)])
def test_the_most_that_plays_explain_is_that_of_raters_with_thirty_plays(published, plays, counts):
    """However exact predictions are for those with a thousand plays, ten plays don't tell as much."""
    model, nothing = published.model, MemberFacts.nothing(published.model.schema)

    def doubled(tables: Tables) -> Tables:
        reach = tables.reach.copy()
        reach[min(bin_of(plays), len(reach) - 1)] *= 2
        return replace(tables, reach=reach)

    calibration = Calibration({kind: doubled(tables) if kind.has_plays else tables
                               for kind, tables in model.calibration.tables.items()})  # fmt: skip
    other = replace(model, calibration=calibration)
    movies = range(0, len(model.catalogue), 15)
    changed = any(next_fact(model, nothing, movie) != next_fact(other, nothing, movie) for movie in movies)
    assert changed == counts


def plays_of(model: Model, member_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    facts = model.members.find(member_id)
    return facts.movies, facts.completion, facts.age_days
