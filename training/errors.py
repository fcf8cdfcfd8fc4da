"""The exceptions of `training`: one tree, each with the exit code of a command that ends by it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from model.exit_codes import ExitCode

EXAMPLE_LENGTH = 60
"""Longer examples are cut, so that each problem stays on one line."""


class TrainingError(Exception):
    """A command can't do its work; the text is for the terminal and names the thing, the place and the remedy."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    """What the command exits with."""


class WorkFailed(TrainingError):
    """The work failed, or what it needs, such as a published model or an optional library, isn't there."""


class ServingModelError(WorkFailed):
    """The version that serves can't be opened."""


class NothingPublished(ServingModelError):
    """No version serves."""


class UsageError(TrainingError):
    """The options of a command contradict each other, lack one, or name what isn't there; nothing has been written."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Problem:
    """One fault of a data directory, an option or a settings file, with its place and an example."""

    table: str
    """The table, file or option."""
    text: str
    """What is wrong; with `rows`, a phrase to stand after "3 rows"."""
    column: str | None = None
    """The column, where it is one column."""
    rows: int | None = None
    """Number of rows concerned."""
    example: str | None = None
    """One of the values; shown only at the terminal of the data scientist whose data it is."""

    def __str__(self) -> str:
        place = self.table if self.column is None else f"{self.table}, column {self.column}"
        count = "" if self.rows is None else f"{self.rows:,} row{'' if self.rows == 1 else 's'} "
        example = "" if self.example is None else f", for example {shortened(self.example)!r}"
        return f"{place}: {count}{self.text}{example}"


class DataError(TrainingError):
    """The data, a settings file or a folder can't be used: one line a problem; nothing has been written."""

    exit_code = ExitCode.REFUSED

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Findings:
    """Collects problems over several steps, so that one DataError reports all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Add further problems."""
        self.problems.extend(problems)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Add the problems of a step that raises DataError, and go on after it."""
        try:
            yield
        except DataError as error:
            self.add(error.problems)

    def refuse(self) -> None:
        """Raise DataError if there are any problems."""
        if self.problems:
            raise DataError(self.problems)


def shortened(text: str) -> str:
    """The text, cut to EXAMPLE_LENGTH characters."""
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
