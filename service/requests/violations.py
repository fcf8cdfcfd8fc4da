"""The malformed fields of a request."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from service.errors import InvalidRequest, Violation
from service.requests.limits import GENRES, ID_LENGTH, LARGEST_NUMBER, TEXT_LENGTH, TIMESTAMP_SECONDS, YEARS

MOST_TOLD = 10
"""Details travel in the trailing metadata, of which clients take 8 KiB."""


class Violations(list[Violation]):
    """The malformed fields found so far. Each check notes a field that fails it."""

    def add(self, path: str, rule: str) -> None:
        """Note a malformed field."""
        self.append(Violation(path, rule))

    def raise_if_any(self) -> None:
        """Raises InvalidRequest with the first few, if there is any."""
        if self:
            raise InvalidRequest(*self[:MOST_TOLD])

    def check_id(self, given: str, path: str) -> None:
        """An id or another name that is needed."""
        if not 0 < len(given) <= ID_LENGTH:
            self.add(path, f"must have 1 to {ID_LENGTH} characters")

    def check_name(self, given: str, path: str) -> None:
        """The name of an attribute that the model lacks, which its path leaves out."""
        if not 0 < len(given) <= ID_LENGTH:
            self.add(path, f"must have names of 1 to {ID_LENGTH} characters")

    def check_text(self, given: str, path: str) -> None:
        """A category."""
        if len(given) > TEXT_LENGTH:
            self.add(path, f"must have at most {TEXT_LENGTH} characters")

    def check_number(self, given: float, path: str) -> None:
        """A number that the model can hold; neither NaN nor infinite."""
        if not -LARGEST_NUMBER <= given <= LARGEST_NUMBER:
            self.add(path, f"must be a number from {-LARGEST_NUMBER:.1e} to {LARGEST_NUMBER:.1e}")

    def check_share(self, given: float, path: str) -> None:
        """A share of a whole."""
        if not 0 <= given <= 1:
            self.add(path, "must be a number from 0 to 1")

    def check_year(self, given: int, path: str) -> None:
        """A year of release."""
        if not YEARS[0] <= given <= YEARS[1]:
            self.add(path, f"must be a year from {YEARS[0]} to {YEARS[1]}")

    def check_time(self, given: Timestamp, path: str) -> None:
        """A point in time."""
        if not (TIMESTAMP_SECONDS[0] <= given.seconds <= TIMESTAMP_SECONDS[1] and 0 <= given.nanos < 1_000_000_000):
            self.add(path, "must be a valid time of the years 1 to 9999")

    def check_genres(self, given: Sequence[str], path: str) -> None:
        """Genres of a movie or of a filter."""
        if self.check_count(len(given), GENRES, path):
            for number, genre in enumerate(given):
                self.check_id(genre, f"{path}[{number}]")

    def check_count(self, count: int, most: int, path: str) -> bool:
        """Not too many entries; whether that is so."""
        if count > most:
            self.add(path, f"must be at most {most}")
        return count <= most
