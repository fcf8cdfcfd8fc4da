"""Every error has one code and one reason, and the documentation lists each of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.rpc import code_pb2, error_details_pb2

from service import errors
from service.rpc.error_status import PUSHBACK, pushback_of, status_of

ROOT = Path(__file__).parents[3]
VIOLATION = errors.Violation("movie_ids[0]", "must have 1 to 256 characters")
CALL_ERRORS = [
    errors.InvalidRequest(VIOLATION),
    errors.Unauthenticated(),
    errors.NotAllowed(),
    errors.UnknownService(),
    errors.Overloaded(0.25),
    errors.NoModel(2.0),
    errors.OutcomesOff(),
    errors.NotKept(1.0),
    errors.DeadlinePassed(),
]
UNFORESEEN = [KeyError("CANARY"), errors.PortTaken("CANARY"), errors.ServiceError("CANARY")]
ROW = re.compile(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| (.*?) \|", re.MULTILINE)


def leaves(kind):
    """All classes below a class that have no subclasses."""
    return {kind}.union(*map(leaves, kind.__subclasses__())) - ({kind} if kind.__subclasses__() else set())


def described(error):
    """The reason, the code and the names of further details of an error."""
    status = status_of(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "coldstart"
    further = {detail.type_url.rpartition(".")[2] for detail in status.details[1:]}
    return info.reason, code_pb2.Code.Name(status.code), further


def test_the_documentation_lists_each_reason_with_its_code_and_details():
    documented = {
        reason: (code, set(re.findall(r"`([A-Z]\w+)`", details)))
        for reason, code, details in ROW.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    }
    examples = [*CALL_ERRORS, UNFORESEEN[0]]
    assert documented == {reason: (code, details) for reason, code, details in map(described, examples)}
    assert {type(error) for error in CALL_ERRORS} == leaves(errors.CallError), "each class of the tree"


@pytest.mark.parametrize("error", CALL_ERRORS, ids=lambda error: type(error).__name__)
def test_a_reason_is_as_the_conventions_want_it(error):
    reason, _, _ = described(error)
    assert re.fullmatch(r"[A-Z][A-Z_]{1,61}[A-Z]", reason)


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
def test_what_was_not_foreseen_is_internal_and_its_text_stays_inside(error):
    assert described(error) == ("INTERNAL", "INTERNAL", set())
    assert status_of(error).message == "internal error"
    assert b"CANARY" not in status_of(error).SerializeToString()
    assert pushback_of(error) == ()


def test_the_time_until_a_retry_is_exact():
    retry = error_details_pb2.RetryInfo()
    assert status_of(errors.Overloaded(1.25)).details[1].Unpack(retry)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 250_000_000)
    assert pushback_of(errors.Overloaded(1.25)) == ((PUSHBACK, "1250"),)
    assert pushback_of(errors.NoModel(1.25)) == (), "clients back off by themselves"


def test_the_first_three_malformed_fields_are_in_the_message_and_all_in_the_details():
    status = status_of(errors.InvalidRequest(errors.Violation("", "must be a message"), *[VIOLATION] * 4))
    each = "movie_ids[0] must have 1 to 256 characters"
    assert status.message == f"must be a message; {each}; {each}; 2 more in the details"
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    assert [violation.field for violation in bad.field_violations] == ["", *["movie_ids[0]"] * 4]


def test_the_tree_of_errors_loads_neither_grpc_nor_protobuf():
    check = "import sys, service.errors; sys.exit(any(name in sys.modules for name in ('grpc', 'google.protobuf')))"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
