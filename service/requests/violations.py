"""Validation of request fields. All malformed fields of a request are reported together."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from features.schema import Scale
from features.values.ids import is_id
from features.values.numbers import LARGEST, number_of
from features.values.times import is_time
from features.values.years import EARLIEST_YEAR, LATEST_YEAR, is_year
from service.errors import InvalidRequest, Violation
from service.requests.limits import GENRES, ID_LENGTH, TEXT_LENGTH

MAX_VIOLATIONS = 10
"""Maximum number of reported violations: they are sent in trailing metadata, which clients limit to 8 KiB."""


class Violations(list[Violation]):
    """The malformed fields of a request, with the rules that they break.

    Each check method adds the field at `path` if the value is invalid.
    """

    def add(self, path: str, rule: str) -> None:
        """Add the malformed field at `path`, which breaks the rule."""
        self.append(Violation(path, rule))

    def raise_if_any(self) -> None:
        """Raise InvalidRequest with the first `MAX_VIOLATIONS` violations, if there are any."""
        if self:
            raise InvalidRequest(*self[:MAX_VIOLATIONS])

    def check_id(self, value: str, path: str) -> None:
        """Check that a required id or name has 1 to `ID_LENGTH` characters and isn't blank."""
        if not (is_id(value) and len(value) <= ID_LENGTH):
            self.add(path, f"must have 1 to {ID_LENGTH} characters, not only blanks")

    def check_name(self, value: str, path: str) -> None:
        """Check the length of an attribute name outside the model's schema. Such a name isn't included in the path."""
        if not 0 < len(value) <= ID_LENGTH:
            self.add(path, f"must have names of 1 to {ID_LENGTH} characters")

    def check_text(self, value: str, path: str) -> None:
        """Check that a category has at most `TEXT_LENGTH` characters."""
        if len(value) > TEXT_LENGTH:
            self.add(path, f"must have at most {TEXT_LENGTH} characters")

    def check_number(self, value: float, path: str) -> None:
        """Check that a number is finite and within the range of float32."""
        if number_of(value) is None:
            self.add(path, f"must be a number from {-LARGEST:.1e} to {LARGEST:.1e}")

    def check_share(self, value: float, path: str) -> None:
        """Check that a share or probability is between 0 and 1."""
        if not 0 <= value <= 1:
            self.add(path, "must be a number from 0 to 1")

    def check_rating(self, value: float, path: str, scale: Scale) -> None:
        """Check that a rating is within the scale."""
        if not scale.low <= value <= scale.high:
            self.add(path, f"must be within the scale, {scale.low:g} to {scale.high:g}")

    def check_year(self, value: int, path: str) -> None:
        """Check that a number is a release year."""
        if not is_year(value):
            self.add(path, f"must be a year from {EARLIEST_YEAR} to {LATEST_YEAR}")

    def check_time(self, value: Timestamp, path: str) -> None:
        """Check that a timestamp is valid."""
        if not (is_time(value.seconds) and 0 <= value.nanos < 1_000_000_000):
            self.add(path, "must be a valid time of the years 1 to 9999")

    def check_genres(self, value: Sequence[str], path: str) -> None:
        """Check the number and the lengths of the genres of a movie or filter."""
        if self.check_count(len(value), GENRES, path):
            for number, genre in enumerate(value):
                self.check_id(genre, f"{path}[{number}]")

    def check_count(self, count: int, limit: int, path: str) -> bool:
        """Check that a field has at most `limit` entries. Return whether it does."""
        if count > limit:
            self.add(path, f"must be at most {limit}")
        return count <= limit
