"""The command `coldstart-client`: tables and JSON in the terminal, clear errors, exit codes."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coldstart_client.__main__ import main
from coldstart_client.text import table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ask(world):
    """Runs the command; its exit code, its output and its errors."""

    def run(*arguments, address=None, environment=None):
        output, errors = io.StringIO(), io.StringIO()
        place = ["--address", address or world.server.address]
        code = main([*arguments, *place], environment or {}, output, errors)
        return code, output.getvalue(), errors.getvalue()

    return run


def test_predictions_are_an_aligned_table(world, ask):
    code, output, _ = ask(
        "predict", *world.movie_ids[:2], "nowhere", "--attribute", "age=34", "--attribute", "gender=F",
        "--attribute", "has_children=true", "--play", f"{world.movie_ids[5]}:0.9", "--play", world.movie_ids[6],
    )  # fmt: skip
    assert code == 0
    title, *rows, empty, foot = output.splitlines()
    assert title.split("  ")[0] == "movie"
    assert [row.split()[0] for row in rows] == [*world.movie_ids[:2], "nowhere"]
    assert re.fullmatch(r"\S+ +\S.*\S +\d\.\d\d +\d\.\d\d +\d\.\d\d +\d+% +(rated|described|unknown)", rows[0])
    assert len({row.index("%") for row in rows}) == 1, "aligned"
    assert empty == ""
    assert foot == f"rests on attributes and plays; model {world.versions[0]}"


def test_ratings_are_given_by_movie(world, ask):
    rated, other = world.movie_ids[:2]
    code, output, _ = ask("explain", other, "--rating", f"{rated}:4.5", "--json")
    assert code == 0
    assert json.loads(output)["member_evidence"] == "ratings"
    code, _, errors = ask("predict", other, "--rating", f"{rated}:9")
    assert code == 2
    assert "member.ratings[0].rating: must be within the scale, 1 to 5" in errors
    for unreadable in (rated, f"{rated}:good", ":4"):
        with pytest.raises(SystemExit):
            ask("predict", other, "--rating", unreadable)


def test_an_outcome_is_recorded(ask):
    call = ("outcome", "movie-001", "--member", "m", "--rating", "3", "--happened-at", "2024-01-01T10:00:00Z")
    assert ask(*call, "--request-id", "by hand") == (0, "outcome by hand is recorded\n", "")
    code, output, _ = ask(*call, "--request-id", "by hand", "--json")
    assert json.loads(output) == {"request_id": "by hand", "duplicate": True, "counts_already": False}
    code, _, errors = ask("outcome", "movie-001", "--member", "m", "--rating", "77")
    assert code == 2
    assert "rating: must be within the scale, 1 to 5" in errors


def test_a_ranking_shows_the_token_of_the_next_page(world, ask):
    code, output, _ = ask("rank", "--page-size", "3", "--genre", "Drama", "--from-year", "1900", "--member", "nobody")
    assert code == 0
    assert "not used: unknown member: yes" in output
    token = re.search(r"^next page: --page-token (\S+)$", output, re.MULTILINE)[1]
    again = ["rank", "--page-size", "3", "--genre", "Drama", "--from-year", "1900", "--member", "nobody"]
    assert ask(*again, "--page-token", token)[0] == 0


def test_movies_to_ask_for_are_a_table(world, ask):
    some = world.movie_ids[:6]
    code, output, _ = ask("suggest", *some, "--size", "3", "--play", some[0], "--genre", "Drama", "--genre", "Comedy")
    assert code == 0
    title, *rows, empty, width, foot = output.splitlines()
    assert title.split() == ["movie", "title", "has", "seen", "it", "width", "expected", "then"]
    assert 1 <= len(rows) <= 3
    assert {row.split()[0] for row in rows} <= set(some)
    assert all(re.search(r" \d+% +\d\.\d{3}$", row) for row in rows)
    assert empty == ""
    assert re.fullmatch(r"the catalogue's intervals are \d\.\d{3} wide now", width)
    assert foot == f"rests on plays; model {world.versions[0]}"


def test_an_explanation_lists_its_parts(world, ask):
    code, output, _ = ask("explain", world.movie_ids[0], "--attribute", "age=34")
    assert code == 0
    assert output.startswith(f"{world.movie_ids[0]}, ")
    assert re.search(r"^[+-]\d\.\d\d  \w+ +\w+", output, re.MULTILINE)
    assert re.search(r"^together \d\.\d\d", output, re.MULTILINE)


def test_the_model_is_described(world, ask):
    code, output, _ = ask("model")
    assert code == 0
    assert output.startswith(f"version {world.versions[0]}, trained ")
    assert "age (numeric)" in output
    assert re.search(r"^score, by what is known +nothing .*\n(.*\n)*rmse +\d", output, re.MULTILINE)


@pytest.mark.parametrize("command", [["predict", "a"], ["rank"], ["suggest"], ["explain", "a"], ["model"]])
def test_json_is_for_programs(world, ask, command):
    code, output, _ = ask(*command, "--json")
    assert code == 0
    assert json.loads(output)["model_version"] == world.versions[0]


def test_a_malformed_request_lists_its_fields(ask):
    code, output, errors = ask("predict", "a", "--attribute", "age=old", "--play", "b:7")
    assert (code, output) == (2, "")
    assert errors.splitlines()[0] == "error: the request is wrong:"
    assert set(errors.splitlines()[1:]) == {
        '  member.attributes["age"]: must be a number',
        "  member.plays[0].completion: must be a number from 0 to 1",
    }
    assert ask("predict", "a", "--text", "age=34")[0] == 2, "a text stays one"


def test_an_address_where_nobody_is_is_named(ask):
    code, _, errors = ask("model", address="127.0.0.1:1")
    assert code == 4
    assert errors.startswith("error: no answer from 127.0.0.1:1: ")


def test_options_of_the_connection_may_stand_before_the_command(world):
    place, nowhere = ("--address", world.server.address), ("--address", "127.0.0.1:1")
    for arguments in ([*place, "--json", "model"], [*nowhere, "model", *place, "--json"]):
        output = io.StringIO()
        assert main(arguments, {"COLDSTART_ADDRESS": "127.0.0.1:1"}, output, io.StringIO()) == 0
        assert json.loads(output.getvalue())["model_version"] == world.versions[0]
    assert main([*nowhere, "--ca", "/nowhere", "model"], {}, io.StringIO(), io.StringIO()) == 2


def test_a_wrong_command_line_ends_with_code_2(ask, tmp_path, capsys):
    for wrong in (["predict"], ["nothing"], ["predict", "a", "--attribute", "age"]):
        with pytest.raises(SystemExit) as ended:
            ask(*wrong)
        assert ended.value.code == 2
    assert ask("model", "--ca", str(tmp_path / "none"))[0] == 2
    assert ask("model", "--cert", str(tmp_path / "none"))[0] == 2


def test_a_token_comes_from_a_file_or_the_environment(guarded, tmp_path, ask):
    address, token = guarded.address, guarded.tokens["model"]
    (tmp_path / "token").write_text(token + "\n")
    assert ask("model", address=address)[0] == 3
    assert ask("model", address=address, environment={"COLDSTART_TOKEN": token})[0] == 0
    assert ask("model", "--token-file", str(tmp_path / "token"), address=address)[0] == 0
    code, _, errors = ask("rank", address=address, environment={"COLDSTART_TOKEN": token})
    assert (code, errors) == (3, "error: the token is not for this method\n")


def test_it_runs_as_a_command(world):
    done = subprocess.run(
        [sys.executable, "-m", "coldstart_client", "rank", "--page-size", "2"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={"COLDSTART_ADDRESS": world.server.address},
    )  # fmt: skip
    assert done.stdout.startswith("movie ")


def test_a_reader_that_goes_away_ends_it_quietly(world):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "coldstart_client", "rank", "--address", world.server.address],
            cwd=ROOT / "client", stdout=closed, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, "")


def test_numbers_stand_to_the_right_and_texts_to_the_left():
    assert table(("a", "number"), [("x", "1.50"), ("long", "10.25")]) == "a     number\nx       1.50\nlong   10.25"


def test_movies_have_their_titles_in_tables_and_explanations(world, ask):
    titles = dict(world.tables.movies.select("movie_id", "title").iter_rows())
    for command in (("predict", *world.movie_ids[:3]), ("rank", "--page-size", "3")):
        title, *rows = ask(*command)[1].split("\n\n")[0].splitlines()
        assert title.split()[:2] == ["movie", "title"]
        for row in rows:
            assert f"  {titles[row.split()[0]]}  " in row
    assert ask("explain", world.movie_ids[0])[1].startswith(f"{world.movie_ids[0]}, {titles[world.movie_ids[0]]}: ")


def test_the_explanation_of_an_unknown_movie_says_so(world, ask):
    code, output, _ = ask("explain", "nowhere")
    assert code == 0
    assert output.splitlines()[1] == "the model knows nothing of this movie: it is predicted like any movie"
    assert "knows nothing" not in ask("explain", world.movie_ids[0])[1]


def test_the_fact_to_ask_for_next_is_suggested(world, ask):
    code, output, _ = ask("explain", world.movie_ids[0], "--suggest-next-fact")
    assert code == 0
    assert re.search(
        r"^ask next for (the attribute \w+|\d+ further plays): the interval is expected to be", output, re.M
    )
    assert "ask next" not in ask("explain", world.movie_ids[0])[1]


def test_a_server_without_a_model_is_called_that(start_server, ask, tmp_path):
    server = start_server(tmp_path / "models")
    code, _, errors = ask("model", "--timeout-seconds", "2", address=server.address)
    assert code == 4
    assert errors.startswith(f"error: no answer from {server.address}: the server has no model yet"), errors
