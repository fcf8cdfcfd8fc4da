"""Exceptions of the training job; each class sets the exit code of a command that fails with it."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from model.errors import ModelError
from model.exit_codes import ExitCode

EXAMPLE_LENGTH = 60
"""Maximum length of an example. Longer ones are truncated so that each problem stays on one line."""
MOST_NAMES = 3
"""Maximum number of names, such as files or categories, in one message."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, an exceeded quota and the file size limit."""
UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""Error numbers of a file or folder that this user can't read or write."""


class TrainingError(Exception):
    """A command can't do its work; the message names what is wrong, where, and how to fix it."""

    exit_code: ExitCode = ExitCode.FAILED
    """Exit code of the command."""


class WorkFailed(TrainingError):
    """The work failed, or something it needs, such as a published model or an optional library, is missing."""


class PassesStopped(WorkFailed):
    """Passes over the data end because the work that they belong to has failed or was interrupted."""


class DamagedPartition(WorkFailed):
    """A file that holds a part of the data being worked on is missing or has changed."""

    @staticmethod
    def of(name: str) -> "DamagedPartition":
        """Return the error of the file with this name."""
        return DamagedPartition(f"{name} holds a part of the data being worked on, and is missing or has changed")


class ServingModelError(WorkFailed):
    """The store or its current version can't be opened: the command fails, or is refused if it can't even be read."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NothingPublished(ServingModelError):
    """The store has no current version."""


class UsageError(TrainingError):
    """The options are contradictory, incomplete or refer to something that doesn't exist; nothing has been written."""

    exit_code = ExitCode.REFUSED


class HeldBack(TrainingError):
    """The gate holds a version back, so that it gets no label without --force; nothing has changed."""

    exit_code = ExitCode.HELD_BACK


@dataclass(frozen=True)
class Problem:
    """One problem with a data directory, an option or a settings file: its location, an example and the remedy."""

    table: str
    """Name of the table, file or option."""
    text: str
    """Description of the problem, without values of members. If `rows` is set, it is a phrase that follows "3 rows"."""
    column: str | None = None
    """Name of the column, or None if the problem doesn't concern a single column."""
    rows: int | None = None
    """Number of affected rows, or None if the problem doesn't concern rows."""
    example: str | None = None
    """One of the wrong values, or None. It may be a member's: refusals and `validate` show it, warnings of a retrain
    only in a terminal."""
    remedy: str | None = None
    """What to change in the file or in schema.toml, or None if the text says it. It may quote a rating or a time that
    schema.toml has to state, but nothing else of a member."""
    is_warning: bool = False
    """Whether the data can be used as they are: the values are unusual, but possible."""

    def __str__(self) -> str:
        return self._sentence("" if self.example is None else f", for example {shortened(self.example)!r}")

    @property
    def note(self) -> str:
        """The problem without the example, for logs and for the files of a published version."""
        return self._sentence("")

    def _sentence(self, example: str) -> str:
        place = self.table if self.column is None else f"{self.table}, column {self.column}"
        count = "" if self.rows is None else f"{self.rows:,} row{'' if self.rows == 1 else 's'} "
        remedy = "" if self.remedy is None else f"; {self.remedy}"
        return f"{place}: {count}{self.text}{example}{remedy}"


class DataError(TrainingError):
    """The data, a settings file or a folder is invalid; nothing has been written. Each line describes one problem."""

    exit_code = ExitCode.REFUSED

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        """Warnings about the same data, which the message leaves out."""
        super().__init__("\n".join(map(str, self.problems)))


def expected_error(error: Exception) -> TrainingError | ModelError | None:
    """Return the error whose message and exit code a command ends with; None if the error is unexpected.

    An error of the system becomes an error that names the file. If the disk fails, the work has failed, whoever noticed
    it.
    """
    number = _system_error(error)
    expected: TrainingError | ModelError
    if isinstance(error, TrainingError | ModelError):
        expected = error
    elif number in NO_ROOM:
        expected = WorkFailed(f"nothing more can be written: {os.strerror(number)}; what was there before is as it was")
    elif isinstance(error, OSError) and error.filename is not None and number in (*UNUSABLE, errno.EIO):
        expected = UsageError(f"{error.filename}: {error.strerror}")
    else:
        return None
    if is_of_disk(error):
        expected.exit_code = ExitCode.FAILED
    return expected


def is_no_room(error: BaseException) -> bool:
    """Return whether an error is that a disk is full."""
    return _system_error(error) in NO_ROOM


def is_of_disk(error: BaseException | None) -> bool:
    """Return whether the cause of an error is that a disk fails, which may go away, rather than the arguments."""
    while error is not None:
        if _system_error(error) == errno.EIO:
            return True
        error = error.__cause__
    return False


@contextmanager
def failing_work() -> Iterator[None]:
    """Let all expected errors in the `with` block end the command with ExitCode.FAILED, never with REFUSED.

    This is for work after the arguments and the data have been checked.
    """
    try:
        yield
    except Exception as error:
        expected = expected_error(error)
        if expected is not None:
            expected.exit_code = ExitCode.FAILED
        if expected in (None, error):
            raise
        raise expected from error


def _system_error(error: BaseException) -> int:
    """Return the number of the system error that an exception is, which Polars puts in its message only; 0 if none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    number = re.search(r"\(os error (\d+)\)", str(error))
    return int(number[1]) if number else 0


class Findings:
    """Collects problems and warnings over several steps so that a single DataError reports all problems."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Add problems and warnings to those collected so far."""
        for problem in problems:
            (self.warnings if problem.is_warning else self.problems).append(problem)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Collect the problems if the `with` block raises DataError, and continue after the block.

        Raises the DataError if a failing disk is the cause, since the data may be valid.
        """
        try:
            yield
        except DataError as error:
            if is_of_disk(error):
                raise
            self.add((*error.problems, *error.warnings))

    def refuse(self) -> None:
        """Raise DataError if there are any problems; warnings alone are no reason."""
        if self.problems:
            raise DataError(self.problems, self.warnings)


def listed(names: Sequence[str]) -> str:
    """Return the first MOST_NAMES names as a list, followed by the number of further names."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def shortened(text: str, length: int = EXAMPLE_LENGTH) -> str:
    """Return the text, truncated to `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
