"""Callers may send values as they stand in the tables: padded text, flags as text, and genres that few movies have."""

import polars as pl
import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from tests.conftest import Server, train

RARE = ("Noir", "Slapstick", "Western")
"""Genres of one movie each."""
SETTINGS = (
    "folds = 2\n[prior]\nrank = 4\nsweeps = 3\nfolds = 2\n[prior.with_plays]\nlandmarks = 40\n[trees]\ntrees = 5\n"
)


@pytest.fixture(scope="module")
def odd_server(small, start_lasting, tmp_path_factory) -> Server:
    """A server of a model of the small sample in odd writing."""
    folder = tmp_path_factory.mktemp("odd")
    members, movies, ratings, plays = (
        pl.read_parquet(small.data / f"{name}.parquet") for name in ("members", "movies", "ratings", "plays")
    )
    genres = [[*some, RARE[place]] if place < len(RARE) else some for place, some in enumerate(movies["genres"])]
    tables = {
        "members": members.with_columns(
            pl.col("gender").str.pad_end(8), pl.col("has_children").cast(pl.String).str.to_titlecase()
        ),
        "movies": movies.with_columns(genres=pl.Series(genres).list.join("|")),
        "ratings": ratings,
        "plays": plays,
    }
    for name, rows in tables.items():
        rows.write_csv(folder / f"{name}.csv")
    (folder / "settings.toml").write_text(SETTINGS)
    patient = ("--gate-most-latency-ratio", "100", "--settings", str(folder / "settings.toml"), "--force")
    train("retrain", "--data", str(folder), "--models", str(folder / "models"), *patient)
    return start_lasting(folder / "models")


def predict(server: Server, *genres: str, **attributes: str) -> pb.PredictEnjoymentResponse:
    member = pb.Member(attributes={name: pb.AttributeValue(text=value) for name, value in attributes.items()})
    movie = pb.Movie(movie_id="new", genres=genres)
    return server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(member=member, new_movies=[movie]))


@pytest.mark.parametrize(
    ("name", "plain", "written"), [("gender", "F", "F       "), ("gender", "M", "M "), ("has_children", "true", "True")]
)
def test_a_category_may_be_written_as_in_the_tables_or_plainly(odd_server, name, plain, written):
    answer = predict(odd_server, **{name: written})
    assert answer == predict(odd_server, **{name: plain})
    assert answer.member_evidence == pb.MEMBER_EVIDENCE_ATTRIBUTES
    assert not answer.HasField("unused")


def test_categories_are_listed_plainly_and_rare_genres_as_other(odd_server):
    described = odd_server.stub.GetModel(pb.GetModelRequest())
    categories = {attribute.name: list(attribute.categories) for attribute in described.member_attributes}
    assert set(categories["gender"]) >= {"F", "M"}
    assert categories["has_children"] == ["false", "true"]
    assert "other" in described.genres
    assert not set(RARE) & set(described.genres)


def test_a_rare_or_new_genre_of_a_movie_counts_as_other(odd_server):
    other = predict(odd_server, "other")
    assert other.predictions[0].movie_evidence == pb.MOVIE_EVIDENCE_DESCRIBED
    for genre in (*RARE, "Mumblecore", " Noir "):
        assert predict(odd_server, genre) == other


def test_a_filter_by_a_rare_genre_matches_nothing_and_by_other_all_such_movies(odd_server, small):
    def rank(genre: str) -> pb.RankMoviesResponse:
        return odd_server.stub.RankMovies(pb.RankMoviesRequest(genres=[genre], page_size=1000))

    nothing = rank("Noir")
    assert not nothing.predictions
    assert nothing.unused == pb.UnusedFacts(unknown_genres=1)
    rare = pl.read_parquet(small.data / "movies.parquet")["movie_id"].head(len(RARE))
    assert {prediction.movie_id for prediction in rank("other").predictions} >= set(rare)
