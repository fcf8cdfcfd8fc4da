"""The evaluation by time shows a change of taste that the plain one can't, and learns from nothing later."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.training.changed_data import tables_with
from training.__main__ import main
from training.data.dataset import make_dataset, read_dataset
from training.data.passes.play_table import play_table
from training.errors import DataError
from training.evaluation.by_time import SplitPoint, evaluate_by_time, split_by_time, split_point, split_time
from training.evaluation.evaluate import evaluate
from training.fit.fit_model import fit_model
from training.settings import FitSettings, PriorSettings, TreeSettings

SHARE = SplitPoint(share=0.6)
QUICK = FitSettings(
    folds=2,
    prior=PriorSettings(rank=6, sweeps=5, rounds=1, embedding=20, sight=10, folds=2),
    trees=TreeSettings(trees=15),
)


@pytest.fixture(scope="module")
def tables(small):
    return read_dataset(small.data, 20)[0]


@pytest.fixture(scope="module")
def data(small):
    return read_dataset(small.data, 20)[1]


def silent(_: str, share: float | None = None) -> None:
    pass


def by_time(passes, data, where=SHARE):
    return evaluate_by_time(passes, data, split_time(data.play_table, where), 0, QUICK, silent)


def test_a_drift_is_seen_by_time_and_not_without(passes, tables, data):
    moment = split_time(data.play_table, SHARE)
    number = pl.col("movie_id").str.tail(2).cast(pl.Int64)
    turns = (number % 2 == 0) & (pl.col("rated_at") >= moment)
    flipped = pl.when(turns).then(6 - pl.col("rating")).otherwise("rating")
    turned = tables_with(tables, tables.ratings.with_columns(rating=flipped))
    drifted = make_dataset(turned, data.schema)
    steady, shifted = by_time(passes, data)["evidence"], by_time(passes, drifted)["evidence"]
    plain = evaluate(passes, fit_model(passes, drifted, 0, QUICK, silent), 0, silent)["evidence"]
    for name in ("attributes_and_plays", "plays"):
        assert steady[name]["rmse"] < 0.97 * steady[name]["mean_rmse"], name
        assert steady[name]["rmse"] < 1.1 * steady[name]["before_rmse"], name
        assert shifted[name]["rmse"] > 0.99 * shifted[name]["mean_rmse"], name
        assert shifted[name]["rmse"] > 1.3 * shifted[name]["before_rmse"], name
        assert plain[name]["rmse"] < plain[name]["mean_rmse"], name


def test_nothing_later_is_learned_from_and_nothing_later_is_shown(tables, data):
    moment = split_time(data.play_table, SHARE)
    split = split_by_time(data, moment, np.random.default_rng(0))
    rated = tables.ratings.with_columns(
        member=pl.col("member_id").replace_strict(dict(zip(data.member_ids, range(len(data.member_ids)), strict=True))),
        movie=pl.col("movie_id").replace_strict(dict(zip(data.movie_ids, range(len(data.movie_ids)), strict=True))),
    )
    earlier = set(rated.filter(pl.col("rated_at") < moment).select("member", "movie").rows())
    assert set(split.before.ratings.select("member", "movie").rows()) == earlier
    after = split.after
    owner = pl.Series(after.member)
    time = {row[:2]: row[2] for row in rated.select("member", "movie", "rated_at").rows()}
    asked = after.targets.with_columns(member=owner.gather(after.targets["view"]))
    shown = after.plays.with_columns(member=owner.gather(after.plays["view"]))
    assert all(time[pair] >= moment for pair in asked.select("member", "movie").rows())
    assert not set(asked.select("member", "movie").rows()) & set(shown.select("member", "movie").rows())
    assert after.play_count.tolist() == np.bincount(shown["view"], minlength=len(after.member)).tolist()
    first_asked: dict[int, float] = {}
    for pair in asked.select("member", "movie").rows():
        first_asked[pair[0]] = min(first_asked.get(pair[0], np.inf), time[pair])
    rated_and_shown = [pair for pair in shown.select("member", "movie").rows() if pair in time]
    assert rated_and_shown
    known = [time[pair] <= first_asked[pair[0]] + 60 * 86_400 for pair in rated_and_shown]
    assert np.mean(known) > 0.9  # ratings follow plays by days, and plays are what is shown


def test_the_split_does_not_depend_on_partitions_but_leaves_them_as_they_are(tables, data):
    moment = split_time(data.play_table, SHARE)
    times = tables.ratings["rated_at"].sort()
    assert moment == times[int(len(times) * 0.6)]
    whole = split_by_time(data, moment, np.random.default_rng(0))
    divided = replace(data, play_table=play_table(data.play_table.collect(), len(data.member_ids), 300))
    assert split_time(divided.play_table, SHARE) == moment
    split = split_by_time(divided, moment, np.random.default_rng(0))
    assert len(split.before.play_table.partitions) == len(divided.play_table.partitions) > 5
    assert split.before.play_table.collect().equals(whole.before.play_table.collect())
    assert split.before.play_table.plays.tolist() == whole.before.play_table.plays.tolist()
    assert split.before.raters.tolist() == whole.before.raters.tolist()
    assert split.after.plays.equals(whole.after.plays)
    assert split.after.targets.equals(whole.after.targets)


def test_movies_first_rated_after_the_moment_fall_back_to_their_description(passes, tables, data):
    moment = split_time(data.play_table, SHARE)
    new = tables.movies["movie_id"][:25].implode()
    later = tables_with(tables, tables.ratings.filter(~pl.col("movie_id").is_in(new) | (pl.col("rated_at") >= moment)))
    scores = by_time(passes, make_dataset(later, data.schema), SplitPoint(seconds=moment))
    assert set(scores["movies"]) >= {"rated before", "first rated after, described"}
    assert scores["movies"]["first rated after, described"]["targets"] > 50
    assert scores["movies"]["first rated after, described"]["rmse"] > scores["movies"]["rated before"]["rmse"]


def test_evaluate_reports_it(small, light, tmp_path):
    call = ["evaluate", "--data", str(small.data), "--folds", "2", "--out", str(tmp_path)]
    assert main([*call, "--by-time", "--at", "0.7", *light]) == 0
    scores = json.loads((tmp_path / "report.json").read_text())["by_time"]
    report = (tmp_path / "report.md").read_text()
    assert "## By time" in report
    assert scores["moment"] in report
    assert set(scores["evidence"]) == {"nothing", "attributes", "plays", "attributes_and_plays"}


def test_data_without_times_is_refused_before_any_work(write_data, tmp_path, capsys):
    folder = write_data()
    assert main(["evaluate", "--data", str(folder), "--by-time", "--out", str(tmp_path / "out")]) == 2
    assert "no rating tells when it was given" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_moment_outside_the_ratings_or_with_too_few_people_is_refused(tables, data):
    with pytest.raises(DataError, match="name a moment between"):
        split_time(data.play_table, SplitPoint(seconds=1.0))
    late = float(tables.ratings["rated_at"].sort()[-3])
    with pytest.raises(DataError, match="members rate after the moment"):
        split_by_time(data, late, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.8", SplitPoint(share=0.8)),
        ("2024-03-01", SplitPoint(seconds=1709251200.0)),
        ("2024-03-01T01:00:00+01:00", SplitPoint(seconds=1709251200.0)),
        ("1709251200", SplitPoint(seconds=1709251200.0)),
    ],
)
def test_a_moment_is_a_share_a_time_or_seconds(text, expected):
    assert split_point(text) == expected


@pytest.mark.parametrize("text", ["0", "1", "-3", "nan", "yesterday"])
def test_what_is_no_moment_is_refused(text, small, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--data", str(small.data), "--by-time", "--at", text])
    assert stop.value.code == 2
    assert "must be a share" in capsys.readouterr().err
