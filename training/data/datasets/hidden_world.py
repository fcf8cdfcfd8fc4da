"""Generative model of the sample data, which draws true enjoyment, plays and ratings from one random generator.

The enjoyment of a movie is MEAN + movie quality + member generosity + TASTE_SPREAD * (member taste · movie taste),
clipped to the rating scale. Half of the variance of taste and generosity comes from the member's attributes. A movie's
taste comes mostly from its genres, year and country.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

LOW, HIGH = 1.0, 5.0
"""Lowest and highest rating of the scale."""

MEAN = 3.3
QUALITY_SPREAD = 0.62
GENEROSITY_SPREAD = 0.42
TASTE_SPREAD = 0.62
"""Standard deviations of movie quality, member generosity and taste, in stars. With these values, movie means alone
have a correlation of about 0.55 with the true enjoyment."""

ATTRIBUTE_SHARE = 0.5
"""Share of the variance of taste and generosity that comes from the member's attributes."""

FACTORS = 6
"""Number of taste dimensions."""

NOISE_SPREAD = 0.45
"""Standard deviation, in stars, of a rating around the true enjoyment, before rounding."""

TASTE_IN_CHOICE = 1.6
"""Weight of taste in choosing which movies to play, relative to popularity and chance."""

PLAYS, PLAYED_AT_MOST = 62, 0.5
"""Mean number of plays per member, and maximum share of all movies that one member plays."""

RATED_SHARE = 0.76
"""Share of a rater's plays that are also rated. This gives about 45 ratings per rater."""

NEVER_RATER_SHARE = 0.25
NEVER_RATED_SHARE = 0.06
"""Share of movies, the newest ones, that are never rated. Every second one of them is never played either."""

KINDS = {"both": 0.55, "plays": 0.2, "attributes": 0.2, "nothing": 0.05}
"""Kinds of facts that are available about never-raters, and the share of never-raters with each kind."""

RATERS_WITHOUT_ROW = 0.02
"""Share of raters without a row in the members table."""

COUNTRIES = ("Brazil", "France", "India", "Japan", "Nigeria", "Norway")
GENRES = ("Action", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Mystery", "Romance", "War")
REGIONS = ("centre", "coast", "east", "islands", "north", "south", "west")
REGION_SHARES = (0.25, 0.2, 0.15, 0.01, 0.12, 0.17, 0.1)
"""Shares of members in REGIONS. So few live on the islands that this category is merged into "other"."""
OCCUPATIONS = ("artist", "care", "clerk", "engineer", "farmer", "retired", "sales", "student", "teacher", "other work")
GENDERS = ("F", "M", "X")
GENDER_SHARES = (0.5, 0.47, 0.03)
ANSWERS = ("likes_surprises", "prefers_happy_endings", "watches_with_others")
"""Psychographic attributes: levels of agreement from 1 to 5."""

LAST_YEAR = 2023
BLOCK, BLOCK_PAIRS = 1024, 2**22
"""Maximum number of members per block, and of pairs of a member and a movie. Memory doesn't grow with the movies beyond
4096, from which on blocks have fewer members."""


@dataclass(frozen=True)
class Movies:
    """True properties of the movies; each array has one entry or row per movie."""

    genres: Flags
    """(movies, GENRES) True for the one to three genres of each movie."""
    year: Rows
    country: Rows
    """Positions in COUNTRIES."""
    runtime_minutes: Rows
    quality: Floats
    """In stars, with mean near 0."""
    appeal: Floats
    """Log-odds of being played."""
    taste: Floats
    """(movies, FACTORS) with mean 0, scaled so that member taste · movie taste has variance 1."""


@dataclass(frozen=True)
class Members:
    """True properties of the members; each array has one entry or row per member."""

    age: Rows
    gender: Rows
    region: Rows
    occupation: Rows
    """Positions in OCCUPATIONS; gender and region are positions in GENDERS and REGIONS."""
    answers: Rows
    """(members, ANSWERS) values from 1 to 5."""
    has_children: Flags
    generosity: Floats
    """In stars, centred on 0."""
    taste: Floats
    """(members, FACTORS) with mean 0 and variance 1."""
    never_rates: Flags
    has_row: Flags
    """Whether the member has a row in the members table."""
    has_plays: Flags


@dataclass(frozen=True)
class Block:
    """Enjoyment, plays and ratings of a block of members. Rows are members, starting at `first`; columns are movies."""

    first: int
    enjoyment: Floats
    """From LOW to HIGH, without noise."""
    played: Flags
    rated: Flags


def draw_movies(count: int, random: np.random.Generator) -> Movies:
    """Draw the properties of `count` movies."""
    genres = np.zeros((count, len(GENRES)), bool)
    order = np.argsort(random.gumbel(size=genres.shape) + np.linspace(0.8, 0, len(GENRES)), axis=1)[:, ::-1]
    for place, share in enumerate((1.0, 0.55, 0.25)):
        chosen = random.random(count) < share
        genres[np.flatnonzero(chosen), order[chosen, place]] = True
    year = np.maximum(LAST_YEAR - random.exponential(18, count).astype(np.int64), 1930)
    country = random.choice(len(COUNTRIES), count)
    of_country = random.normal(size=(len(COUNTRIES), FACTORS))[country]
    of_genres = _standardised(genres @ random.normal(size=(len(GENRES), FACTORS)))
    of_year = _standardised(year.astype(float)[:, None]) * random.normal(size=FACTORS)
    own = 0.6 * random.normal(size=(count, FACTORS))
    taste = _standardised(of_genres + 0.4 * of_year + 0.3 * of_country + own) / np.sqrt(FACTORS)
    quality = random.normal(size=count)
    runtime_minutes = np.rint(105 + 8 * quality + 15 * random.normal(size=count)).astype(np.int64)
    appeal = 0.9 * random.normal(size=count) + 0.5 * quality
    return Movies(genres, year, country, runtime_minutes, QUALITY_SPREAD * quality, appeal, taste)


def draw_members(count: int, random: np.random.Generator) -> Members:
    """Draw the properties of `count` members, of whom a share of NEVER_RATER_SHARE never rate."""
    age = np.clip(np.rint(16 + random.gamma(2.6, 9.5, count)), 16, 90).astype(np.int64)
    gender = random.choice(len(GENDERS), count, p=GENDER_SHARES)
    region = random.choice(len(REGIONS), count, p=REGION_SHARES)
    occupation = random.choice(len(OCCUPATIONS), count)
    answers = np.clip(np.rint(3 + 1.2 * random.normal(size=(count, len(ANSWERS)))), 1, 5).astype(np.int64)
    has_children = random.random(count) < 0.4
    effects = [
        0.9 * _standardised(age.astype(float)[:, None]) @ random.normal(size=(1, FACTORS + 1)),
        0.9 * random.normal(size=(len(GENDERS), FACTORS + 1))[gender],
        0.3 * random.normal(size=(len(REGIONS), FACTORS + 1))[region],
        0.5 * random.normal(size=(len(OCCUPATIONS), FACTORS + 1))[occupation],
        0.8 * _standardised(answers.astype(float)) @ random.normal(size=(len(ANSWERS), FACTORS + 1)),
        0.4 * _standardised(has_children.astype(float)[:, None]) @ random.normal(size=(1, FACTORS + 1)),
    ]
    of_attributes = np.sqrt(ATTRIBUTE_SHARE) * _standardised(sum(effects, np.zeros((count, FACTORS + 1))))
    own = np.sqrt(1 - ATTRIBUTE_SHARE) * random.normal(size=(count, FACTORS + 1))
    traits = of_attributes + own
    never_rates = np.zeros(count, bool)
    never_rates[random.permutation(count)[: round(count * NEVER_RATER_SHARE)]] = True
    kind = random.choice(len(KINDS), count, p=list(KINDS.values()))
    return Members(
        age=age,
        gender=gender,
        region=region,
        occupation=occupation,
        answers=answers,
        has_children=has_children,
        generosity=GENEROSITY_SPREAD * traits[:, -1],
        taste=traits[:, :-1],
        never_rates=never_rates,
        has_row=np.where(never_rates, kind % 2 == 0, random.random(count) >= RATERS_WITHOUT_ROW),
        has_plays=~never_rates | (kind < 2),
    )


def draw_blocks(members: Members, movies: Movies, random: np.random.Generator) -> Iterator[Block]:
    """Draw the enjoyment, plays and ratings of all members, in blocks of at most BLOCK members."""
    count = len(movies.year)
    newest = np.argsort(-movies.year, kind="stable")[: max(2, round(count * NEVER_RATED_SHARE))]
    never_rated, never_played = np.zeros(count, bool), np.zeros(count, bool)
    never_rated[newest], never_played[newest[::2]] = True, True
    usual = min(PLAYS, PLAYED_AT_MOST * count / 2)
    size = max(1, min(BLOCK, BLOCK_PAIRS // count))
    for first in range(0, len(members.age), size):
        some = slice(first, first + size)
        by_taste = members.taste[some] @ movies.taste.T
        enjoyment = MEAN + movies.quality + members.generosity[some, None] + TASTE_SPREAD * by_taste
        drawn = movies.appeal + TASTE_IN_CHOICE * by_taste + random.gumbel(size=by_taste.shape)
        plays = np.clip(usual * random.lognormal(-0.125, 0.5, len(enjoyment)), 3, PLAYED_AT_MOST * count)
        ranked = lowest_positions(-drawn, int(np.ceil(plays.max())))
        played = np.zeros(drawn.shape, bool)
        np.put_along_axis(played, ranked, np.arange(ranked.shape[1]) < plays[:, None], axis=1)
        played &= ~never_played & members.has_plays[some, None]
        rates = random.random(enjoyment.shape) < RATED_SHARE
        rated = played & rates & ~never_rated & ~members.never_rates[some, None]
        yield Block(first, np.clip(enjoyment, LOW, HIGH), played, rated)


def lowest_positions(values: Floats, count: int) -> Rows:
    """Return the positions of the `count` lowest values of each row, lowest first."""
    positions = np.argpartition(values, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(values, positions, axis=1), axis=1)
    lowest: Rows = np.take_along_axis(positions, order, axis=1)
    return lowest


def _standardised(columns: Floats) -> Floats:
    """Return the columns scaled to mean 0 and variance 1."""
    spread = columns.std(axis=0)
    standardised: Floats = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return standardised
