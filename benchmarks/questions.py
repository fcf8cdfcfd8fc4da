"""What two checkouts of the project are both asked: calls of every method that predicts, made of a data directory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import polars as pl

RATERS = NEVER_RATERS = 40
"""Members asked about, at most."""
PLAYS_TOLD = (1, 3, 10, 30, 100)
"""How many plays requests tell at most, in turn."""
STRIPES, MOST_OF_STRIPE = 7, 900
"""Each request is for every seventh movie of the catalogue, and for so many at most."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What is asked of both checkouts."""

    name: str
    """Tells it from all others of its method."""
    method: str
    """The method of the contract."""
    requests: list[Json]
    """Several only for a stream."""


def questions_of(data: Path) -> Iterator[Question]:
    """Calls of every method that predicts, about raters and never-raters of whom more and less is told."""
    movies = [described(row) for row in pl.read_parquet(data / "movies.parquet").iter_rows(named=True)]
    filters = cycle(filters_of(movies))
    streamed = []
    for place, (member_id, attributes, plays) in enumerate(members_of(data)):
        for way, member in ways_to_tell(member_id, attributes, plays[: PLAYS_TOLD[place % len(PLAYS_TOLD)]]).items():
            name = f"member {place} by {way}"
            asked = {"member": member, **movies_asked(movies, place, [play["movie_id"] for play in plays])}
            streamed.append(asked)
            yield Question(name, "PredictEnjoyment", [asked])
            yield Question(name, "RankMovies", [{"member": member, **next(filters)}])
            movie = one_of(asked, len(streamed))
            explained = {"member": member, **movie, "suggest_next_fact": place % 2 == 0}
            yield Question(name, "ExplainEnjoyment", [explained])
    yield Question("of all", "StreamPredictEnjoyment", streamed)


def members_of(data: Path) -> list[tuple[str, Json, list[Json]]]:
    """The id, the attributes and the plays of members spread over all raters and all never-raters."""
    members = pl.read_parquet(data / "members.parquet")
    attributes = {str(row.pop("member_id")): attributes_of(row) for row in members.iter_rows(named=True)}
    tables = [pl.read_parquet(data / "ratings.parquet").rename({"rated_at": "played_at"}, strict=False).drop("rating")]
    if (data / "plays.parquet").exists():
        tables.append(pl.read_parquet(data / "plays.parquet"))
    plays: dict[str, list[Json]] = {}
    for row in pl.concat(tables, how="diagonal_relaxed").iter_rows(named=True):
        told = plays.setdefault(str(row["member_id"]), [])
        told.append(play_of(row, len(told)))
    raters = sorted({str(one) for one in tables[0]["member_id"]})
    never_raters = sorted({*attributes, *plays} - {*raters})
    chosen = [*spread(raters, RATERS), *spread(never_raters, NEVER_RATERS)]
    return [(member_id, attributes.get(member_id, {}), plays.get(member_id, [])) for member_id in chosen]


def spread(values: list[str], most: int) -> list[str]:
    """So many of them at most, evenly spread."""
    return values[:: max(1, -(-len(values) // most))]


def play_of(row: Json, place: int) -> Json:
    """A play as requests tell it, with a made-up completion for two in three whose completion the data doesn't tell."""
    played: Json = {"movie_id": str(row["movie_id"])}
    if isinstance(row.get("played_at"), datetime):
        played["played_at"] = row["played_at"].replace(tzinfo=UTC).isoformat()
    completion = row.get("completion")
    if completion is not None or place % 3:
        played["completion"] = place % 11 / 10 if completion is None else completion
    return played


def described(row: Json) -> Json:
    """A movie as requests describe it."""
    told = {"movie_id": str(row.pop("movie_id")), "release_year": row.pop("release_year", None)}
    genres = row.pop("genres", None) or []
    row.pop("title", None)
    told |= {"genres": genres.split("|") if isinstance(genres, str) else genres, "attributes": attributes_of(row)}
    return {name: value for name, value in told.items() if value is not None}


def attributes_of(row: Mapping[str, object]) -> Json:
    """The attributes of a row as requests tell them."""

    def kind(value: object) -> str:
        return "flag" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"

    return {name: {kind(value): value} for name, value in row.items() if value is not None}


def ways_to_tell(member_id: str, attributes: Json, plays: list[Json]) -> dict[str, Json]:
    """What requests tell of a member, from nothing to everything with facts that no model can use."""
    ids_alone = [{"movie_id": play["movie_id"]} for play in plays]
    all_attributes = attributes | {"no such attribute": {"text": "x"}}
    all_plays = [*ids_alone, {"movie_id": "no such movie"}]
    return {
        "nothing": {},
        "id": {"member_id": member_id},
        "attributes": {"attributes": attributes},
        "plays": {"plays": plays},
        "attributes and plays": {"attributes": attributes, "plays": plays},
        "attributes and plays without completion and time": {"attributes": attributes, "plays": ids_alone},
        "id and plays": {"member_id": member_id, "plays": plays[::2]},
        "id and all": {"member_id": member_id, "attributes": all_attributes, "plays": all_plays},
    }


def movies_asked(movies: list[Json], place: int, played: list[str]) -> Json:
    """Movies of the catalogue, some of them played, asked twice or described anew, new ones and an unknown one."""
    other = movies[place % len(movies)]
    asked = [movie["movie_id"] for movie in movies[place % STRIPES :: STRIPES]][:MOST_OF_STRIPE]
    new = [
        {**other, "movie_id": "new with all facts"},
        {"movie_id": "new with its year", "release_year": other.get("release_year", 1995)},
        {"movie_id": "new with its genres", "genres": [*other["genres"], "no such genre"]},
        {**other, "movie_id": movies[-1 - place % len(movies)]["movie_id"]},
    ]
    return {"movie_ids": [*asked, *played[-3:], asked[0], "no such movie"], "new_movies": new}


def one_of(asked: Json, place: int) -> Json:
    """One of the movies asked, every third time with its description."""
    ids, new = asked["movie_ids"], asked["new_movies"]
    return {"movie_id": ids[place % len(ids)]} if place % 3 else {"new_movie": new[place // 3 % len(new)]}


def filters_of(movies: list[Json]) -> list[Json]:
    """What rankings leave out, and how long their pages are."""
    genres = sorted({genre for movie in movies for genre in movie["genres"]})
    years = sorted(movie["release_year"] for movie in movies if "release_year" in movie) or [1995]
    return [
        {},
        {"page_size": 1000},
        {"page_size": 7, "genres": genres[:2]},
        {"page_size": 5, "min_release_year": years[len(years) // 4], "max_release_year": years[-1]},
        {"page_size": 3, "genres": genres[1::2], "max_release_year": years[len(years) // 2]},
    ]
