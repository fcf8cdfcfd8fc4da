"""What jobs last did stands in the store, in a folder or at an address, and is read back or refused."""

import pytest

from model.errors import StoreError
from model.store.job_status import GuardStatus, RetrainStatus, read_status, write_status
from model.store.open import open_store

RETRAIN = RetrainStatus(finished_at=2e9, seconds=81.5, version="0123456789ab", verdict="held_back", gain_percent=3.4)
GUARD = GuardStatus(checked_at=2e9, version="0123456789ab", members=3, outcomes=7, e_value=0.5, squared_error=0.9)


@pytest.fixture(params=["", "file://"])
def store(request, tmp_path):
    return open_store(f"{request.param}{tmp_path}/models")


def test_a_job_that_never_ran_has_no_status(store):
    assert read_status(store, RetrainStatus) is None
    assert read_status(store, GuardStatus) is None


def test_a_status_is_read_as_it_was_written_last(store):
    for status in (RETRAIN, GUARD, GuardStatus(checked_at=3e9)):
        write_status(store, status)
        assert read_status(store, type(status)) == status
    assert read_status(store, RetrainStatus) == RETRAIN


@pytest.mark.parametrize("content", ["", "{}", '{"checked_at": "now"}', '{"checked_at": NaN}', '{"checked_at": 1e999}'])
def test_a_damaged_status_is_refused(store, tmp_path, content):
    write_status(store, GUARD)
    (tmp_path / "models" / "status" / "guard.json").write_text(content)
    with pytest.raises(StoreError, match=r"the status guard\.json is damaged: remove it"):
        read_status(store, GuardStatus)
