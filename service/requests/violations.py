"""Validation of request fields; all malformed fields of a request are reported together."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from service.errors import InvalidRequest, Violation
from service.requests.limits import GENRES, ID_LENGTH, LARGEST_NUMBER, TEXT_LENGTH, TIMESTAMP_SECONDS, YEARS

MAX_VIOLATIONS = 10
"""Violations of a request that are reported: they travel in the trailing metadata, of which clients take 8 KiB."""


class Violations(list[Violation]):
    """The malformed fields of a request. Each check adds the field if its value breaks the rule."""

    def add(self, path: str, rule: str) -> None:
        """Add a malformed field."""
        self.append(Violation(path, rule))

    def raise_if_any(self) -> None:
        """Raises InvalidRequest with the first `MAX_VIOLATIONS`, if there are any."""
        if self:
            raise InvalidRequest(*self[:MAX_VIOLATIONS])

    def check_id(self, value: str, path: str) -> None:
        """Check a required id or other name."""
        if not 0 < len(value) <= ID_LENGTH:
            self.add(path, f"must have 1 to {ID_LENGTH} characters")

    def check_name(self, value: str, path: str) -> None:
        """Check the name of an attribute that is not in the model's schema and so not part of the path."""
        if not 0 < len(value) <= ID_LENGTH:
            self.add(path, f"must have names of 1 to {ID_LENGTH} characters")

    def check_text(self, value: str, path: str) -> None:
        """Check a category."""
        if len(value) > TEXT_LENGTH:
            self.add(path, f"must have at most {TEXT_LENGTH} characters")

    def check_number(self, value: float, path: str) -> None:
        """Check that a number fits the model's float32 arrays and is neither NaN nor infinite."""
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            self.add(path, f"must be a number from {-LARGEST_NUMBER:.1e} to {LARGEST_NUMBER:.1e}")

    def check_share(self, value: float, path: str) -> None:
        """Check a share of a whole or a probability."""
        if not 0 <= value <= 1:
            self.add(path, "must be a number from 0 to 1")

    def check_year(self, value: int, path: str) -> None:
        """Check a release year."""
        if not YEARS[0] <= value <= YEARS[1]:
            self.add(path, f"must be a year from {YEARS[0]} to {YEARS[1]}")

    def check_time(self, value: Timestamp, path: str) -> None:
        """Check a timestamp."""
        if not (TIMESTAMP_SECONDS[0] <= value.seconds <= TIMESTAMP_SECONDS[1] and 0 <= value.nanos < 1_000_000_000):
            self.add(path, "must be a valid time of the years 1 to 9999")

    def check_genres(self, value: Sequence[str], path: str) -> None:
        """Check the genres of a movie or of a filter."""
        if self.check_count(len(value), GENRES, path):
            for number, genre in enumerate(value):
                self.check_id(genre, f"{path}[{number}]")

    def check_count(self, count: int, limit: int, path: str) -> bool:
        """Check the number of entries, and return whether it is within the limit."""
        if count > limit:
            self.add(path, f"must be at most {limit}")
        return count <= limit
