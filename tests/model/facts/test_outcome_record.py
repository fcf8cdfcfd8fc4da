"""Lines of recorded outcomes: ids, numbers and times mean what they mean in the tables."""

import json
from dataclasses import replace

import pytest

from model.errors import BadOutcome
from model.facts.outcome_record import Outcome, from_line, to_line

OUTCOME = Outcome("r", "u", "m", 4.0, 0.5, 1_700_000_000.0, 1_700_000_001.0)


def test_an_outcome_is_read_as_it_was_written():
    assert from_line(to_line(OUTCOME)) == OUTCOME
    assert from_line(to_line(replace(OUTCOME, caller="app"))).caller == "app"
    assert b"withdrawn" not in to_line(OUTCOME), "a release before reads it too"
    withdrawn = replace(OUTCOME, rating=None, rating_withdrawn=True)
    assert from_line(to_line(withdrawn)) == withdrawn


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("member_id", " ", "an id is missing"),
        ("movie_id", 7, "an id is missing"),
        ("request_id", None, "an id is missing"),
        ("rating", 10**400, "a number isn't one"),
        ("rating", "4", "a number isn't one"),
        ("rating", True, "a number isn't one"),
        ("rating", 1e39, "a number isn't one"),
        ("completion", 1.5, "the completion isn't 0 to 1"),
        ("happened_at", None, "a time is missing"),
        ("rating_withdrawn", 1, "the withdrawal isn't true or false"),
        ("rating_withdrawn", True, "it holds a rating and a withdrawal"),
        ("caller", 7, "the caller isn't the name of a token"),
        ("happened_at", 1_700_000_000_000, "a time isn't in seconds since 1970"),
    ],
)
def test_a_line_with_an_impossible_value_is_no_outcome(field, value, reason):
    line = json.dumps(vars(OUTCOME) | {field: value}).encode()
    with pytest.raises(BadOutcome, match=reason):
        from_line(line)
