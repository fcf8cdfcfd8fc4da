"""Problems name place, count, example and remedy; warnings are kept apart from errors."""

import pytest

from training.errors import DataError, Findings, Problem

ERROR = Problem("ratings", "the table has no rows")
WARNING = Problem("members", "far from the others", "age", 2, "999", "name it under ignore", is_warning=True)


def test_a_problem_is_one_sentence_with_its_remedy():
    assert str(WARNING) == "members, column age: 2 rows far from the others, for example '999'; name it under ignore"


def test_a_note_of_the_report_shows_no_value():
    assert WARNING.note == "members, column age: 2 rows far from the others; name it under ignore"


def test_warnings_alone_refuse_nothing():
    findings = Findings()
    findings.add([WARNING])
    findings.refuse()
    assert findings.warnings == [WARNING]


def test_a_refusal_lists_the_errors_and_keeps_the_warnings():
    findings = Findings()
    with findings.gathered():
        raise DataError([ERROR], [WARNING])
    with pytest.raises(DataError) as refused:
        findings.refuse()
    assert str(refused.value) == str(ERROR)
    assert (refused.value.problems, refused.value.warnings) == ((ERROR,), (WARNING,))
