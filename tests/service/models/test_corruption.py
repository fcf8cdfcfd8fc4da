"""A wrong version, however it came to be wrong, is refused by a running service that answers on as before."""

import pytest

from benchmarks.drills.corruption import drill
from benchmarks.drills.corruptions import cases

TORN = [case for case in cases() if not case.sealed]
SEALED = [case for case in cases() if case.sealed]


def test_there_are_enough_ways_to_be_wrong():
    assert len({case.name for case in cases()}) >= 230


@pytest.mark.parametrize(
    "chosen",
    [TORN[::5], SEALED[:: len(SEALED) // 12]],
    ids=["files that are not as they were written", "files that fit their manifest"],
)
def test_no_wrong_version_is_served_and_none_does_harm(own_store, tmp_path, chosen):
    report = drill(own_store, chosen, tmp_path / "log", "--reload-seconds", "0.05", "--workers", "1")
    assert report["faults"] == []
    assert report["cases"] == len(chosen)
    assert sum(report["refusals_by_reason"].values()) >= len(chosen)
