"""Makes the tables of a synthetic data directory, and the true enjoyment of its never-raters.

Raters play and rate movies; never-raters only play them. Some never-raters have no row in the members table, some have
no plays, and a few have neither. `truth.parquet` contains the enjoyment of never-raters for randomly drawn movies, and
the ratings that they would give if they began to rate. Training doesn't read it.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl

from features.columns import COMPLETION, GENRES, MEMBER_ID, MOVIE_ID, PLAYED_AT, RATED_AT, RATING, RELEASE_YEAR, TITLE
from model.facts.facts import SECONDS_PER_DAY
from training.data.datasets import hidden_world
from training.data.datasets.hidden_world import Block, Members, Movies

FEWEST_MEMBERS, FEWEST_MOVIES = 40, 20
"""Minimum numbers of members and movies. Smaller samples would fail the checks of a data directory."""

TRUTH_MOVIES = 40
"""Number of movies, drawn at random, for which the truth contains the enjoyment of each never-rater."""

MISSING_SHARE = 0.06
"""Share of missing values in each column of the members and movies tables except ids and titles."""

PLAYED_AT_SHARE, COMPLETION_SHARE = 0.8, 0.6
"""Share of plays with a time, and share of plays with a completion."""

END_OF_DATA = 1_700_000_000
"""Time of the end of the data, in seconds since 1970 UTC."""

DAYS = 1000
"""Number of days from the first plays to the end of the data."""

NEVER_RATER_STREAM = 1
"""Distinguishes the random numbers of never-raters' ratings, which change no others, by a second seed."""

REPORTS = 10
"""Number of times that progress is reported while plays and ratings are drawn."""

ADJECTIVES = ("Broken", "Crimson", "Distant", "Gentle", "Hidden", "Last", "Quiet", "Second", "Silver", "Winter")
NOUNS = ("Bridge", "Garden", "Harbour", "Letter", "Promise", "River", "Shadow", "Summer", "Voyage", "Witness")

TABLES = ("members", "movies", "ratings", "plays", "truth")
"""Names of the tables."""

SCHEMA = """[ratings]
scale = [1.0, 5.0]
enjoyed_from = 4.0
"""


def draw_sample(
    members: int, movies: int, seed: int, progress: Callable[[str], None]
) -> Iterator[dict[str, pl.DataFrame]]:
    """Yield the tables of a sample as they are stored in files, in parts that have some of the tables each.

    The parts of a table are in the order of members. `ratings`, `plays` and `truth` have one part per block of members;
    `members` and `movies` have one part. `truth` has the columns `member_id`, `movie_id`, `enjoyment` (1 to 5, without
    noise), `played` and `rating` (what the member would rate the movie, with a rater's noise and rounding), and rows
    for never-raters only. `progress` is called about ten times.
    """
    random, of_never_raters = np.random.default_rng(seed), np.random.default_rng([seed, NEVER_RATER_STREAM])
    catalogue, people = hidden_world.draw_movies(movies, random), hidden_world.draw_members(members, random)
    member_ids, movie_ids = _ids("member", members), _ids("movie", movies)
    next_report = 0
    for block in hidden_world.draw_blocks(people, catalogue, random):
        if block.first >= next_report:
            progress(f"plays and ratings, {block.first:,} of {members:,} members")
            next_report += members // REPORTS
        ids = member_ids[block.first : block.first + len(block.enjoyment)]
        plays, ratings = _events(block, ids, movie_ids, random)
        truth = _truth(block, people, ids, movie_ids, random)
        would_rate = pl.Series(RATING, _rated(truth["enjoyment"].to_numpy(), of_never_raters))
        yield {"ratings": ratings, "plays": plays, "truth": truth.with_columns(would_rate)}
    progress("members, movies and one file for each table")
    yield {"members": _members_table(people, member_ids, random), "movies": _movies_table(catalogue, movie_ids, random)}


def _events(
    block: Block, member_ids: pl.Series, movie_ids: pl.Series, random: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw the plays and ratings of a block. A rating is given about two days after its play, on average."""
    member, movie = np.nonzero(block.played)
    enjoyment = block.enjoyment[member, movie]
    ago = random.uniform(0, DAYS * SECONDS_PER_DAY, len(enjoyment)).astype(np.int64)
    waited = np.minimum(random.exponential(2 * SECONDS_PER_DAY, len(enjoyment)).astype(np.int64), ago)
    completion = np.round(np.clip(0.1 + 0.2 * (enjoyment - 1) + 0.18 * random.normal(size=len(enjoyment)), 0.01, 1), 2)
    rating = _rated(enjoyment, random)
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


def _rated(enjoyment: hidden_world.Floats, random: np.random.Generator) -> hidden_world.Floats:
    """Draw the whole-star ratings (N,) that members give movies of this enjoyment (N,)."""
    noise = hidden_world.NOISE_SPREAD * random.normal(size=len(enjoyment))
    rating: hidden_world.Floats = np.clip(np.rint(enjoyment + noise), hidden_world.LOW, hidden_world.HIGH)
    return rating


def _truth(
    block: Block, people: Members, member_ids: pl.Series, movie_ids: pl.Series, random: np.random.Generator
) -> pl.DataFrame:
    """Return the enjoyment of a block's never-raters for randomly drawn movies."""
    count = min(TRUTH_MOVIES, len(movie_ids))
    never_rates = np.flatnonzero(people.never_rates[block.first : block.first + len(block.enjoyment)])
    drawn = hidden_world.lowest_positions(random.random(block.enjoyment.shape)[never_rates], count)
    member, movie = np.repeat(never_rates, count), drawn.ravel()
    columns = {"enjoyment": block.enjoyment[member, movie], "played": block.played[member, movie]}
    return pl.DataFrame({MEMBER_ID: member_ids[member], MOVIE_ID: movie_ids[movie], **columns})


def _members_table(people: Members, ids: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    attributes = {
        "age": pl.Series(people.age),
        "gender": _named(people.gender, hidden_world.GENDERS),
        "region": _named(people.region, hidden_world.REGIONS),
        "occupation": _named(people.occupation, hidden_world.OCCUPATIONS),
        "has_children": pl.Series(people.has_children),
        **{name: pl.Series(people.answers[:, place]) for place, name in enumerate(hidden_world.ANSWERS)},
    }
    given = {name: _missing(values, MISSING_SHARE, random) for name, values in attributes.items()}
    return pl.DataFrame({MEMBER_ID: ids, **given}).filter(pl.Series(people.has_row))


def _movies_table(catalogue: Movies, ids: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    adjective, noun = random.choice(ADJECTIVES, len(ids)), random.choice(NOUNS, len(ids))
    names = np.array(hidden_world.GENRES)
    described = {
        RELEASE_YEAR: pl.Series(catalogue.year),
        GENRES: pl.Series([names[row].tolist() for row in catalogue.genres]),
        "country": _named(catalogue.country, hidden_world.COUNTRIES),
        "runtime_minutes": pl.Series(catalogue.runtime_minutes),
    }
    given = {name: _missing(values, MISSING_SHARE, random) for name, values in described.items()}
    titles = [f"The {first} {second}" for first, second in zip(adjective, noun, strict=True)]
    return pl.DataFrame({MOVIE_ID: ids, TITLE: titles, **given})


def _ids(kind: str, count: int) -> pl.Series:
    return pl.Series([f"{kind}-{number:0{len(str(count))}}" for number in range(1, count + 1)])


def _named(positions: hidden_world.Rows, names: Sequence[str]) -> pl.Series:
    return pl.Series(names)[positions]


def _times(seconds: hidden_world.Rows) -> pl.Series:
    return pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC"))


def _missing(values: pl.Series, share: float, random: np.random.Generator) -> pl.Series:
    """Return the values with a random share of them replaced by null."""
    return pl.select(pl.when(pl.Series(random.random(len(values)) >= share)).then(values)).to_series()
