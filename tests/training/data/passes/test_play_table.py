"""A table of plays is the same in memory and in files, however its rows arrive, and a damaged file is named."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.plays import AGE_DAYS
from training.data.passes.play_table import (
    COLUMNS,
    InMemory,
    PlayTable,
    joined,
    partitioned,
    play_table,
    with_ages,
    write_play_table,
)
from training.errors import DamagedPartition

MEMBERS, MOVIES = 40, 15


def drawn(seed: int = 0, members: int = MEMBERS, share: float = 0.3) -> pl.DataFrame:
    """Plays of some members, sorted; others have none."""
    random = np.random.default_rng(seed)
    plays = random.random((members, MOVIES)) < share * (random.random((members, 1)) < 0.8)
    member, movie = np.nonzero(plays)
    rows = pl.DataFrame({"member": member, "movie": movie})
    values = {
        "rating": random.integers(1, 6, len(rows)).astype(float),
        "rated_at": random.uniform(1e9, 2e9, len(rows)),
        "played_at": random.uniform(1e9, 2e9, len(rows)),
        "completion": random.random(len(rows)),
    }
    return rows.select(
        pl.col("member").cast(pl.Int32),
        pl.col("movie").cast(pl.Int32),
        *(pl.Series(name, np.where(random.random(len(rows)) < 0.6, value, np.nan)) for name, value in values.items()),
    ).with_columns(pl.col(*values).fill_nan(None))


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return drawn()


def cut(rows: pl.DataFrame, before: list[int]) -> list[pl.DataFrame]:
    """Frames that end before these members."""
    ends = [0, *sorted(before), MEMBERS]
    return [rows.filter(pl.col("member").is_between(first, last, closed="left")) for first, last in pairwise(ends)]


def same(first: PlayTable, other: PlayTable) -> bool:
    """Whether two tables have the same partitions, counts and digest."""
    partitions = ([(part.members, part.read().rows()) for part in table.partitions] for table in (first, other))
    return (
        next(partitions) == next(partitions)
        and first.digest == other.digest
        and all(
            np.array_equal(getattr(first, name), getattr(other, name), equal_nan=True)
            for name in ("plays", "ratings", "last_played")
        )
    )


def test_a_table_holds_all_rows_with_their_counts(rows):
    table = play_table(rows, MEMBERS, 20)
    assert len(table.partitions) > 5
    assert table.collect().equals(rows)
    assert pl.concat(table.read()).equals(rows)
    for member in range(MEMBERS):
        own = rows.filter(pl.col("member") == member)
        assert (table.plays[member], table.ratings[member]) == (len(own), own["rating"].count())
        last = own["played_at"].max()
        assert np.isnan(table.last_played[member]) if last is None else table.last_played[member] == last
    assert table.raters.tolist() == rows.drop_nulls("rating")["member"].unique().sort().to_list()
    assert table.end == rows["played_at"].max()
    assert play_table(rows.with_columns(played_at=None), MEMBERS, 20).end is None


def test_partitions_hold_consecutive_members_numbered_from_zero(rows):
    table = play_table(rows, MEMBERS, 20)
    members = [member for part in table.partitions for member in range(part.members.start, part.members.stop)]
    assert members == list(range(MEMBERS))
    for part in table.partitions:
        own = part.read()
        assert own["member"].is_between(0, len(part), closed="left").all()
        assert own.schema == pl.Schema(COLUMNS)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, MEMBERS), max_size=6), st.integers(1, 60), st.integers(0, 3))
def test_how_the_rows_are_divided_into_frames_changes_nothing(before, most_plays, seed):
    rows = drawn(seed)
    whole = play_table(rows, MEMBERS, most_plays)
    assert same(partitioned(cut(rows, before), MEMBERS, InMemory, most_plays), whole)


@pytest.mark.parametrize("column", list(COLUMNS))
def test_one_changed_value_gives_another_digest_and_another_division_does_not(rows, column):
    digest = play_table(rows, MEMBERS, 20).digest
    assert play_table(rows, MEMBERS, 7).digest == digest
    place = int(rows[column].is_not_null().arg_true()[11])
    changed = rows.with_columns(pl.when(pl.int_range(pl.len()) == place).then(pl.col(column) + 1).otherwise(column))
    unknown = rows.with_columns(pl.when(pl.int_range(pl.len()) != place).then(column))
    assert play_table(changed, MEMBERS, 20).digest != digest
    assert column in ("member", "movie") or play_table(unknown, MEMBERS, 20).digest != digest


def test_tables_of_other_members_have_other_digests(rows):
    table, every = play_table(rows, MEMBERS, 20), np.ones(MEMBERS, bool)
    digests = {table.of_members(np.arange(MEMBERS) != left_out).digest for left_out in range(MEMBERS)}
    assert len({table.digest, *digests}) == MEMBERS + 1
    assert table.of_members(every).digest == table.of_members(every).digest


def test_a_folder_is_written_anew_and_goes_if_that_fails(rows, tmp_path):
    folder = tmp_path / "plays"
    write_play_table([rows], MEMBERS, folder, 5)
    (folder / "of an interrupted run").touch()
    table = write_play_table([rows], MEMBERS, folder, 20)
    assert len(list(folder.iterdir())) == len(table.partitions)

    def failing():
        yield from cut(rows, [20])
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_play_table(failing(), MEMBERS, folder, 20)
    assert list(tmp_path.iterdir()) == []
    assert write_play_table([rows], MEMBERS, None, 20).collect().equals(rows)
    assert list(tmp_path.iterdir()) == []


def test_files_and_memory_hold_the_same(rows, tmp_path):
    table = write_play_table(cut(rows, [3, 20, 21]), MEMBERS, tmp_path / "plays", 20)
    assert same(table, play_table(rows, MEMBERS, 20))
    assert len(list((tmp_path / "plays").iterdir())) == len(table.partitions)


def test_the_same_rows_make_the_same_files(rows, tmp_path):
    contents = []
    for name, before in (("first", []), ("other", [7, 30])):
        folder = tmp_path / name
        write_play_table(cut(rows, before), MEMBERS, folder, 20)
        contents.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("in_files", [False, True])
def test_a_table_of_some_members_is_as_if_the_others_had_no_rows(rows, tmp_path, in_files):
    table = write_play_table([rows], MEMBERS, tmp_path / "plays", 20) if in_files else play_table(rows, MEMBERS, 20)
    kept = np.random.default_rng(1).random(MEMBERS) < 0.6
    kept[: table.partitions[0].members.stop] = False  # a partition of which nobody is left
    number = np.cumsum(kept) - 1
    some = table.of_members(kept)
    expected = rows.filter(pl.Series(kept[rows["member"].to_numpy()])).with_columns(
        pl.col("member").replace_strict(dict(enumerate(number.tolist())), return_dtype=pl.Int32)
    )
    assert some.collect().equals(expected)
    assert len(some.partitions) == len(table.partitions) - 1
    whole = play_table(expected, int(kept.sum()))
    for name in ("plays", "ratings", "last_played"):
        assert np.array_equal(getattr(some, name), getattr(whole, name), equal_nan=True)
    again = np.arange(int(kept.sum())) % 2 == 0
    few = expected.filter(pl.col("member") % 2 == 0).with_columns(pl.col("member") // 2)
    assert some.of_members(again).collect().equals(few)


@pytest.mark.parametrize("damage", ["missing", "changed", "cut"])
def test_a_file_that_is_missing_or_changed_is_named(rows, tmp_path: Path, damage):
    table = write_play_table([rows], MEMBERS, tmp_path / "plays", 20)
    path = sorted((tmp_path / "plays").iterdir())[2]
    content = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "changed":
            path.write_bytes(sorted((tmp_path / "plays").iterdir())[1].read_bytes())
        case "cut":
            path.write_bytes(content[:-1])
    assert table.partitions[1].read().height
    for read in (table.partitions[2].read, table.collect, lambda: list(table.of_members(table.plays > 0).read())):
        with pytest.raises(DamagedPartition, match=r"^000002\.parquet holds a part of the data"):
            read()


@pytest.mark.parametrize("members", [0, 1, 5])
def test_members_without_plays_and_no_members_at_all(members):
    table = play_table(pl.DataFrame(schema=COLUMNS), members)
    assert table.plays.tolist() == [0] * members
    assert table.collect().schema == pl.Schema(COLUMNS)
    assert [part.members for part in table.partitions] == [slice(0, members)] * (members > 0)
    assert table.end is None


def test_rows_come_from_pairs_of_ids():
    ids = {"member_id": ["b", "a", "b", "z"], "movie_id": ["y", "x", "x", "x"]}
    plays = pl.DataFrame(ids | {"played_at": [1.0, 2.0, None, 4.0], "completion": [None, 0.5, 1.0, 1.0]})
    ratings = pl.DataFrame({"member_id": ["b"], "movie_id": ["x"], "rating": [4.0], "rated_at": [9.0]})
    rows = joined(ratings, plays, pl.Series(["a", "b", "c"]), pl.Series(["w", "x", "y"]))
    assert rows.schema == pl.Schema(COLUMNS)
    assert rows.rows() == [
        (0, 1, None, None, 2.0, 0.5), (1, 1, 4.0, 9.0, None, 1.0), (1, 2, None, None, 1.0, None),
    ]  # fmt: skip


def test_ages_are_days_until_the_end_of_the_data_and_never_negative():
    plays = pl.DataFrame({"played_at": [0.0, 86_400.0, 200_000.0, None]})
    assert with_ages(plays, 172_800.0)[AGE_DAYS].to_list() == [2, 1, 0, None]
    assert with_ages(plays, None)[AGE_DAYS].to_list() == [None] * 4
