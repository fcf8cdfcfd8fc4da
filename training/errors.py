"""What can be wrong with a data directory, told so that it can be put right."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

EXAMPLE_LENGTH = 60
"""Longer examples are cut, so that each problem stays on one line."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; its text is for the terminal of the data scientist whose data it is."""

    table: str
    """The table or file."""
    text: str
    """What is wrong; with `rows`, a phrase to stand after "3 rows"."""
    column: str | None = None
    """The column, where it is one column."""
    rows: int | None = None
    """How many rows it is about."""
    example: str | None = None
    """One of the values."""

    def __str__(self) -> str:
        place = self.table if self.column is None else f"{self.table}, column {self.column}"
        count = "" if self.rows is None else f"{self.rows:,} row{'' if self.rows == 1 else 's'} "
        example = "" if self.example is None else f", for example {shortened(self.example)!r}"
        return f"{place}: {count}{self.text}{example}"


class DataError(Exception):
    """The data, or a folder that was named, can't be used: nothing has been written."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Findings:
    """Problems gathered on the way, so that all of them are told at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Gather further problems."""
        self.problems.extend(problems)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Gather the problems of a step that gives up, and go on after it."""
        try:
            yield
        except DataError as error:
            self.add(error.problems)

    def refuse(self) -> None:
        """Raise DataError if anything was found."""
        if self.problems:
            raise DataError(self.problems)


def shortened(text: str) -> str:
    """The text, cut where it is long."""
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
