"""The pieces of the gate: who is kept out, how sure a difference is, and what each limit says."""

import argparse

import numpy as np
import polars as pl
import pytest

from model.store.store import Store
from tests.training.changed_data import tables_with
from training.errors import DataError
from training.evaluation.scores import calibration_error, difference_interval
from training.gate import gate_report
from training.gate.gate_checks import absolute, compared, cost, gain_kept
from training.gate.gate_scores import error_by_chance
from training.gate.gate_settings import GateSettings, add_gate_arguments, gate_settings
from training.gate.kept_out import hash_position, keep_key, key_of_store, split
from training.report.markdown import section_markdown
from training.report.page import page

LIMITS = GateSettings()


def test_who_is_kept_out_is_the_same_for_ever():
    assert hash_position("member-0001", "coldstart") == pytest.approx(0.27732029167752575)
    assert hash_position("member-0001", "another") != hash_position("member-0001", "coldstart")


def test_about_the_share_is_kept_out_and_a_larger_share_keeps_out_more_of_the_same():
    places = np.array([hash_position(f"member {number}", "key") for number in range(4000)])
    assert 0.04 < (places < 0.05).mean() < 0.06
    assert np.abs(np.quantile(places, [0.25, 0.5, 0.75]) - [0.25, 0.5, 0.75]).max() < 0.03


def test_members_who_join_later_change_nothing_for_those_who_are_there(small):
    tables = small.tables
    before = set(split(tables, "key", 0.2).members["member_id"])
    few = set(tables.ratings["member_id"].unique().sort().gather_every(2))
    half = tables_with(tables, tables.ratings.filter(pl.col("member_id").is_in(list(few))))
    assert set(split(half, "key", 0.2).members["member_id"]) == before & few


def test_nothing_of_kept_out_raters_is_among_what_is_learned_and_everything_else_is(small):
    parts = split(small.tables, "key", 0.2)
    kept_out = parts.members.select("member_id")
    assert not kept_out.is_empty()
    for name in ("members", "ratings", "plays"):
        learned, apart, all_ = (getattr(one, name) for one in (parts.training, parts.kept_out, small.tables))
        assert learned.join(kept_out, on="member_id", how="semi").is_empty()
        assert apart.join(kept_out, on="member_id", how="anti").is_empty()
        assert len(learned) + len(apart) == len(all_)
    never = small.tables.plays.join(small.tables.ratings, on="member_id", how="anti")["member_id"].unique()
    assert set(never) <= set(parts.training.plays["member_id"])


def test_where_too_few_would_be_left_nobody_is_kept_out(small):
    assert split(small.tables, "key", 0.5).members.height > 0
    few = small.tables.ratings["member_id"].unique().sort().head(20).to_list()
    tables = tables_with(small.tables, small.tables.ratings.filter(pl.col("member_id").is_in(few)))
    assert split(tables, "key", 0.5).members.is_empty()


def test_the_first_key_of_a_store_stays(tmp_path):
    assert key_of_store(Store(tmp_path), "") == "coldstart"
    assert key_of_store(Store(tmp_path), "mine") == "mine"
    keep_key(Store(tmp_path), "mine")
    keep_key(Store(tmp_path), "theirs")
    assert key_of_store(Store(tmp_path), "") == key_of_store(Store(tmp_path), "mine") == "mine"
    with pytest.raises(DataError, match="another key"):
        key_of_store(Store(tmp_path), "theirs")
    (tmp_path / "gate_key.json").write_text("[")
    with pytest.raises(DataError, match="can't be read"):
        key_of_store(Store(tmp_path), "")


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says():
    random, held = np.random.default_rng(0), 0
    for _ in range(60):
        member = np.repeat(np.arange(80), 10)
        truth = np.repeat(random.normal(0, 1, 80), 10) + random.normal(0, 1, 800)
        ours, theirs = truth + random.normal(0, 1, 800), truth + random.normal(0, 1, 800)
        low, high = difference_interval(member, ours, theirs, truth, random)
        held += low <= 0 <= high
    assert 50 <= held <= 60


def test_equal_predictions_do_not_differ():
    member, truth = np.repeat(np.arange(30), 3), np.ones(90)
    assert difference_interval(member, truth + 1, truth + 1, truth, np.random.default_rng(0)) == (0.0, 0.0)


def test_the_error_that_chance_gives_is_that_of_true_probabilities():
    random = np.random.default_rng(1)
    probability = random.random(600)
    errors = [calibration_error(random.random(600) < probability, probability) for _ in range(200)]
    assert error_by_chance(probability) == pytest.approx(np.mean(errors), rel=0.1)


def row(**changed: float) -> dict[str, dict[str, float]]:
    sound = {
        "members": 40.0, "targets": 900.0, "rmse": 0.9, "movie_mean_rmse": 1.0, "mean_rmse": 1.1, "coverage": 0.9,
        "enjoyed_calibration_error": 0.03, "calibration_error_by_chance": 0.02, "fallbacks": 0.0,
        "mean_width": 2.0, "movie_mean_width": 2.1, "gain_percent": 10.0,
        "gain_percent_low": 8.0, "gain_percent_high": 12.0,
    }  # fmt: skip
    return {"attributes_and_plays": sound | changed}


def test_intervals_may_hold_nearly_all_ratings_where_they_are_no_wider_than_the_movie_mean_s():
    assert all(one.passed for one in absolute(row(coverage=1.0, mean_width=0.0, movie_mean_width=0.0), LIMITS))


@pytest.mark.parametrize(
    ("changed", "limit"),
    [
        ({"rmse": 1.095}, "least_gain_over_mean_percent"),
        ({"gain_percent": -2.0, "gain_percent_low": -3.0, "gain_percent_high": -1.0}, "most_above_movie_mean_percent"),
        ({"coverage": 0.8}, "least_coverage"),
        ({"coverage": 0.99, "mean_width": 2.5}, "most_coverage"),
        ({"enjoyed_calibration_error": 0.1}, "most_calibration_error"),
        ({"fallbacks": 0.2}, "most_fallbacks"),
    ],
)
def test_absolute_limits_hold_back_what_breaks_them_and_nothing_else(changed, limit):
    assert all(one.passed for one in absolute(row(), LIMITS))
    assert [one.limit for one in absolute(row(**changed), LIMITS) if not one.passed] == [limit]


@pytest.mark.parametrize(
    "changed",
    [
        {"gain_percent": -2.0, "gain_percent_low": -5.0, "gain_percent_high": 1.0},
        {"enjoyed_calibration_error": 0.1, "calibration_error_by_chance": 0.03},
        {"rmse": 0.0, "mean_rmse": 0.0, "movie_mean_rmse": 0.0},
    ],
    ids=["above the movie mean by chance", "error by chance", "all ratings are equal"],
)
def test_what_may_be_chance_holds_nothing_back(changed):
    assert all(one.passed for one in absolute(row(**changed), LIMITS))


@pytest.mark.parametrize(
    ("difference", "low", "high", "passes"),
    [
        (0.0, 0.0, 0.0, True),
        (-0.1, -0.2, -0.05, True),
        (0.005, -0.01, 0.02, True),
        (0.005, 0.001, 0.008, True),
        (0.005, 0.001, 0.02, False),
        (0.02, -0.01, 0.05, False),
        (0.02, 0.015, 0.025, False),
    ],
    ids=["equal", "better", "can't tell", "surely worse within the margin", "surely worse and perhaps beyond it",
         "beyond the margin", "surely beyond the margin"],
)  # fmt: skip
def test_a_version_may_be_worse_by_the_margin_only(difference, low, high, passes):
    found = {"plays": {"difference": difference, "low": low, "high": high}}
    [check] = compared({"plays": {"rmse": 0.9}}, found, LIMITS)
    assert check.passed is passes
    assert "current version" in check.reason


def test_a_gain_that_is_gone_holds_back_and_one_that_never_was_does_not():
    before = row(gain_percent=4.0, gain_percent_low=3.0)
    [check] = gain_kept(row(gain_percent=0.0, gain_percent_high=0.5), before, LIMITS)
    assert not check.passed
    assert "mixed up" in check.reason
    [check] = gain_kept(row(gain_percent=1.5, gain_percent_high=3.0), before, LIMITS)
    assert check.passed
    assert not list(gain_kept(row(), row(gain_percent=0.1, gain_percent_low=-0.1), LIMITS))


def test_cost_is_compared_where_there_is_something_to_compare_with():
    alone = {"milliseconds": 1.0, "megabytes": 10.0}
    assert all(one.passed for one in cost(alone, LIMITS))
    beside = alone | {"latency_ratio": 2.5, "size_ratio": 4.0}
    assert [one.limit for one in cost(beside, LIMITS) if not one.passed] == ["most_latency_ratio", "most_size_ratio"]


def test_every_setting_is_an_option_with_its_default():
    parser = argparse.ArgumentParser()
    add_gate_arguments(parser)
    assert gate_settings(parser.parse_args([])) == LIMITS
    assert gate_settings(parser.parse_args(["--gate-share", "0.1", "--gate-fewest-members", "50"])) == GateSettings(
        share=0.1, fewest_members=50
    )


def test_every_option_with_a_wrong_value_is_told_with_what_it_may_be():
    parser = argparse.ArgumentParser()
    add_gate_arguments(parser)
    wrong = ["--gate-share", "0.9", "--gate-most-members", "2.5", "--gate-least-gain-kept", "much"]
    with pytest.raises(DataError) as refused:
        gate_settings(parser.parse_args([*wrong, "--gate-most-megabytes", "nan", "--gate-margin-percent", "2"]))
    assert str(refused.value).splitlines() == [
        "--gate-share: must be a number from 0 to 0.5",
        "--gate-most-members: must be a whole number, 1 or more",
        "--gate-least-gain-kept: must be a number, 0 or more",
        "--gate-most-megabytes: must be a number, 0 or more",
    ]


def test_the_page_of_a_verdict_is_text_whatever_it_says():
    record = {
        "passed": False, "forced": False, "kept_out": {"members": 3}, "judged_on": "<b>", "compared_with": "0123",
        "not_compared_because": "<script>", "settings": {"least_coverage": 0.85},
        "checks": [{"limit": "least_coverage", "passed": False, "told": "x < y"}],
        "data": [{"subject": "<script>|", "before": "<script>|", "now": "<script>|", "outcome": "HELD BACK"}],
    }  # fmt: skip
    sections = gate_report.sections(record)
    shown, text = page("title", "lead", {}, sections), "\n".join(map(section_markdown, sections))
    assert "<script" not in shown
    assert "X &lt; y" in shown
    assert "X < y" in text
    assert "<script" not in text.replace("\\<", "")


def test_the_data_of_both_versions_are_a_table_after_the_decision():
    record = {
        "passed": False, "forced": False, "kept_out": {"members": 0}, "judged_on": "raters held out in training",
        "compared_with": "0123", "not_compared_because": None, "settings": {"least_data_kept": 0.8},
        "checks": [
            {"limit": "least_data_kept", "passed": False, "told": "ratings: 500; in the current version: 1,000"},
            {"limit": "schema", "passed": False, "told": "members, column age: a, in b", "remedy": "Mend the values"},
        ],
        "data": [
            {"subject": "ratings", "before": 1000, "now": 500, "outcome": "HELD BACK"},
            {"subject": "plays", "before": 0, "now": 10, "outcome": ""},
            {"subject": "movies", "before": 3, "now": 4, "outcome": ""},
        ],
    }  # fmt: skip
    decision, data = map(section_markdown, gate_report.sections(record))
    assert "- Ratings: 500; in the current version: 1,000 (--gate-least-data-kept is 0.8).\n" in decision
    assert decision.endswith("- Members, column age: a, in b. Mend the values.")
    assert data.startswith("## The data against the current version\n\nThe data of this version and of version 0123")
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in data.splitlines()[-3:]] == [
        ["ratings", "HELD BACK 50%", "1,000", "500"],
        ["plays", "", "0", "10"],
        ["movies", "133%", "3", "4"],
    ]


def test_a_version_that_passes_every_check_without_a_comparison_is_told_in_the_terminal_too():
    found = {
        "passed": True, "forced": False, "kept_out": {"members": 0}, "judged_on": "raters held out in training",
        "compared_with": None, "not_compared_because": "there is no current version yet", "settings": {},
        "checks": [{"limit": "most_megabytes", "passed": True, "told": "its files take 1.0 MB"}],
    }  # fmt: skip
    [section] = gate_report.sections(found)
    shown = section_markdown(section)
    assert shown.startswith("## The gate\n\nThe gate lets this version serve.")
