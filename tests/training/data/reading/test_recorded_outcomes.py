"""What the service recorded counts beside the data: the latest rating of a pair, once for each request."""

from dataclasses import replace

import polars as pl
import pytest

from model.facts.outcome_record import Outcome, to_line
from model.files.manifest import read_manifest
from training.__main__ import main
from training.data.passes.play_table import play_table
from training.data.reading.recorded_outcomes import with_outcomes
from training.data.reading.tables import read_tables
from training.errors import DataError
from training.versions.provenance import fingerprint

DAY = 86_400.0


def outcome(request_id, member_id, movie_id, rating=None, completion=None, happened_at=2e9, received_at=2e9):
    return Outcome(request_id, member_id, movie_id, rating, completion, happened_at, received_at)


@pytest.fixture
def read(tmp_path, write_data):
    """Reads the sound data with outcomes, one list for each file."""

    def reading(*files, **changed):
        folder = tmp_path / "outcomes"
        folder.mkdir()
        for number, outcomes in enumerate(files):
            (folder / f"{number}.jsonl").write_bytes(b"".join(map(to_line, outcomes)))
        return with_outcomes(read_tables(write_data(**changed)), folder)

    return reading


def rating(tables, member_id, movie_id):
    return tables.ratings.filter(member_id=member_id, movie_id=movie_id)["rating"].to_list()


def test_recorded_ratings_are_ratings_and_completions_are_plays(read):
    merged = read([
        outcome("a", "lurker", "m1", rating=4), outcome("b", "stranger", "m2", completion=0.25),
        outcome("c", "r01", "m3", rating=2, completion=1),
    ])  # fmt: skip
    tables = merged.tables
    assert rating(tables, "lurker", "m1") == [4]
    play = tables.plays.filter(member_id="stranger")
    assert play.rows() == [("stranger", "m2", 2e9, 0.25)]
    assert tables.plays.filter(member_id="lurker", movie_id="m1").height == 1
    assert (merged.ratings, merged.plays) == (2, 2)
    assert tables.ratings.equals(tables.ratings.sort("member_id", "movie_id"))
    assert tables.plays.equals(tables.plays.sort("member_id", "movie_id"))


def test_the_latest_rating_of_a_pair_counts_and_each_request_once(read):
    merged = read(
        [outcome("a", "x", "m0", 1, happened_at=3e9), outcome("b", "x", "m0", 2, happened_at=1e9),
         outcome("c", "y", "m0", 1, received_at=5), outcome("d", "y", "m0", 3, received_at=6)],
        [outcome("a", "x", "m0", 5, happened_at=4e9, received_at=3e9)],
    )  # fmt: skip
    assert rating(merged.tables, "x", "m0") == [1]
    assert rating(merged.tables, "y", "m0") == [3]
    assert merged.ratings == 2


def test_a_rating_of_the_data_counts_only_where_it_is_known_to_be_later(read, tables):
    times = pl.Series("rated_at", [None, 3e9, *[1e9] * (len(tables["ratings"]) - 2)])
    ratings = tables["ratings"].with_columns(times)
    pairs = ratings.select("member_id", "movie_id").rows()
    merged = read([outcome(str(number), *pairs[number], rating=1) for number in range(3)], ratings=ratings)
    before = ratings["rating"].to_list()
    assert [rating(merged.tables, *pair) for pair in pairs[:3]] == [[1], [before[1]], [1]]
    assert merged.tables.ratings.height == len(ratings)
    assert merged.ratings == 2


def withdrawal(request_id, member_id, movie_id, happened_at):
    return Outcome(request_id, member_id, movie_id, None, None, happened_at, happened_at, rating_withdrawn=True)


def test_a_rating_that_was_withdrawn_is_left_out_unless_it_was_given_again(read, tables):
    times = pl.Series("rated_at", [None, 3e9, *[1e9] * (len(tables["ratings"]) - 2)])
    ratings = tables["ratings"].with_columns(times)
    untimed, later, earlier = ratings.select("member_id", "movie_id").rows()[:3]
    merged = read(
        [outcome("a", "x", "m0", 4), outcome("b", "y", "m0", 4), outcome("c", "z", "m0", 4, completion=0.5)],
        [
            *(withdrawal(f"of {name}", name, "m0", 2.1e9) for name in "xyz"),
            outcome("again", "y", "m0", 2, happened_at=2.2e9),
            *(withdrawal(str(number), *pair, 2e9) for number, pair in enumerate((untimed, later, earlier))),
            withdrawal("of nobody", "nobody", "m0", 2e9),
        ],
        ratings=ratings,
    )
    assert [rating(merged.tables, name, "m0") for name in "xyz"] == [[], [2], []]
    kept = ratings.row(1, named=True)["rating"]
    assert [rating(merged.tables, *pair) for pair in (untimed, later, earlier)] == [[], [kept], []]
    assert merged.tables.plays.filter(member_id=untimed[0], movie_id=untimed[1]).height == 1, (
        "it was played all the same"
    )
    assert not {"x", "nobody"} & set(merged.tables.member_ids), "nothing is known of them"
    assert "z" in set(merged.tables.member_ids)
    assert "; 6 ratings were withdrawn" in merged.note()


def test_what_can_not_be_used_is_counted_and_left_out(read):
    merged = read([
        outcome("a", "x", "no such movie", 3), outcome("b", "x", "m0", 99), outcome("c", "x", "m1", 3),
    ])  # fmt: skip
    assert merged.left_out == {"the data lacks their movie": 1, "their rating is outside the scale": 1}
    assert merged.note() == (
        "outcomes: 1 ratings and 0 plays were recorded by the service; 1 left out: the data lacks their movie; "
        "1 left out: their rating is outside the scale"
    )


def test_a_last_line_that_is_cut_off_is_passed_over_and_any_other_bad_line_refused(read, tmp_path, write_data):
    merged = read([outcome("a", "x", "m0", 3)])
    whole = to_line(outcome("b", "x", "m1", 3))
    folder = tmp_path / "outcomes"
    (folder / "1.jsonl").write_bytes(whole + whole[:-9])
    tables = read_tables(write_data())
    assert with_outcomes(tables, folder).ratings == merged.ratings + 1
    (folder / "1.jsonl").write_bytes(whole[:-9] + b"\n" + whole)
    with pytest.raises(DataError, match=r"1\.jsonl, line 1: it is no JSON"):
        with_outcomes(tables, folder)


def test_outcomes_are_merged_partition_by_partition(read, tmp_path, write_data):
    new = ["a first", "r05 and a half", "z last"]  # members before, between and after those of the data
    outcomes = [outcome(name, name, "m3", rating=4, completion=0.5) for name in new]
    outcomes += [outcome(f"{place}", f"r{place:02}", "m4", rating=1 + place % 5) for place in range(25)]
    whole = read(outcomes).tables
    tables = read_tables(write_data(), tmp_path)
    divided = play_table(tables.play_table.collect(), len(tables.member_ids), 12)
    (tmp_path / "work").mkdir()
    merged = with_outcomes(replace(tables, play_table=divided), tmp_path / "outcomes", tmp_path / "work").tables
    assert len(divided.partitions) > 5
    assert merged.member_ids.equals(whole.member_ids)
    assert merged.play_table.collect().equals(whole.play_table.collect())
    assert fingerprint(merged) == fingerprint(whole)
    assert [rating(merged, name, "m3") for name in new] == [[4], [4], [4]]


def test_nothing_recorded_changes_nothing(read, write_data):
    merged = read([])
    tables = read_tables(write_data())
    assert merged.tables.ratings.equals(tables.ratings)
    assert merged.tables.plays.equals(tables.plays)


def test_a_retrain_learns_from_outcomes_and_says_so(small, light, tmp_path, capsys):
    folder = tmp_path / "outcomes"
    folder.mkdir()
    never = small.truth["member_id"][0]
    movie = small.tables.movies["movie_id"][0]
    (folder / "a.jsonl").write_bytes(to_line(outcome("a", never, movie, 5)))
    arguments = ["retrain", "--data", str(small.data), "--models", str(tmp_path / "models"), "--outcomes", str(folder)]
    assert main([*arguments, *light]) == 0
    assert "outcomes: 1 ratings and 0 plays were recorded" in capsys.readouterr().out
    [version] = (tmp_path / "models" / "versions").iterdir()
    assert read_manifest(version).data["ratings"] >= small.model.manifest.data["ratings"]
    assert read_manifest(version).data_fingerprint != small.model.manifest.data_fingerprint


def test_a_folder_that_is_not_there_is_refused_before_any_work(write_data, tmp_path, capsys):
    data = write_data()
    missing = str(tmp_path / "nowhere")
    assert main(["retrain", "--data", str(data), "--models", str(tmp_path / "m"), "--outcomes", missing]) == 2
    assert "there is no such folder" in capsys.readouterr().err
