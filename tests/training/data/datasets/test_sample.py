"""The sample data passes the checks, holds all kinds of members and movies, and its truth can be learned."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from training.__main__ import main
from training.data.datasets import hidden_world
from training.data.datasets.sample import TABLES, draw_sample
from training.data.infer_schema import infer_schema
from training.data.reading.tables import read_tables


@pytest.fixture(scope="module")
def world() -> dict[str, pl.DataFrame]:
    return sampled(0)


def sampled(seed: int) -> dict[str, pl.DataFrame]:
    parts = list(draw_sample(1200, 300, seed, [].append))
    return {name: pl.concat([part[name] for part in parts if name in part]) for name in TABLES}


def ids(frame: pl.DataFrame) -> set[str]:
    return set(frame["member_id"])


def test_the_sample_passes_the_checks(tmp_path, capsys):
    assert main(["sample", "--out", str(tmp_path / "data")]) == 0
    assert main(["validate", "--data", str(tmp_path / "data")]) == 0
    tables = read_tables(tmp_path / "data")
    assert tables.ratings["member_id"].n_unique() == 900
    assert len(tables.movies) == 300
    assert tables.scale.low == 1
    kinds = {attribute.name: attribute.kind for attribute in infer_schema(tables)[0].member_attributes}
    assert set(kinds.values()) == {"categorical", "numeric"}


@pytest.mark.parametrize(("members", "movies"), [(40, 20), (60, 400), (3000, 30)])
def test_a_sample_of_any_size_passes_the_checks(tmp_path, members, movies):
    size = ["--members", str(members), "--movies", str(movies)]
    assert main(["sample", "--out", str(tmp_path), *size, "--seed", "3"]) == 0
    tables = read_tables(tmp_path)
    assert len(tables.movies) == movies
    assert tables.ratings["member_id"].n_unique() == pytest.approx(members * 0.75, rel=0.01)


def test_the_same_seed_makes_the_same_bytes(tmp_path):
    for name, seed in (("one", "7"), ("two", "7"), ("other", "8")):
        assert main(["sample", "--out", str(tmp_path / name), "--members", "80", "--movies", "40", "--seed", seed]) == 0
    first, second, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two", "other")
    )
    assert first == second
    assert (
        first.keys()
        == other.keys()
        == {
            "members.parquet",
            "movies.parquet",
            "ratings.parquet",
            "plays.parquet",
            "truth.parquet",
            "schema.toml",
        }
    )
    assert all(first[name] != other[name] for name in first)


def test_the_usual_sample_stays_as_it_is(tmp_path, capsys):
    assert main(["sample", "--out", str(tmp_path)]) == 0
    rows = "members 1,126, movies 300, ratings 39,987, plays 67,142, truth 12,000 rows"
    assert capsys.readouterr().out == f"{tmp_path} holds {rows}\n"
    ratings = pl.read_parquet(tmp_path / "ratings.parquet")
    assert ratings["rating"].sum() == 156_302
    assert ratings.row(0) == ("member-0002", "movie-021", 4.0, datetime(2022, 4, 30, 21, 37, 1, tzinfo=UTC))
    assert ratings.row(-1) == ("member-1200", "movie-297", 4.0, datetime(2022, 10, 27, 10, 13, 53, tzinfo=UTC))


def test_a_sample_in_several_blocks_is_one_file_a_table_in_the_order_of_members(tmp_path):
    assert main(["sample", "--out", str(tmp_path), "--members", "2100", "--movies", "30"]) == 0
    parts = list(draw_sample(2100, 30, 0, [].append))
    assert len(parts) == 4
    assert {path.stem for path in tmp_path.glob("*.parquet")} == set(TABLES)
    for name in TABLES:
        rows = pl.read_parquet(tmp_path / f"{name}.parquet")
        assert rows.equals(pl.concat([part[name] for part in parts if name in part]))
        if name != "movies":
            assert rows["member_id"].is_sorted()


def test_blocks_have_fewer_members_when_there_are_many_movies():
    random = np.random.default_rng(0)
    movies, members = hidden_world.draw_movies(6000, random), hidden_world.draw_members(900, random)
    sizes = [len(block.played) for block in hidden_world.draw_blocks(members, movies, random)]
    assert sizes == [699, 201]


def test_the_lowest_values_are_those_that_sorting_puts_first():
    values = np.random.default_rng(0).random((30, 50))
    for count in (1, 7, 50):
        lowest = hidden_world.lowest_positions(values, count)
        assert np.array_equal(lowest, np.argsort(values, axis=1)[:, :count])
    assert hidden_world.lowest_positions(values[:0], 7).shape == (0, 7)


@pytest.mark.parametrize(("members", "reports"), [(40, 2), (2100, 4), (13000, 11)])
def test_progress_is_reported_about_ten_times(members, reports):
    steps = []
    for _ in draw_sample(members, 20, 0, steps.append):
        assert steps
    assert len(steps) == reports
    assert steps[0] == f"plays and ratings, 0 of {members:,} members"


def test_never_raters_of_every_kind_are_there(world):
    never, rated = ids(world["truth"]), ids(world["ratings"])
    described, played = ids(world["members"]), ids(world["plays"])
    assert len(never) == 300
    assert len(rated) == 900
    assert not never & rated
    assert len(never & described & played) > 120
    assert len(never & described - played) > 30
    assert len(never & played - described) > 30
    assert len(never - played - described) > 3
    assert rated - described


def test_movies_of_every_kind_are_there(world):
    rated, played = world["ratings"]["movie_id"].n_unique(), world["plays"]["movie_id"].n_unique()
    assert rated < played < len(world["movies"]) == 300


def test_a_rater_has_about_45_ratings_and_every_rating_is_a_play(world):
    assert 38 < len(world["ratings"]) / 900 < 52
    assert world["ratings"].join(world["plays"], on=["member_id", "movie_id"], how="anti").is_empty()


def test_some_of_what_is_known_is_missing(world):
    for table, known in (("members", world["members"].columns[1:]), ("movies", ["release_year", "genres", "country"])):
        for column in known:
            assert 0.02 < world[table][column].null_count() / len(world[table]) < 0.12
    assert 0.1 < world["plays"]["played_at"].null_count() / len(world["plays"]) < 0.3
    assert 0.3 < world["plays"]["completion"].null_count() / len(world["plays"]) < 0.5


def test_the_truth_covers_movies_drawn_from_all(world):
    truth = world["truth"]
    assert truth.columns == ["member_id", "movie_id", "enjoyment", "played", "rating"]
    assert truth.group_by("member_id").len()["len"].unique().to_list() == [40]
    assert truth["movie_id"].n_unique() == 300
    assert truth["enjoyment"].is_between(1, 5).all()
    plays = world["plays"].select("member_id", "movie_id", stands=pl.lit(True))
    looked_up = truth.join(plays, on=["member_id", "movie_id"], how="left", maintain_order="left")
    assert looked_up["stands"].fill_null(False).equals(truth["played"], check_names=False)


def test_never_raters_would_rate_as_raters_do(world):
    given = world["truth"].with_columns(missed=pl.col("rating") - pl.col("enjoyment"))
    assert given["rating"].unique().sort().to_list() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert abs(given["missed"].mean()) < 0.02
    assert given["missed"].std() == pytest.approx(np.hypot(hidden_world.NOISE_SPREAD, np.sqrt(1 / 12)), rel=0.1)


def test_what_is_played_and_to_which_end_tells_of_enjoyment(world):
    truth = world["truth"]
    played = truth.filter("played").join(world["plays"], on=["member_id", "movie_id"])
    assert played["enjoyment"].mean() > truth["enjoyment"].mean() + 0.1
    assert played.drop_nulls("completion").select(pl.corr("completion", "enjoyment")).item() > 0.4


def one_hot(column: pl.Series) -> np.ndarray:
    numbers = column.to_dummies().to_numpy() if column.dtype == pl.String else column.cast(float).to_numpy()[:, None]
    filled = np.nan_to_num(numbers.astype(float), nan=np.nanmean(numbers))
    return (filled - filled.mean(axis=0)) / (filled.std(axis=0) + 1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_attributes_and_plays_tell_the_truth_better_than_movie_means(seed):
    """A plain ridge from attributes and plays to each rater's residuals, with no access to the hidden world."""
    world = sampled(seed)
    members, movies, ratings, plays = (world[name] for name in ("members", "movies", "ratings", "plays"))
    mean = ratings["rating"].mean()
    movie = ratings.group_by("movie_id").agg(movie_mean=(pl.col("rating").sum() + 5 * mean) / (pl.len() + 5))
    truth = world["truth"].join(movie, on="movie_id", how="left").with_columns(pl.col("movie_mean").fill_null(mean))
    by_movie = truth.select(pl.corr("movie_mean", "enjoyment")).item()
    assert 0.5 < by_movie < 0.65

    row = {name: place for place, name in enumerate(members["member_id"])}
    column = {name: place for place, name in enumerate(movies["movie_id"])}

    def matrix(frame: pl.DataFrame, values: np.ndarray) -> np.ndarray:
        known = frame.with_columns(value=values).filter(pl.col("member_id").is_in(list(row)))
        filled = np.zeros((len(row), len(column)))
        places = [row[name] for name in known["member_id"]], [column[name] for name in known["movie_id"]]
        filled[places] = known["value"]
        return filled

    residual = ratings.join(movie, on="movie_id", how="left", maintain_order="left")
    residuals = matrix(ratings, (residual["rating"] - residual["movie_mean"]).to_numpy())
    rated = matrix(ratings, np.ones(len(ratings)))
    played = matrix(plays, np.ones(len(plays)))
    left, strength, right = np.linalg.svd(played / np.sqrt(played.sum(1, keepdims=True) + 1), full_matrices=False)
    facts = np.hstack([np.ones((len(row), 1)), *(one_hot(members[name]) for name in members.columns[1:])])
    facts = np.hstack([facts, 8 * (left * strength)[:, :12]])
    genres = movies["genres"].list.join("|").fill_null("").str.split("|").to_frame().with_row_index()
    genres = (
        genres.explode("genres").to_dummies("genres").group_by("index").max().sort("index").drop("index").to_numpy()
    )
    traits = np.hstack([genres, 2 * right[:12].T * np.sqrt(len(column)) / 4, np.ones((len(column), 1))]).astype(float)

    raters = rated.sum(1) > 0
    squares = (traits[:, :, None] * traits[:, None, :]).reshape(len(traits), -1)
    grams = (rated @ squares).reshape(len(row), traits.shape[1], -1) + 8 * np.eye(traits.shape[1])
    taste = np.linalg.solve(grams, (residuals @ traits)[:, :, None])[:, :, 0]
    gram = facts[raters].T @ facts[raters] + 30 * np.eye(facts.shape[1])
    predicted = facts @ np.linalg.solve(gram, facts[raters].T @ taste[raters]) @ traits.T
    both = truth.filter(pl.col("member_id").is_in(list(ids(members) & ids(plays))))
    predictions = predicted[[row[name] for name in both["member_id"]], [column[name] for name in both["movie_id"]]]
    of_both = np.corrcoef(both["movie_mean"].to_numpy() + predictions, both["enjoyment"].to_numpy())[0, 1]
    assert of_both > by_movie + 0.08


def test_too_small_a_sample_is_a_wrong_call(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["sample", "--out", str(tmp_path), "--members", "39"])
    assert "must be 40 or more" in capsys.readouterr().err


def test_a_folder_of_ones_own_is_never_overwritten(tmp_path, capsys):
    (tmp_path / "members.csv").write_text("mine")
    assert main(["sample", "--out", str(tmp_path)]) == 2
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_sample_replaces_a_sample_and_never_tables_of_another_origin(tmp_path, capsys):
    out, small = tmp_path / "data", ("--members", "40", "--movies", "20")
    for seed in ("1", "2"):
        assert main(["sample", "--out", str(out), "--seed", seed, *small]) == 0
    schema = out / "schema.toml"
    schema.write_text(schema.read_text().replace("sample, seed 2", "import movielens, ml-1m"))
    before = (out / "ratings.parquet").read_bytes()
    assert main(["sample", "--out", str(out), *small]) == 2
    assert "files that this command has not written" in capsys.readouterr().err
    assert (out / "ratings.parquet").read_bytes() == before
