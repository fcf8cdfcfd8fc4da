"""Peers get the same facts as coldstart, and nothing that a held-out member would not show."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.peers.features import read_split
from benchmarks.peers.run import best_of
from benchmarks.peers.settings import CMFREC, CMFREC_WITH_RATINGS, MYFM, MYFM_WITH_RATINGS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def split(tmp_path, small) -> Path:
    """The small sample, forty of whose raters are held out: half of what they rated is left as plays."""
    tables = {
        name: pl.read_parquet(small.data / f"{name}.parquet") for name in ("members", "movies", "ratings", "plays")
    }
    held_out = pl.col("member_id").is_in(tables["ratings"]["member_id"].unique().sort().head(40).implode())
    visible = pl.int_range(pl.len()) % 2 == 0
    ratings = tables["ratings"].select("member_id", "movie_id", "rating")
    hidden = ratings.filter(held_out)
    (tmp_path / "data").mkdir()
    hidden.filter(~visible).write_parquet(tmp_path / "targets.parquet")
    learned = ratings.filter(~held_out)
    plays = pl.concat([learned, hidden.filter(visible)]).select("member_id", "movie_id")
    for name, table in (tables | {"ratings": learned, "plays": plays}).items():
        table.write_parquet(tmp_path / "data" / f"{name}.parquet")
    return tmp_path


def test_a_ratings_features_say_nothing_of_the_movie_rated(split):
    """Taking one rated movie out of a member's plays changes the features of the half that shows it, and no others."""
    data = read_split(split, 5, 0)
    plays = split / "data" / "plays.parquet"
    member, movie = int(data.member[0]), int(data.movie[0])
    table = pl.read_parquet(split / "data" / "ratings.parquet")
    row = table.row(0, named=True)
    assert (data.member[0], data.movie[0]) == (member, movie)
    own = (pl.col("member_id") == row["member_id"]) & (pl.col("movie_id") == row["movie_id"])
    pl.read_parquet(plays).filter(~own).write_parquet(plays)
    again = read_split(split, 5, 0)
    shows, hides = int(data.half[0]), 1 - int(data.half[0])
    counts = data.widths[0]  # the first number after the attributes is the logarithm of plays
    assert again.members[hides][member, counts] == pytest.approx(data.members[hides][member, counts], abs=0.02)
    assert again.members[shows][member, counts] < data.members[shows][member, counts] - 0.02


def test_held_out_members_are_shown_with_all_their_visible_plays(split):
    data = read_split(split, 5, 0)
    asked = np.unique(data.asked_member)
    assert not np.isin(asked, data.member).any()
    assert (data.members[0][asked] == data.members[1][asked]).all()
    others = np.unique(data.member)
    assert (data.members[0][others] != data.members[1][others]).any()
    assert np.isfinite(data.members[0]).all()
    assert np.isfinite(data.movies).all()
    assert sum(data.widths) == data.members[0].shape[1]


def test_shown_ratings_are_learned_from_and_change_no_feature(split, tmp_path):
    visible = pl.read_parquet(split / "data" / "plays.parquet").join(
        pl.read_parquet(split / "targets.parquet").select("member_id").unique(), on="member_id", how="semi"
    )
    shown = visible.group_by("member_id", maintain_order=True).head(3).with_columns(rating=pl.lit(2.0))
    shown.write_parquet(tmp_path / "shown.parquet")
    without, data = read_split(split, 5, 0), read_split(split, 5, 0, tmp_path / "shown.parquet")
    added = slice(len(without.rating), None)
    assert data.rating[added].tolist() == [2.0] * len(shown)
    assert np.isin(data.member[added], data.asked_member).all()
    assert (data.rating[: added.start] == without.rating).all()
    for before, after in zip((*without.members, without.movies), (*data.members, data.movies), strict=True):
        assert np.array_equal(before, after)


def test_predictions_are_written_as_the_protocol_reads_them(split, tmp_path):
    data = read_split(split, 0, 0)
    data.write(np.full(len(data.asked_member), 9.0), tmp_path / "out.parquet")
    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written.select("member_id", "movie_id").equals(pl.read_parquet(split / "targets.parquet").drop("rating"))
    assert written["rating"].unique().to_list() == [5.0]


def test_the_best_setting_of_each_peer_is_chosen():
    rows = [{"peer": "one", "rmse": 1.0}, {"peer": "other", "rmse": 0.8}, {"peer": "one", "rmse": 0.9}]
    assert best_of(rows) == {"one": rows[2], "other": rows[1]}
    assert all(len(settings) > 2 for settings in (CMFREC, MYFM, CMFREC_WITH_RATINGS, MYFM_WITH_RATINGS))


@pytest.mark.parametrize("lacking", ["--data", "--protocol", "--python"])
def test_a_missing_data_set_is_skipped_and_named(lacking, tmp_path):
    there = {"--data": tmp_path, "--protocol": tmp_path, "--python": tmp_path} | {lacking: tmp_path / "nowhere"}
    call = [sys.executable, "-m", "benchmarks.peers.run", *(str(part) for pair in there.items() for part in pair)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "isn't" in json.loads(done.stdout)["skipped"]
