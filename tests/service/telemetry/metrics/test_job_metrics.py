"""What the retrain and the guard last did is on /metrics, and nothing before they ran."""

import math
import shutil

from model.store.job_status import GuardStatus, RetrainStatus, write_status
from model.store.store import Store

NAMES = (
    "retrain_finished_timestamp_seconds", "retrain_duration_seconds", "retrain_gain_ratio",
    "guard_checked_timestamp_seconds", "guard_went_back_timestamp_seconds",
)  # fmt: skip


def test_before_a_job_has_run_its_metrics_are_not_numbers(own_store, start_server):
    shutil.rmtree(own_store / "status")
    server = start_server(own_store)
    assert all(math.isnan(server.metric(f"coldstart_{name}")) for name in NAMES)
    assert server.metric("coldstart_retrain_verdict", verdict="serves") == 0


def test_what_jobs_left_in_the_store_is_told(own_store, start_server):
    store = Store(own_store)
    write_status(
        store, RetrainStatus(finished_at=2e9, seconds=81.5, version="0" * 12, verdict="held_back", gain_percent=3.4)
    )
    write_status(
        store,
        GuardStatus(
            checked_at=2.1e9, version="0" * 12, members=3, outcomes=7, e_value=120, squared_error=0.9,
            squared_error_before=0.8, coverage=0.85, coverage_before=0.9, went_back_at=2.2e9,
        ),
    )  # fmt: skip
    server = start_server(store.root, "--workers", "2")
    told = [server.metric(f"coldstart_{name}") for name in NAMES]
    assert told == [2e9, 81.5, 0.034, 2.1e9, 2.2e9]
    verdicts = ("serves", "candidate", "held_back")
    assert [server.metric("coldstart_retrain_verdict", verdict=verdict) for verdict in verdicts] == [0, 0, 1]
    assert [server.metric(f"coldstart_guard_{name}") for name in ("members", "ratings", "e_value")] == [3, 7, 120]
    for model, error, coverage in (("current", 0.9, 0.85), ("previous", 0.8, 0.9)):
        assert server.metric("coldstart_guard_squared_error", model=model) == error
        assert server.metric("coldstart_guard_coverage_ratio", model=model) == coverage
    (store.root / "status" / "guard.json").write_text("damaged")
    assert math.isnan(start_server(store.root).metric("coldstart_guard_checked_timestamp_seconds"))
