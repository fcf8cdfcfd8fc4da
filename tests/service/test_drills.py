"""What `make drills` does at length: stops and kills under load, and memory against calls."""

from benchmarks.drills import kill, live_ratings, outcomes, soak, stop


def test_a_stop_under_load_loses_no_call_and_ends_open_watches(world):
    seen = stop.drill(
        world.models, times=1, workers=2, watches=20, seed=2, drain_seconds=2, pause_seconds=0.05
    )  # a busy machine tells clients late
    assert seen["calls"] > 20
    assert seen["calls_lost"] == 0
    assert seen["watches_not_told"] == 0
    assert seen["not_serving_milliseconds"] < 3_000, "100 on a quiet machine"
    assert seen["seconds_beyond_longest_call"] < 10, "1 on a quiet machine; the grace is 20"


def test_killed_workers_cost_clients_that_try_again_no_call_and_metrics_no_count(world):
    seen = kill.drill(world.models, times=1, workers=2, every_seconds=0.5, seed=1, pause_seconds=0.1)
    assert seen["calls"] > 50
    assert seen["calls_failed"] == 0
    assert seen["longest_replacement_seconds"] < 100, "3 on a quiet machine"
    assert seen["scrapes"] > 5
    assert seen["scrapes_failed"] == seen["counters_fallen"] == seen["series_added"] == 0


def test_every_acknowledged_outcome_is_on_disk_although_workers_are_killed(world):
    seen = outcomes.drill(world.models, count=300, workers=2, kills=1, seed=1)
    assert seen["acknowledged"] == seen["requests_on_disk"] == 300
    assert seen["acknowledged_and_missing"] == 0
    assert seen["kills"] > 0
    assert seen["lines_on_disk"] < 300 + 100, "only what was on disk and not yet answered is sent and written again"


def test_killed_workers_cost_members_who_rate_no_call_and_their_next_answers_no_rating(world):
    seen = live_ratings.drill(world.models, count=60, workers=2, kills=1, seed=1)
    assert seen["kills"] == 1
    assert seen["calls_failed"] == seen["acknowledged_and_missing"] == seen["answers_that_lack_ratings"] == 0
    assert seen["acknowledged"] == seen["counting_already"] == 180


def test_the_soak_measures_memory_against_calls(world):
    seen = soak.drill(world.models, calls=500)
    assert seen["calls"] >= 500
    assert seen["calls_failed"] == 0
    assert 10 < seen["megabytes_after_warm_up"] < 1_000
    assert seen["megabytes_at_the_end"] - seen["megabytes_after_warm_up"] < 50
