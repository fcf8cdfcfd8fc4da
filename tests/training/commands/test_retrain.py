"""Retraining publishes the same model for the same data, a working one for data of any shape, or nothing at all."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model.artifact.artifact import load_model
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts, MovieFacts, Play
from model.files.manifest import read_manifest
from model.store.job_status import RetrainStatus, read_status
from model.store.store import Store
from training.__main__ import main
from training.gate.gate_settings import GateSettings
from training.gate.kept_out import KEY, split

ROOT = Path(__file__).parents[3]
TABLES = ("members", "movies", "ratings", "plays")


@pytest.fixture
def frames(small) -> dict[str, pl.DataFrame]:
    """The tables of the small sample as its files hold them."""
    return {name: pl.read_parquet(small.data / f"{name}.parquet") for name in TABLES}


@pytest.fixture
def write(tmp_path):
    """Writes tables as a data directory."""

    def directory(frames: dict[str, pl.DataFrame | None], kind: str = "parquet", schema: str = ""):
        folder = tmp_path / f"data-{kind}"
        folder.mkdir()
        for name, frame in frames.items():
            if frame is None:
                continue
            lists = [column for column, dtype in frame.schema.items() if dtype == pl.List]
            if kind == "csv":
                frame.with_columns(pl.col(lists).list.join("|")).write_csv(folder / f"{name}.csv")
            else:
                frame.write_parquet(folder / f"{name}.parquet")
        if schema:
            (folder / "schema.toml").write_text(schema)
        return folder

    return directory


@pytest.fixture(scope="module")
def made(small, light, tmp_path_factory) -> Store:
    """A store whose one version is a light fit of the small sample."""
    models = tmp_path_factory.mktemp("made") / "models"
    assert main(["retrain", "--data", str(small.data), "--models", str(models), *light]) == 0
    return Store(models)


def hashed_files(store: Store) -> dict[str, bytes]:
    folder = store.folder(store.current())
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_same_data_and_seed_make_the_same_bytes_and_another_seed_does_not(small, made, light, retrained, capsys):
    again = retrained(small.data, *light)
    told = capsys.readouterr().out
    assert again.current() in told
    assert again.current() == made.current()
    assert hashed_files(again) == hashed_files(made)
    other = retrained(small.data, "--seed", "1", *light)
    assert other.current() != made.current()
    assert other.versions() == sorted([made.current(), other.current()])


def test_a_retrain_ends_with_a_short_summary_and_the_place_of_the_report(small, light, retrained, capsys):
    store = retrained(small.data, *light)
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert len(lines) < 20
    rmse = load_model(store.folder(store.current())).manifest.scores["attributes_and_plays"]["rmse"]
    [best] = [line for line in lines if line.startswith("attributes and plays ")]
    assert best.split()[3] == f"{rmse:.4f}"
    assert any(line.startswith("The gate lets this version serve.") for line in lines)
    page = Path(lines[-2].removeprefix("report "))
    assert page == store.root / "records" / store.current() / "report.html"
    assert page.read_text().startswith("<!doctype html>")
    assert lines[-1].startswith(f"version {store.current()} is published and serves; ")
    assert "publishing" in told.err


def test_a_retrain_is_quiet_or_prints_the_whole_report(small, light, retrained, capsys):
    store = retrained(small.data, "--quiet", *light)
    told = capsys.readouterr()
    assert [line.split(";")[0] for line in told.out.splitlines()] == [
        f"version {store.current()} is published and serves"
    ]
    assert told.err == ""
    retrained(small.data, "--verbose", *light, name="other")
    told = capsys.readouterr().out
    assert "| evidence" in told
    assert "## The gate" in told


def test_csv_and_parquet_in_any_order_make_the_same_version(small, made, light, frames, write, retrained):
    folder = write(
        {name: frame.sample(fraction=1, shuffle=True, seed=2) for name, frame in frames.items()},
        "csv", (small.data / "schema.toml").read_text(),
    )  # fmt: skip
    assert retrained(folder, *light).current() == made.current()


def test_a_version_says_how_good_it_is_and_where_it_comes_from(small):
    report = json.loads((small.folder / "report.json").read_text())
    text = (small.folder / "report.md").read_text()
    manifest, run = small.model.manifest, json.loads((small.folder / "run.json").read_text())
    assert report["evidence"] == manifest.scores
    assert set(manifest.scores) == {kind.name.lower() for kind in MemberEvidence}
    for scores in manifest.scores.values():
        assert f"{scores['rmse']:.4f}" in text
        assert {"rmse", "movie_mean_rmse", "prior_rmse", "mean_rmse", "coverage"} <= set(scores)
    assert "lightgbm_alone_rmse" in manifest.scores["plays"]
    learned = split(small.tables, KEY, GateSettings().share).training
    assert manifest.data["ratings"] == len(learned.ratings) < len(small.tables.ratings)
    assert manifest.data["movies"] == 60
    assert {"numpy", "polars", "lightgbm", "scipy", "python"} <= set(manifest.libraries)
    assert run["seconds"] > 0
    assert run["trained_at"].startswith("20")
    assert "run.json" not in manifest.files


def test_a_retrain_leaves_in_the_store_when_it_ended_its_verdict_and_its_gain(small, light, retrained):
    began = time.time()
    store = retrained(small.data, *light)
    first = read_status(store, RetrainStatus)
    assert began < first.finished_at < time.time()
    assert 0 < first.seconds < time.time() - began
    assert (first.version, first.verdict) == (store.current(), "serves")
    scores = read_manifest(store.folder(first.version)).scores
    assert first.gain_percent == scores["attributes_and_plays"]["gain_percent"]
    retrained(small.data, "--candidate", *light)
    again = read_status(store, RetrainStatus)
    assert (again.version, again.verdict) == (first.version, "candidate"), "though it was there already"
    assert again.finished_at > first.finished_at


@pytest.mark.parametrize("broken", ["movies", "ratings"])
def test_broken_data_are_told_and_nothing_is_written(broken, frames, write, tmp_path, capsys):
    if broken == "movies":
        frames["ratings"] = frames["ratings"].with_columns(movie_id=pl.lit("no such movie"))
    else:
        frames["ratings"] = None
    models = tmp_path / "models"
    assert main(["retrain", "--data", str(write(frames)), "--models", str(models)]) == 2
    assert "ratings" in capsys.readouterr().err
    assert not models.exists()


def test_a_failure_while_publishing_leaves_the_version_that_serves(small, light, tmp_path, monkeypatch):
    models = shutil.copytree(small.models, tmp_path / "models")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("training.versions.publish.write_manifest", fail)
    with pytest.raises(OSError, match="disk full"):
        main(["retrain", "--data", str(small.data), "--models", str(models), "--seed", "5", *light])
    store = Store(models)
    assert store.current() == small.version
    assert store.versions() == [small.version]
    left = {path.name for path in models.iterdir()}
    assert left == {".lock", "current", "gate_key.json", "labels.jsonl", "records", "status", "versions"}


def no_plays(frames):
    return frames | {"plays": None}


def no_attributes(frames):
    return frames | {"members": frames["members"].select("member_id")}


def ids_alone(frames):
    movies = frames["movies"].select("movie_id")
    return {
        "members": frames["members"].select("member_id"),
        "movies": movies,
        "ratings": frames["ratings"],
        "plays": None,
    }


def one_genre(frames):
    genre = pl.Series([["Drama"]] * len(frames["movies"]))
    return frames | {"movies": frames["movies"].with_columns(genres=genre)}


def all_ratings_equal(frames):
    return frames | {"ratings": frames["ratings"].with_columns(rating=pl.lit(3.0))}


def halves_from_nought_to_four(frames):
    rating = ((pl.col("rating") - 1) + 0.5 * (pl.int_range(pl.len()) % 2)).clip(0, 4)
    return frames | {"ratings": frames["ratings"].with_columns(rating=rating)}


def one_to_ten(frames):
    rating = (2 * pl.col("rating") - pl.int_range(pl.len()) % 2).cast(pl.Int64)
    return frames | {"ratings": frames["ratings"].with_columns(rating=rating)}


def odd_ids(frames):
    """Quotes, commas, line breaks and letters of all kinds."""
    strange = pl.concat_str(pl.lit('名, "'), pl.col("member_id"), pl.lit("'\n|ß"))
    movie = pl.concat_str(pl.lit("\t{"), pl.col("movie_id"), pl.lit('}\\\n"€'))
    members, movies = frames["members"].with_columns(member_id=strange), frames["movies"].with_columns(movie_id=movie)
    both = {name: frames[name].with_columns(member_id=strange, movie_id=movie) for name in ("ratings", "plays")}
    return {"members": members, "movies": movies, **both}


def one_rating_a_member(frames):
    first = frames["ratings"].unique("member_id", keep="first", maintain_order=True)
    return frames | {"ratings": first, "plays": None}


def only_the_nameless_rate_twice(frames):
    """Members with attributes have one rating each, so that nothing judges attributes together with plays."""
    described = pl.col("member_id").is_in(frames["ratings"]["member_id"].unique().sort().head(75).implode())
    ratings = frames["ratings"]
    ratings = pl.concat(
        [ratings.filter(described).unique("member_id", maintain_order=True), ratings.filter(~described)]
    )
    return frames | {"members": frames["members"].filter(described), "ratings": ratings, "plays": None}


def hardly_anybody_rates(frames):
    """Twenty raters, too few for most categories to be told apart."""
    few = frames["ratings"]["member_id"].unique().sort().head(20)
    return frames | {"ratings": frames["ratings"].filter(pl.col("member_id").is_in(few.implode()))}


def only_raters_of_everything(frames):
    """Every rater has rated every movie: nothing is left unrated, and everyone plays the same."""
    members = frames["ratings"]["member_id"].unique().sort().head(30)
    movies = frames["movies"].head(20)
    pairs = members.to_frame().join(movies.select("movie_id"), how="cross")
    rating = 1.0 + np.random.default_rng(0).integers(0, 5, len(pairs))
    return {
        "members": frames["members"], "movies": movies, "ratings": pairs.with_columns(rating=rating), "plays": None,
    }  # fmt: skip


def huge_numbers(frames):
    """An attribute of very large numbers, one of which is not finite, and one that is the same for all."""
    count = len(frames["members"])
    income = pl.Series(np.random.default_rng(0).lognormal(20, 3, count)).set(pl.Series(range(count)) == 3, np.inf)
    return frames | {"members": frames["members"].with_columns(income=income, planet=pl.lit("earth"), one=pl.lit(1.0))}


SHAPES = [
    no_plays, no_attributes, ids_alone, one_genre, all_ratings_equal, halves_from_nought_to_four, one_to_ten, odd_ids,
    one_rating_a_member, only_the_nameless_rate_twice, hardly_anybody_rates, only_raters_of_everything, huge_numbers,
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_data_of_every_shape_give_a_model_that_predicts(shape, light, frames, write, retrained):
    bent = shape(frames)
    store = retrained(
        write(bent), "--force", *light
    )  # some of these shapes hold nothing to learn, which the gate notices
    model = load_model(store.folder(store.current()))
    given = bent["ratings"]["rating"]
    assert (model.schema.scale.low, model.schema.scale.high) == (given.min(), given.max())
    nothing = MemberFacts.nothing(model.schema)
    members = [nothing, nothing.with_plays([Play(0, 0.5, 1e9), Play(1)], model.schema)]
    ids = [*bent["members"]["member_id"].tail(5), *bent["ratings"]["member_id"].head(3)]
    members += [model.members.find(member_id) for member_id in ids]
    movies = [model.catalogue.row(movie_id) for movie_id in bent["movies"]["movie_id"]]
    for facts in members:
        assert facts is not None
        found = model.predict(facts, [*movies, None, MovieFacts.of(model.schema, 2001, ["Drama"], {})])
        for name in ("rating", "lower", "upper", "prior_rating"):
            values = getattr(found, name)
            assert np.isfinite(values).all()
            assert ((values >= given.min()) & (values <= given.max())).all()
        assert ((found.probability_enjoyed >= 0) & (found.probability_enjoyed <= 1)).all()
        assert np.isfinite(found.extrapolation).all()
        model.rank(facts)
        explained = model.explain(facts, movies[0])
        assert explained.rating_before_cut == pytest.approx(sum(part.rating for part in explained.parts))


def test_a_store_at_an_address_is_retrained_into_like_a_folder(small, made, light, tmp_path, capsys):
    address, patient = f"file://{tmp_path}/far", ("--gate-most-latency-ratio", "100", *light)  # the machine may be busy
    for seed in ("0", "1"):
        assert main(["retrain", "--data", str(small.data), "--models", address, "--seed", seed, *patient]) == 0
    far = Store(tmp_path / "far")
    assert far.label("previous") == made.current()
    assert far.current() in far.versions()
    assert far.gate_key() == Store(small.models).gate_key()
    assert main(["models", "list", "--models", address]) == 0
    assert far.current() in capsys.readouterr().out
    (tmp_path / "far" / "gate_key.json").write_text("[")
    assert main(["retrain", "--data", str(small.data), "--models", address]) == 2
    assert "gate_key.json" in capsys.readouterr().err


def test_a_disk_without_room_is_told_and_leaves_the_store_as_it_was(small, light, tmp_path):
    models = shutil.copytree(small.models, tmp_path / "models")
    before = {path: path.stat().st_mtime_ns for path in models.rglob("*") if path.is_file() and path.name != ".lock"}
    places = ("--data", str(small.data), "--models", str(models))
    ended = subprocess.run(
        [sys.executable, "-m", "training", "retrain", *places, *light, "--seed", "3"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # Python would leave bytecode cut short
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("nothing more can be written: File too large")
    assert "Traceback" not in ended.stderr
    after = {path: path.stat().st_mtime_ns for path in models.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before
