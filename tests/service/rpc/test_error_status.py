"""Every error has one code and one reason, and the documentation tells each of them."""

import re
from pathlib import Path

import pytest
from google.rpc import code_pb2, error_details_pb2

from service.errors import Overloaded
from service.models.follower import NoModel
from service.requests.violations import InvalidRequest, Violation
from service.rpc.admission.deadlines import DeadlinePassed
from service.rpc.error_status import is_foreseen, status_of
from service.rpc.health import UnknownService
from service.rpc.outcomes import OutcomesOff
from service.rpc.security.tokens import NotAllowed, Unauthenticated
from service.stores.outcome_log import NotKept

ROOT = Path(__file__).parents[3]
ERRORS = [
    InvalidRequest(Violation("movie_ids[0]", "must have 1 to 256 characters")),
    Unauthenticated(),
    NotAllowed(),
    UnknownService(),
    Overloaded(0.25),
    NoModel(2.0),
    OutcomesOff(),
    NotKept(),
    DeadlinePassed(),
    KeyError("CANARY"),
]
ROW = re.compile(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| (.*?) \|", re.MULTILINE)


def told(error):
    """The reason, the code and the names of further details of an error."""
    status = status_of(error)
    reasons = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(reasons)
    assert reasons.domain == "coldstart"
    further = {each.type_url.rpartition(".")[2] for each in status.details[1:]}
    return reasons.reason, code_pb2.Code.Name(status.code), further


def test_the_documentation_tells_each_reason_with_its_code_and_details():
    documented = {
        reason: (code, set(re.findall(r"`([A-Z]\w+)`", details)))
        for reason, code, details in ROW.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    }
    assert documented == {reason: (code, details) for reason, code, details in map(told, ERRORS)}
    source = (ROOT / "service" / "rpc" / "error_status.py").read_text(encoding="utf-8")
    assert set(documented) == set(re.findall(r'code_pb2\.[A-Z_]+, "([A-Z_]+)"', source)), "each one in the code"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_reason_is_as_the_conventions_want_it(error):
    reason, _, _ = told(error)
    assert re.fullmatch(r"[A-Z][A-Z_]{1,61}[A-Z]", reason)


def test_only_what_was_not_foreseen_is_internal_and_its_text_stays_inside():
    assert [is_foreseen(error) for error in ERRORS] == [True] * (len(ERRORS) - 1) + [False]
    assert status_of(ERRORS[-1]).message == "internal error"
    assert b"CANARY" not in status_of(ERRORS[-1]).SerializeToString()


def test_a_time_to_come_again_is_exact():
    retry = error_details_pb2.RetryInfo()
    assert status_of(Overloaded(1.25)).details[1].Unpack(retry)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 250_000_000)
