"""Problems name place, count, example and remedy; warnings are kept apart from errors."""

import errno

import polars as pl
import pytest

from model.errors import Unreadable
from training.data.files.table_files import readable
from training.errors import DataError, Findings, Problem, expected_error, failing_work, listed

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


def test_a_file_that_can_not_be_used_refuses_the_call_and_a_failing_disk_fails_the_work():
    for number, code in ((errno.EACCES, 2), (errno.EROFS, 2), (errno.EIO, 1), (errno.ENOSPC, 1)):
        expected = expected_error(OSError(number, "it broke", "models"))
        assert expected.exit_code == code
    assert str(expected_error(OSError(errno.EIO, "it broke", "models"))) == "models: it broke"
    assert expected_error(ValueError("a bug")) is None


def raised(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(("number", "code"), [(errno.EIO, 1), (errno.EACCES, 2)])
def test_a_failing_disk_fails_the_work_whoever_noticed_it(number, code):
    for error in (Unreadable("current can't be read"), DataError([ERROR])):
        assert expected_error(raised(error, OSError(number, "it broke"))).exit_code == code


def test_a_failing_disk_is_no_problem_of_the_data():
    findings = Findings()
    with pytest.raises(DataError, match="can't be read") as caught, findings.gathered(), readable("ratings"):
        raise pl.exceptions.ComputeError("Input/output error (os error 5): ratings.parquet")
    assert expected_error(caught.value).exit_code == 1
    assert findings.problems == []


def test_after_the_checks_every_expected_error_fails_the_work():
    for error in (DataError([ERROR]), Unreadable("current can't be read"), OSError(errno.EACCES, "locked", "models")):
        with pytest.raises(Exception, match=r"the table|current|models: locked") as caught, failing_work():
            raise error
        assert expected_error(caught.value).exit_code == 1
    with pytest.raises(ValueError, match="a bug"), failing_work():
        raise ValueError("a bug")


@pytest.mark.parametrize(
    ("count", "text"), [(1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (1003, "0, 1, 2 and 1,000 more")]
)
def test_a_list_of_many_names_ends_with_the_number_of_further_ones(count, text):
    assert listed([*map(str, range(count))]) == text
