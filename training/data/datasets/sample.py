"""A synthetic data directory with planted taste, and the truth of it beside the tables.

Raters play and rate; never-raters play at most, and some of them lack a row in the members table, some lack plays, a
few lack both. `truth.parquet` tells what never-raters feel of movies drawn at random; it is no table of the directory.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING, RELEASE_YEAR, TITLE
from training.data.datasets import hidden_world as planted
from training.data.datasets.hidden_world import Block, Members, Movies

FEWEST_MEMBERS, FEWEST_MOVIES = 40, 20
"""Smaller worlds would not pass the checks of a data directory."""

TRUTH_MOVIES = 40
"""How many movies, drawn at random from all, the truth of one never-rater covers."""

MISSING_SHARE = 0.06
"""Of each attribute and each description."""

PLAYED_AT_SHARE, COMPLETION_SHARE = 0.8, 0.6
"""Plays of which these are known."""

END_OF_DATA = 1_700_000_000
"""Seconds since 1970 UTC."""

DAYS, DAY_SECONDS = 1000, 86_400
"""How long before the end the first plays were, and how long a day is."""

ADJECTIVES = ("Broken", "Crimson", "Distant", "Gentle", "Hidden", "Last", "Quiet", "Second", "Silver", "Winter")
NOUNS = ("Bridge", "Garden", "Harbour", "Letter", "Promise", "River", "Shadow", "Summer", "Voyage", "Witness")

SCHEMA = """[ratings]
scale = [1.0, 5.0]
enjoyed_from = 4.0
"""


def sample_tables(members: int, movies: int, seed: int) -> dict[str, pl.DataFrame]:
    """The tables `members`, `movies`, `ratings` and `plays` as their files hold them, and `truth`.

    `truth` has `member_id`, `movie_id`, `enjoyment` (1 to 5, without noise) and `played`, for never-raters only.
    """
    random = np.random.default_rng(seed)
    catalogue, people = planted.plant_movies(movies, random), planted.plant_members(members, random)
    member_ids, movie_ids = _ids("member", members), _ids("movie", movies)
    events: dict[str, list[pl.DataFrame]] = {"ratings": [], "plays": [], "truth": []}
    for block in planted.live(people, catalogue, random):
        ids = member_ids[block.first : block.first + len(block.felt)]
        plays, ratings = _events(block, ids, movie_ids, random)
        events["plays"].append(plays)
        events["ratings"].append(ratings)
        events["truth"].append(_truth(block, people, ids, movie_ids, random))
    described = {
        "members": _members_table(people, member_ids, random),
        "movies": _movies_table(catalogue, movie_ids, random),
    }
    return described | {name: pl.concat(parts) for name, parts in events.items()}


def _events(
    block: Block, member_ids: pl.Series, movie_ids: pl.Series, random: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The plays of a block and its ratings, each given within days of the play."""
    member, movie = np.nonzero(block.played)
    felt = block.felt[member, movie]
    ago = random.uniform(0, DAYS * DAY_SECONDS, len(felt)).astype(np.int64)
    waited = np.minimum(random.exponential(2 * DAY_SECONDS, len(felt)).astype(np.int64), ago)
    completion = np.round(np.clip(0.1 + 0.2 * (felt - 1) + 0.18 * random.normal(size=len(felt)), 0.01, 1), 2)
    rating = np.clip(np.rint(felt + planted.NOISE_SPREAD * random.normal(size=len(felt))), planted.LOW, planted.HIGH)
    rows = pl.DataFrame(
        {
            MEMBER_ID: member_ids[member],
            MOVIE_ID: movie_ids[movie],
            PLAYED_AT: _missing(_times(END_OF_DATA - ago), 1 - PLAYED_AT_SHARE, random),
            COMPLETION: _missing(pl.Series(completion), 1 - COMPLETION_SHARE, random),
            RATING: rating,
            RATED_AT: _times(END_OF_DATA - ago + waited),
        }
    )
    ratings = rows.filter(pl.Series(block.rated[member, movie])).select(MEMBER_ID, MOVIE_ID, RATING, RATED_AT)
    return rows.drop(RATING, RATED_AT), ratings


def _truth(
    block: Block, people: Members, member_ids: pl.Series, movie_ids: pl.Series, random: np.random.Generator
) -> pl.DataFrame:
    count = min(TRUTH_MOVIES, len(movie_ids))
    drawn = np.argsort(random.random(block.felt.shape), axis=1)[:, :count]
    never_rates = np.flatnonzero(people.never_rates[block.first : block.first + len(block.felt)])
    member, movie = np.repeat(never_rates, count), drawn[never_rates].ravel()
    columns = {"enjoyment": block.felt[member, movie], "played": block.played[member, movie]}
    return pl.DataFrame({MEMBER_ID: member_ids[member], MOVIE_ID: movie_ids[movie], **columns})


def _members_table(people: Members, ids: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    attributes = {
        "age": pl.Series(people.age),
        "gender": _named(people.gender, planted.GENDERS),
        "region": _named(people.region, planted.REGIONS),
        "occupation": _named(people.occupation, planted.OCCUPATIONS),
        "has_children": pl.Series(people.has_children),
        **{name: pl.Series(people.answers[:, place]) for place, name in enumerate(planted.ANSWERS)},
    }
    given = {name: _missing(values, MISSING_SHARE, random) for name, values in attributes.items()}
    return pl.DataFrame({MEMBER_ID: ids, **given}).filter(pl.Series(people.has_row))


def _movies_table(catalogue: Movies, ids: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    adjective, noun = random.choice(ADJECTIVES, len(ids)), random.choice(NOUNS, len(ids))
    names = np.array(planted.GENRES)
    described = {
        RELEASE_YEAR: pl.Series(catalogue.year),
        GENRES: pl.Series([names[row].tolist() for row in catalogue.genres]),
        "country": _named(catalogue.country, planted.COUNTRIES),
        "runtime_minutes": pl.Series(catalogue.runtime_minutes),
    }
    given = {name: _missing(values, MISSING_SHARE, random) for name, values in described.items()}
    titles = [f"The {one} {other}" for one, other in zip(adjective, noun, strict=True)]
    return pl.DataFrame({MOVIE_ID: ids, TITLE: titles, **given})


def _ids(kind: str, count: int) -> pl.Series:
    return pl.Series([f"{kind}-{number:0{len(str(count))}}" for number in range(1, count + 1)])


def _named(positions: planted.Rows, names: Sequence[str]) -> pl.Series:
    return pl.Series(names)[positions]


def _times(seconds: planted.Rows) -> pl.Series:
    return pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC"))


def _missing(values: pl.Series, share: float, random: np.random.Generator) -> pl.Series:
    """The values, that share of them missing."""
    return pl.select(pl.when(pl.Series(random.random(len(values)) >= share)).then(values)).to_series()
