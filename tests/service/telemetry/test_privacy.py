"""Personal data of callers is kept nowhere but in the outcomes, however a call ends."""

import base64

from benchmarks.privacy.telemetry import MARK, _marks, scan


def test_marked_requests_leave_no_mark_in_logs_metrics_errors_and_files(world):
    report = scan(world.models, requests=400, seed=1)
    assert report["found"] == {}
    assert report["marks_in_outcomes"] > 30, "where they belong"
    assert min(report["codes"].get(code, 0) for code in ("OK", "INVALID_ARGUMENT", "UNIMPLEMENTED")) > 30
    assert report["traces_bytes"] > 30_000, "every call was traced"
    assert report["log_lines"] > 400, "every call was logged, at debug level"


def test_a_mark_is_recognised_in_any_encoding():
    for text in (MARK, f"xx{MARK.lower()}xx", MARK.encode().hex()):
        assert _marks(text.encode()) == 1
    for before in ("", "x", "xx", "xxx"):
        assert _marks(base64.b64encode(f"{before}{MARK}-1".encode())) == 1
    assert _marks(b"canary") == 0
