"""The guard replays recorded outcomes by two published versions, and goes back if the current one is worse."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from benchmarks.drills import guard as guard_drill
from model.errors import ArtifactError, StoreError
from model.facts.facts import MemberFacts
from model.facts.outcome_record import Outcome, to_line
from model.files.manifest import read_run
from model.store.job_status import GuardStatus, read_status
from model.store.label_log import Reason
from model.store.store import CURRENT, PREVIOUS, Store
from tests.conftest import ROOT, made_once
from training.__main__ import main
from training.versions.guard.guard import look
from training.versions.guard.guard_settings import GuardSettings
from training.versions.guard.replay import SESSION_SECONDS, comparable, replay
from training.versions.serving import load_serving

LATER = time.time() + 1e6
"""When members rate, and so after any version of these tests was trained."""


@pytest.fixture(scope="module")
def two_versions(small, tmp_path_factory) -> Path:
    """A store in which a version serves that learned the opposite, and before it one that learned the truth."""

    def make(folder):
        shutil.copytree(small.models, folder / "models")
        guard_drill.publish_upside_down(small.data, folder / "models", folder)

    return made_once(tmp_path_factory, "two-versions", make) / "models"


@pytest.fixture
def store(two_versions, tmp_path) -> Store:
    return Store(shutil.copytree(two_versions, tmp_path / "models"))


def by_drill(why) -> Reason:
    return Reason("somebody", "today", why)


def outcome(member_id, movie_id, rating, seconds=0.0, caller=None, **fields) -> Outcome:
    moment = LATER + seconds
    request_id = f"{member_id} {movie_id} {seconds}"
    return replace(Outcome(request_id, member_id, movie_id, rating, None, moment, moment, caller), **fields)


@pytest.fixture(scope="module")
def rated(small) -> list[Outcome]:
    """What raters of the sample rated, one second after the other."""
    rows = small.tables.ratings.select("member_id", "movie_id", "rating").group_by("member_id", maintain_order=True)
    return [outcome(*row, number) for number, row in enumerate(rows.head(5).rows())]


def write(folder, *outcomes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "1.jsonl").write_bytes(b"".join(map(to_line, outcomes)))
    return folder


def looked(store, folder, seconds=1e5, **settings) -> GuardStatus:
    return look(store, folder, GuardSettings(**settings), LATER + seconds, by_drill).status


def test_a_worse_version_is_taken_back_and_it_is_recorded(store, rated, tmp_path):
    folder, (bad, good) = write(tmp_path / "outcomes", *rated), (store.label(CURRENT), store.label(PREVIOUS))
    seen = look(store, folder, GuardSettings(), LATER + 1e5, by_drill)
    assert store.labels() == {CURRENT: good}
    assert seen.summary.startswith(f"version {bad} is worse and was taken back, version {good} serves; ")
    status = seen.status
    assert (status.version, status.checked_at, status.went_back_at) == (bad, LATER + 1e5, LATER + 1e5)
    assert status.e_value >= 100
    assert status.squared_error > status.squared_error_before
    assert read_status(store, GuardStatus) == status
    record = json.loads(store.read_record(bad, "guard.json"))
    assert record == {"went_back_to": good, "settings": GuardSettings().model_dump(), "status": status.model_dump()}
    assert [(move.label, move.after) for move in store.moves()[-2:]] == [(CURRENT, good), (PREVIOUS, None)]
    assert store.moves()[-1].reason == by_drill("models guard: " + seen.summary.split("serves; ")[1])
    after = looked(store, folder, 2e5)
    assert (after.version, after.went_back_at) == (None, LATER + 1e5), "that it went back is told on"
    assert store.labels() == {CURRENT: good}, "and it goes back once"


def test_a_better_version_stays_and_the_guard_never_goes_forward(store, rated, tmp_path):
    folder = write(tmp_path / "outcomes", *rated)
    good, bad = store.label(PREVIOUS), store.label(CURRENT)
    store.promote(good)
    seen = look(store, folder, GuardSettings(), LATER + 1e5, by_drill)
    assert seen.summary == "there is no earlier version to go back to", "the one before was trained later"
    assert store.labels() == {CURRENT: good, PREVIOUS: bad}
    for version, moment in ((good, "2020-01-02T00:00:00+00:00"), (bad, "2020-01-01T00:00:00+00:00")):
        run = store.folder(version) / "run.json"
        run.write_text(json.dumps(json.loads(run.read_text()) | {"trained_at": moment}))
    since = datetime.fromisoformat("2020-01-02T00:00:00+00:00").timestamp() + 1
    moved = [replace(each, happened_at=since + place, received_at=since + place) for place, each in enumerate(rated)]
    status = look(store, write(folder, *moved), GuardSettings(), since + 1e5, by_drill).status
    assert status.members > 100
    assert status.squared_error < status.squared_error_before
    assert status.e_value < 2
    assert store.labels() == {CURRENT: good, PREVIOUS: bad}


def test_without_outcomes_the_version_stays(store, tmp_path):
    seen = look(store, write(tmp_path / "outcomes"), GuardSettings(), LATER, by_drill)
    assert "no outcomes yet" in seen.summary
    assert (seen.status.members, seen.status.squared_error) == (0, None)
    assert len(store.labels()) == 2


def test_a_version_before_that_can_not_be_loaded_is_none_to_go_back_to(store, rated, tmp_path):
    labels = store.labels()
    (store.folder(labels[PREVIOUS]) / "prior.npz").write_bytes(b"damaged")
    seen = look(store, write(tmp_path / "outcomes", *rated), GuardSettings(), LATER + 1e5, by_drill)
    assert "can't be compared" in seen.summary
    assert "prior.npz" in seen.summary
    assert (seen.status.checked_at, seen.status.version) == (LATER + 1e5, None)
    (store.folder(labels[CURRENT]) / "prior.npz").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"prior\.npz"):
        look(store, tmp_path / "outcomes", GuardSettings(), LATER + 1e5, by_drill)
    assert store.labels() == labels


def test_a_version_that_another_one_replaced_meanwhile_stays_where_it_is(store):
    bad, good = store.label(CURRENT), store.label(PREVIOUS)
    store.promote(good)
    with pytest.raises(StoreError, match=f"version {bad} isn't the current one any more"):
        store.roll_back(unwanted=bad)
    assert store.labels() == {CURRENT: good, PREVIOUS: bad}


def test_only_ratings_that_no_version_can_have_learned_from_count():
    old = outcome("a", "m", 3, happened_at=LATER - 1)
    late = outcome("b", "m", 3, received_at=LATER - 1)
    watched = replace(outcome("c", "m", 3), rating=None, completion=1.0)
    kept = [outcome("e", "m", 3, 2), outcome("d", "m", 3, 1)]
    assert comparable([old, late, watched, *kept], LATER) == kept[::-1]


def test_where_tokens_are_used_only_callers_with_a_token_count():
    anybody = [outcome("a", "m", 1, 1), outcome("b", "m", 2, 2)]
    trusted = outcome("c", "m", 3, 3, caller="app")
    assert comparable(anybody, LATER) == anybody
    assert comparable([*anybody, trusted], LATER) == [trusted]


def test_a_rating_is_predicted_as_the_service_predicts_it_for_the_id(store, small):
    model = load_serving(store)
    rater = small.tables.ratings["member_id"][0]
    facts = model.members.find(rater)
    movie_ids = [model.catalogue.movie_ids[row] for row in facts.movies[:2]] + ["no such movie"]
    outcomes = [outcome(rater, movie_id, 3, place) for place, movie_id in enumerate(movie_ids)]
    seen = replay(outcomes, model, small.model, LATER + 1e5, 10)
    for version, known in ((seen.current, model), (seen.before, small.model)):
        movies = [known.catalogue.row(movie_id) for movie_id in movie_ids]
        expected = known.predict(known.members.find(rater), movies)
        assert version.rating.tolist() == expected.rating.tolist()
        assert version.lower.tolist() == expected.lower.tolist()
        assert version.upper.tolist() == expected.upper.tolist()
    assert seen.member.tolist() == [0, 0, 0]


def test_a_member_counts_by_the_first_hour_once_it_is_over(store, small):
    model = load_serving(store)
    [first, second, third, fourth] = small.tables.ratings["member_id"].unique().sort()[:4]
    hour = SESSION_SECONDS
    outcomes = [
        outcome(first, "movie-001", 1, 0), outcome("a stranger", "movie-001", 2, 1), outcome(second, "movie-001", 3, 2),
        outcome(third, "movie-002", 9, 3), outcome(first, "movie-002", 4, 4), outcome(first, "movie-001", 5, 5),
        outcome(fourth, "movie-001", 2, 6), outcome(second, "movie-003", 5, hour + 2),
    ]  # fmt: skip

    def seen(seconds, most=9):
        shown = replay(outcomes, model, small.model, LATER + seconds, most)
        return list(zip(shown.member.tolist(), shown.rating.tolist(), strict=True))

    assert seen(hour - 1) == []
    assert seen(hour) == [(0, 1), (0, 4)], "of two ratings of a movie the first counts"
    assert seen(hour + 3) == [(0, 1), (0, 4), (1, 3)], "neither strangers nor ratings off the scale count"
    assert seen(9e5) == [(0, 1), (0, 4), (1, 3), (2, 2)], "nor does what comes after the first hour"
    assert seen(9e5, most=2) == [(0, 1), (0, 4), (1, 3)]


def test_members_of_whom_the_new_version_has_lost_the_facts_are_predicted_without_them(store, small):
    model = load_serving(store)
    rater = small.tables.ratings["member_id"][0]
    without = replace(small.model, members=replace(small.model.members, keys=small.model.members.keys[:0]))
    seen = replay([outcome(rater, "movie-001", 3)], without, model, LATER + 1e5, 9)
    nobody = small.model.predict(MemberFacts.nothing(small.model.schema), [small.model.catalogue.row("movie-001")])
    assert seen.current.rating.tolist() == nobody.rating.tolist()


def test_the_command_looks_once_or_tells_what_is_wrong(store, rated, tmp_path, capsys):
    run = read_run(store.folder(store.current()))
    assert datetime.fromisoformat(run.trained_at).timestamp() < LATER
    folder = write(tmp_path / "outcomes", *(replace(each, happened_at=9e9, received_at=9e9) for each in rated))
    command = ["models", "guard", "--models", str(store.root)]
    assert main(command) == 2
    assert capsys.readouterr().err == "guard needs --outcomes, the folder in which the service records outcomes\n"
    assert main([*command, "--outcomes", str(folder), "--guard-alpha", "7", "--guard-most-members", "x"]) == 2
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "--guard-alpha", "--guard-most-members",
    ]  # fmt: skip
    assert main([*command, "--outcomes", str(folder)]) == 0
    assert "stays; no outcomes yet" in capsys.readouterr().out, "their first hour isn't over"
    assert main([*command, "--outcomes", str(tmp_path / "none")]) == 2


def test_looking_again_and_again_goes_on_after_an_error(store, tmp_path):
    folder = tmp_path / "outcomes"
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "models", "guard", "--models", store.root, "--outcomes", folder,
         "--every", "0.05"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "outcomes" in process.stderr.readline()
        write(folder)
        assert "no outcomes yet" in process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def test_a_live_service_goes_back_without_a_lost_call(small):
    seen = guard_drill.drill(small.data, small.models, members=60, callers=2)
    assert seen["went_back"]
    assert seen["answered_by_both"]
    assert seen["calls"] > 50
    assert seen["calls_failed"] == 0
    assert seen["outcomes_needed"] <= seen["outcomes"] <= 300
