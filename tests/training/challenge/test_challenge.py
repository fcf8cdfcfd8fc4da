"""A challenge gives away what may be learned from, keeps the answers apart, and scores anyone's answers fairly."""

import json
import multiprocessing
import re
import shutil
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from training.__main__ import main
from training.challenge.make import make_challenge
from training.commands.challenge import leaderboard
from training.data.reading.tables import read_tables
from training.errors import DataError

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "challenge.md").read_text(encoding="utf-8")


def challenge(*arguments: str) -> int:
    return main(["challenge", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(small, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "challenge"
    assert challenge("make", "--data", small.data, "--out", folder, "--share", "0.4") == 0
    return folder


@pytest.fixture(scope="module")
def key(made) -> pl.DataFrame:
    """The answers, with the ids that members really have."""
    ids = pl.read_parquet(made / "answers" / "members.parquet")
    return pl.read_parquet(made / "answers" / "answers.parquet").join(
        ids, left_on="member_id", right_on="public_id", maintain_order="left"
    )


@pytest.fixture(scope="module")
def public(made):
    return read_tables(made / "public" / "data")


def test_the_public_part_holds_no_rating_of_a_held_out_member_and_no_play_that_is_asked_for(made, key, public):
    held_out = key.select("member_id").unique()
    assert public.ratings.join(held_out, on="member_id", how="semi").is_empty()
    assert public.plays.join(key, on=["member_id", "movie_id"], how="semi").is_empty()
    assert sorted(path.name for path in made.iterdir()) == ["answers", "public"]
    questions = pl.read_csv(made / "public" / "questions.csv", infer_schema=False)
    assert questions.columns == ["question", "member_id", "movie_id"]
    assert questions["member_id"].to_list() == key["member_id"].to_list()


def test_a_challenge_can_be_made_of_ratings_that_are_all_the_same(small, tmp_path):
    data = shutil.copytree(small.data, tmp_path / "data")
    (data / "schema.toml").unlink()
    small.tables.ratings.with_columns(rating=pl.lit(3.0)).write_parquet(data / "ratings.parquet")
    assert challenge("make", "--data", data, "--out", tmp_path / "challenge") == 0


def test_what_is_shown_of_a_held_out_member_is_what_its_kind_of_evidence_says(key, public):
    known = public.members.filter(pl.any_horizontal(pl.exclude("member_id").is_not_null()))
    for kind, attributes, plays in (
        ("nothing", False, False), ("attributes", True, False), ("plays", False, True),
        ("attributes and plays", True, True),
    ):  # fmt: skip
        members = key.filter(pl.col("evidence") == kind).select("member_id").unique()
        assert len(members) >= 5
        assert len(members.join(known, on="member_id", how="semi")) == (len(members) if attributes else 0)
        played = public.plays.select("member_id").unique()
        assert len(members.join(played, on="member_id", how="semi")) == (len(members) if plays else 0)


def test_the_public_data_are_the_same_in_however_many_parts_they_are_made(small):
    whole, divided = (
        make_challenge(small.tables, 0.4, np.random.default_rng(3), most_plays) for most_plays in (10**9, 100)
    )
    parts, (entities, events) = list(divided.public), list(whole.public)
    assert len(parts) > 10
    for name in ("members", "movies"):
        assert parts[0][name].equals(entities[name])
    for name in ("ratings", "plays"):
        assert pl.concat([part[name] for part in parts[1:]]).equals(events[name])
    assert divided.answers.equals(whole.answers)


def test_quiz_and_test_divide_the_held_out_members_between_them(key):
    parts = key.select("member_id", "part").unique()
    assert parts["member_id"].is_unique().all()
    sizes = dict(parts["part"].value_counts().iter_rows())
    assert abs(sizes["quiz"] - sizes["test"]) <= 8
    for kinds in key.group_by("part").agg(pl.col("evidence").unique())["evidence"]:
        assert len(kinds) == 4


def test_answers_are_what_the_members_rated(key, small):
    truth = small.tables.ratings.rename({"member_id": "member_id_right", "rating": "truth"})
    joined = key.join(truth, on=["member_id_right", "movie_id"], how="left")
    assert (joined["rating"] == joined["truth"]).all()


def test_new_ids_tell_nothing_of_the_old_ones(made, small, public):
    old = set(small.tables.plays["member_id"]) | set(small.tables.members["member_id"])
    new = set(public.plays["member_id"]) | set(public.members["member_id"])
    assert not old & new
    ids = pl.read_parquet(made / "answers" / "members.parquet").sort("public_id")
    order = ids["member_id"].rank("ordinal").to_numpy()
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.25
    for path in (made / "public").rglob("*"):
        if path.is_file():
            assert not any(member_id.encode() in path.read_bytes() for member_id in old)
    assert (public.plays["played_at"].drop_nulls() % 86_400 == 0).all()


def test_the_same_seed_makes_the_same_challenge_and_another_one_another(made, small, tmp_path):
    for seed, same in (("0", True), ("1", False)):
        folder = tmp_path / seed
        assert challenge("make", "--data", small.data, "--out", folder, "--share", "0.4", "--seed", seed) == 0
        for name in ("public/questions.csv", "answers/challenge.json"):
            assert ((folder / name).read_bytes() == (made / name).read_bytes()) is same


def test_a_folder_that_is_there_is_not_touched(made, small, capsys):
    assert challenge("make", "--data", small.data, "--out", made) == 2
    assert "name a new folder" in capsys.readouterr().err


@pytest.fixture
def own(made, tmp_path) -> Path:
    """A copy of the challenge with a leaderboard of its own."""
    return shutil.copytree(made, tmp_path / "challenge")


def handed_in(folder: Path, rows: pl.DataFrame, name: str = "answers.csv") -> Path:
    file = folder / name
    rows.write_parquet(file) if name.endswith(".parquet") else rows.write_csv(file)
    return file


def test_the_truth_scores_nought_and_the_movie_mean_improves_nothing(own, key, public, tmp_path, capsys):
    file = handed_in(tmp_path, key.select("question", "rating"))
    assert challenge("score", "--challenge", own, "--answers", file) == 0
    assert "quiz: RMSE 0.0000, +100.00 % over the movie mean" in capsys.readouterr().out
    mean = public.ratings["rating"].mean()
    means = public.ratings.group_by("movie_id").agg(rating=mean + (pl.col("rating") - mean).sum() / (pl.len() + 5))
    rows = key.select("member_id", "movie_id").join(means, on="movie_id", how="left").fill_null(mean)
    file = handed_in(tmp_path, rows.sample(fraction=1, shuffle=True, seed=0), "answers.parquet")
    assert challenge("score", "--challenge", own, "--answers", file, "--final") == 0
    told = capsys.readouterr().out
    assert len(re.findall(r"(?:quiz|test): RMSE 0\.\d{4}, [+-]0\.00 % over the movie mean", told)) == 2
    assert not (own / "leaderboard.json").exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda rows: rows.head(-3), "3 rows missing: every question needs an answer"),
        (lambda rows: pl.concat([rows, rows.head(1)]), "2 rows with a question that is answered more than once"),
        (lambda rows: rows.with_columns(rating=pl.lit("nan")), "whose rating is no finite number"),
        (lambda rows: rows.with_columns(rating=pl.lit("inf")), "whose rating is no finite number"),
        (lambda rows: rows.with_columns(rating=pl.lit("good")), "whose rating is no finite number"),
        (lambda rows: rows.with_columns(rating=None), "whose rating is no finite number"),
        (lambda rows: rows.with_columns(rating=pl.lit(1e39)), "whose rating is no finite number"),
        (lambda rows: pl.concat([rows, pl.DataFrame({"question": [0], "rating": [1.0]}, schema=rows.schema)]),
         "1 row of no question of the challenge"),
        (lambda rows: rows.drop("rating"), "lacks rating"),
        (lambda rows: rows.drop("question"), "lacks member_id, movie_id"),
    ],
)  # fmt: skip
def test_answers_with_a_fault_are_told_and_not_scored(wrong, told, own, key, tmp_path, capsys):
    file = handed_in(tmp_path, wrong(key.select("question", "rating")))
    assert challenge("score", "--challenge", own, "--answers", file, "--name", "team") == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "RMSE" not in captured.out
    assert not (own / "leaderboard.json").exists()


def test_ratings_of_another_type_than_numbers_are_refused(own, key, tmp_path, capsys):
    file = handed_in(tmp_path, key.select("question", rating=pl.col("rating") > 3), "answers.parquet")
    assert challenge("score", "--challenge", own, "--answers", file) == 2
    assert "column rating: holds Boolean, but must hold numbers" in capsys.readouterr().err


def test_numbers_of_questions_may_have_become_fractions_on_the_way(own, key, tmp_path):
    file = handed_in(tmp_path, key.select(pl.col("question").cast(pl.Float64), "rating"))
    assert challenge("score", "--challenge", own, "--answers", file) == 0
    half = key.select(pl.col("question") + 0.5, "rating")
    assert challenge("score", "--challenge", own, "--answers", handed_in(tmp_path, half)) == 2


@pytest.mark.parametrize("name", ["answers.csv", "answers.parquet"])
def test_a_file_that_is_none_is_told(name, own, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"\x00\xff broken")
    assert challenge("score", "--challenge", own, "--answers", tmp_path / name) == 2
    assert challenge("score", "--challenge", own, "--answers", tmp_path / "none.csv") == 2
    assert challenge("score", "--challenge", tmp_path, "--answers", tmp_path / name) == 2
    assert "isn't the folder of a challenge" in capsys.readouterr().err


def test_ratings_outside_the_scale_are_cut_to_it(own, key, tmp_path, capsys):
    wild = key.select("question", rating=pl.when(pl.col("rating") == 5).then(1e6).otherwise(pl.col("rating")))
    assert challenge("score", "--challenge", own, "--answers", handed_in(tmp_path, wild)) == 0
    assert "RMSE 0.0000" in capsys.readouterr().out


def test_the_leaderboard_shows_the_best_of_each_name_and_the_test_only_in_the_end(own, key, tmp_path, capsys):
    for name, off, extra in (("Able", 0.5, ()), ("Bold", 0.3, ()), ("Able", 0.1, ("--final",)), ("Able", 0.9, ())):
        file = handed_in(tmp_path, key.select("question", pl.col("rating") + off * (-1) ** pl.col("question")))
        assert challenge("score", "--challenge", own, "--answers", file, "--name", name, *extra) == 0
    lines = (own / "leaderboard.md").read_text().splitlines()[4:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [row[1] for row in cells] == ["Able", "Bold"]
    assert [row[-1] for row in cells] == ["3", "1"]
    assert cells[1][4:6] == ["", ""]
    assert len(json.loads((own / "leaderboard.json").read_text())) == 4
    assert [path.name for path in own.glob(".*")] == [".leaderboard.lock"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("  The   team\n", "The team"), ("a|b <script>`x`", "ab scriptx"), ("[x](y)", "x(y)"),
     ("x" * 99, "x" * 40), ("\u202eright\u200b to left", "right to left"), ("\uff26\uff55\uff4c\uff4c", "Full")],
)  # fmt: skip
def test_names_are_plain_text(name, shown):
    assert leaderboard.clean(name) == shown


@pytest.mark.parametrize("name", ["", " \n", "|||", "\u200b"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(DataError):
        leaderboard.clean(name)


def enter_many(folder: Path, name: str, both_are_ready: Barrier) -> None:
    both_are_ready.wait(60)
    for number in range(20):
        leaderboard.enter(folder, {"name": name, "quiz_rmse": float(number), "quiz_improvement_percent": 0.0, "at": ""})


def test_entries_of_many_at_once_are_all_kept(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    both_are_ready = spawn.Barrier(2)
    process = spawn.Process(target=enter_many, args=(tmp_path, "team 0", both_are_ready))
    process.start()
    enter_many(tmp_path, "team 1", both_are_ready)
    process.join()
    assert len(leaderboard.read(tmp_path)) == 40


def test_the_guide_works_as_it_is_written(small, light, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(small.data, target_is_directory=True)
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["sh", "python", "sh", "sh", "sh"]
    for kind, text in blocks:
        if kind == "python":
            subprocess.run([sys.executable, "-c", text], check=True, cwd=tmp_path)
            continue
        for line in text.splitlines():
            words = re.findall(r'"[^"]*"|\S+', line)
            assert words[:3] == ["python", "-m", "training"]
            further = light if words[3] == "retrain" else ()
            assert main([*(word.strip('"') for word in words[3:]), *further]) == 0, line
    told = capsys.readouterr().out
    assert "## The challenge" in told
    assert re.search(r"This version has an RMSE of 0\.\d{4} on the quiz", told)
    board = {entry["name"]: entry for entry in leaderboard.standing(leaderboard.read(tmp_path / "challenge"))}
    assert {name: entry["tries"] for name, entry in board.items()} == {"coldstart": 2, "Movie means": 1}
    [version] = (tmp_path / "challenge-models" / "records").iterdir()
    assert "<h2>The challenge</h2>" in (version / "report.html").read_text()


def test_a_version_that_may_have_seen_the_answers_takes_no_part(own, small, light, tmp_path, capsys):
    arguments = ["--data", str(small.data), "--models", str(tmp_path / "models"), "--challenge", str(own)]
    assert main(["retrain", *arguments, *light]) == 0
    assert "This version doesn't take part" in capsys.readouterr().out
    assert leaderboard.read(own) == []
