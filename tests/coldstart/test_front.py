"""The front for notebooks gives what the commands give, for frames of any library and for a folder."""

import io
import json

import polars as pl
import pytest

import coldstart
from coldstart.jobs import Progress
from model.prediction.interview import movies_to_ask
from model.store.store import Store
from training.__main__ import main
from training.versions.offline import RANKING_COLUMNS

TABLES = ("members", "movies", "ratings", "plays")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings of a fit that takes a moment."""
    file = tmp_path_factory.mktemp("settings") / "light.toml"
    file.write_text(
        "folds = 3\n[prior]\nrank = 4\nsweeps = 3\nsweeps_per_round = 1\nembedding = 20\n[trees]\ntrees = 10\n"
    )
    return file


@pytest.fixture(scope="module")
def frames(small) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(small.data / f"{name}.parquet") for name in TABLES}


@pytest.fixture(scope="module")
def schema(small) -> str:
    return (small.data / "schema.toml").read_text()


@pytest.fixture(scope="module")
def model(frames, schema, settings):
    return coldstart.train(**frames, schema=schema, settings=settings, progress=False)


@pytest.fixture(scope="module")
def commanded(small, settings, tmp_path_factory) -> Store:
    """The store of the command with the same data."""
    models = tmp_path_factory.mktemp("commanded") / "models"
    places = ("--data", str(small.data), "--models", str(models))
    assert main(["retrain", *places, "--settings", str(settings)]) == 0
    return Store(models)


def test_frames_and_a_folder_make_the_version_that_the_command_makes(small, settings, model, commanded):
    assert model.version == commanded.current()
    assert coldstart.train(small.data, settings=settings, progress=False).version == model.version


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_frames_of_other_libraries_make_the_same_version_and_come_out_as_they_came_in(
    library, frames, schema, settings, model
):
    pytest.importorskip("pyarrow")
    pytest.importorskip(library)
    convert = pl.DataFrame.to_pandas if library == "pandas" else pl.DataFrame.to_arrow
    given = {name: convert(frame) for name, frame in frames.items()}
    other = coldstart.train(**given, schema=schema, settings=settings, progress=False)
    assert other.version == model.version
    pairs = frames["ratings"].select("member_id", "movie_id").head(5)
    for frame in (other.predict(convert(pairs)), other.rank("member-0001"), other.explain("movie-01"), other.movies):
        assert type(frame) is type(given["movies"])
    assert other.predict(convert(pairs)).equals(convert(model.predict(pairs)))


def test_pairs_are_predicted_as_the_service_does(small, model, frames):
    pairs = pl.DataFrame(
        {"member_id": ["member-0001", "nobody", "member-0001", "member-0002"],
         "movie_id": ["movie-03", "movie-03", "nowhere", "movie-01"]},
    )  # fmt: skip
    found = model.predict(pairs)
    assert found.select("member_id", "movie_id").equals(pairs)
    own = model._model
    for row in found.iter_rows(named=True):
        facts = model._facts(row["member_id"])
        served = own.predict(facts, [own.catalogue.row(row["movie_id"])])
        assert (row["rating"], row["lower"], row["upper"]) == (served.rating[0], served.lower[0], served.upper[0])
    assert found["movie_evidence"].to_list() == ["rated", "rated", "unknown", "rated"]
    assert found["member_evidence"][1] == "nothing"
    assert len(model.predict(pairs.head(0))) == 0


def test_a_ranking_leaves_out_what_was_played_and_takes_filters(model, frames):
    ranked = model.rank("member-0001", size=60)
    assert ranked.columns == [name for name in RANKING_COLUMNS if name != "member_id"]
    played = frames["plays"].filter(pl.col("member_id") == "member-0001")["movie_id"]
    assert not set(played) & set(ranked["movie_id"])
    assert ranked["rating"].is_sorted(descending=True)
    best = ranked["movie_id"][0]
    assert best not in set(model.rank("member-0001", plays=[best], size=60)["movie_id"])
    assert model.rank("member-0001", plays={best: 0.5}, size=60).equals(
        model.rank("member-0001", plays={best: 0.5}, size=60)
    )
    years = dict(frames["movies"].select("movie_id", "release_year").iter_rows())
    later = model.rank(years=(1990, None), genres=["Drama"], size=60)
    genres = dict(frames["movies"].select("movie_id", "genres").iter_rows())
    assert len(later) > 0
    for movie_id in later["movie_id"]:
        assert years[movie_id] >= 1990
        assert "Drama" in genres[movie_id]


def test_attributes_and_plays_of_a_newcomer_count(model):
    assert model.rank(size=1)["member_evidence"].to_list() == ["nothing"]
    known = model.rank(attributes={"age": 34, "gender": "F", "unheard_of": 1}, plays=["movie-01", "nowhere"], size=1)
    assert known["member_evidence"].to_list() == ["attributes and plays"]
    rated = model.rank(attributes={"age": 34}, ratings={"movie-01": 4.0}, size=60)
    assert set(rated["member_evidence"]) == {"attributes and ratings"}
    assert "movie-01" not in set(rated["movie_id"]), "a rating is a play too"
    with pytest.raises(ValueError, match="within the scale, 1 to 5"):
        model.rank(ratings={"movie-01": 7.0})
    with pytest.raises(ValueError, match="age takes a number"):
        model.rank(attributes={"age": "young"})


def test_movies_to_ask_for_are_those_of_the_service(model, frames):
    member = model._facts("member-0001")
    asked = model.suggest("member-0001", size=5)
    served = movies_to_ask(model._model, member, None, 5)
    assert asked["movie_id"].to_list() == [model._model.catalogue.movie_ids[row] for row in served.rows]
    assert asked["expected_width"].to_list() == served.expected_width.tolist()
    assert (asked["current_width"] > asked["expected_width"]).all()
    some = frames["movies"]["movie_id"].head(8).to_list()
    assert set(model.suggest(plays=some[:3], movies=[*some, "nowhere"], size=60)["movie_id"]) == set(some)
    assert some[0] not in set(model.suggest(ratings={some[0]: 3.0}, movies=some)["movie_id"])
    assert len(model.suggest(movies=[])) == 0


def test_an_explanation_adds_up_to_the_rating(model):
    parts = model.explain("movie-03", "member-0001")
    assert parts["group"].to_list()[-1] == "rating"
    low, high = model._model.schema.scale.low, model._model.schema.scale.high
    assert min(max(parts["rating"][:-1].sum(), low), high) == pytest.approx(parts["rating"][-1])


def test_a_model_is_published_through_the_gate_and_loaded(model, frames, schema, settings, tmp_path):
    outcome = model.publish(tmp_path / "models", note="by hand")
    assert outcome == f"version {model.version} is published and serves"
    loaded = coldstart.load(tmp_path / "models")
    assert loaded.version == model.version
    assert loaded.rank("member-0001").equals(model.rank("member-0001"))
    assert Store(tmp_path / "models").moves()[0].reason.why == "publish in a notebook"
    with pytest.raises(coldstart.FrontError, match="was loaded from a store"):
        loaded.publish(tmp_path / "models")
    shuffled = frames | {"ratings": frames["ratings"].with_columns(pl.col("rating").shuffle(seed=1))}
    worse = coldstart.train(**shuffled, schema=schema, settings=settings, progress=False)
    assert "held back" in worse.publish(tmp_path / "models")
    assert coldstart.load(tmp_path / "models").version == model.version
    with pytest.raises(coldstart.FrontError, match="no version serves there"):
        coldstart.load(tmp_path / "nothing")


def test_an_evaluation_shows_itself(model, small, settings):
    evaluation = coldstart.evaluate(small.data, settings=settings, folds=3, progress=False)
    scores = evaluation.scores
    assert {"nothing", "attributes", "plays", "attributes and plays"} <= set(scores["known"])
    assert scores["rmse"].to_list() == [
        evaluation.report["evidence"][name.replace(" ", "_")]["rmse"] for name in scores["known"]
    ]
    assert evaluation._repr_html_().startswith("<iframe srcdoc=")
    assert "&lt;svg" in evaluation._repr_html_()
    assert f"{scores['rmse'][-1]:.4f}" in repr(evaluation)
    assert model.version in repr(model)


def test_tables_that_are_missing_or_wrong_are_refused_in_words(frames):
    with pytest.raises(coldstart.InvalidTables, match="movies is missing"):
        coldstart.train(members=frames["members"], ratings=frames["ratings"])
    with pytest.raises(
        coldstart.InvalidTables, match="must be a frame of polars or pandas, or an Arrow table, not list"
    ):
        coldstart.train(**frames | {"members": [1]})
    with pytest.raises(coldstart.InvalidTables, match="either a folder or frames"):
        coldstart.train("data", members=frames["members"])
    with pytest.raises(coldstart.JobFailed, match="ratings, column rating: the column is missing") as raised:
        coldstart.train(**frames | {"ratings": frames["ratings"].drop("rating")}, progress=False)
    assert raised.value.exit_code == 2


def test_progress_is_shown_in_place_on_a_terminal_and_as_lines_elsewhere():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for out, shown in ((Terminal(), "\r1 s  trees\r2 s  gate \n"), (io.StringIO(), "T1Z 1 s  trees\nT2Z 2 s  gate\n")):
        progress = Progress(out)
        progress.step("T1Z 1 s  trees")
        progress.step("T2Z 2 s  gate")
        progress.end()
        assert out.getvalue() == shown


def test_the_front_is_imported_when_it_is_used(tmp_path):
    import subprocess
    import sys

    call = "import sys, coldstart, json; print(json.dumps([name in sys.modules for name in ('polars', 'numpy')]))"
    told = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == [False, False]
    assert set(coldstart.__all__) <= set(dir(coldstart))
