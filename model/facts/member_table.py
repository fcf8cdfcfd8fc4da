"""The attributes, plays and ratings of members that are published with a model, looked up by id without loading all.

The key of a member is a 128-bit hash of the id, so that the table holds no ids. Rows are sorted by key. The
arrays are memory-mapped, shared by all processes, and verified piece by piece at the first access, so that opening the
table takes the same time for a thousand members as for ten million.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ArtifactError, DamagedPiece
from model.facts.facts import NO_RATINGS, MemberFacts, Ratings
from model.facts.member_key import PLAIN, MemberKey
from model.files.checked_array import CheckedArray

FILES = ("keys", "attributes", "starts", "movies", "completion", "age_days")
"""Names of the arrays of the table; each is stored in a file of its own."""
RATING_FILES = ("ratings", "rated_at")
"""Names of the arrays that a table also has if any of its members rated."""
KINDS = dict(zip(FILES + RATING_FILES, ("<u8", "<f4", "<i8", "<i4", "<f4", "<f4", "<f8", "<u4"), strict=True))
"""NumPy data type of each array of the table, by name."""
STARTS = dict.fromkeys(("movies", "completion", "age_days", *RATING_FILES), "starts")
"""For each array of plays, the one that divides it between members. All other arrays have a row for each member."""
BLOCK = 256
"""Number of keys that each step of the search for a member reads: 4 KiB."""
GUESSES = 8
"""Number of interpolation steps before the search falls back to bisection; fewer suffice for evenly spread hashes."""
UNKNOWN_TIME = 2**32 - 1
"""Number that stands for the time of a rating that is unknown, or of a movie that wasn't rated."""
ANY_SCALE = (-np.inf, np.inf)


def whole_seconds(times: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return N times in seconds since 1970 UTC, NaN if unknown, as whole seconds in half of the space.

    Fractions are cut off, so that the same rating, given again with its time, isn't taken for an earlier one.
    """
    return np.nan_to_num(times, nan=UNKNOWN_TIME).clip(0, UNKNOWN_TIME).astype(np.uint32)


class Damage:
    """Passes on a message for each look-up of a member that fails because a file is damaged."""

    def __init__(self) -> None:
        self.listener: Callable[[str], None] = lambda _: None
        """Function that is called for each failed look-up, with a message that names the file but not the member."""


@dataclass(frozen=True)
class MemberTable:
    """Attributes, plays and ratings of N published members, with A attributes and P plays in all."""

    keys: NDArray[np.uint64]
    """(N, 2) the two 64-bit halves of the hash of the id, sorted by the first, then the second half."""
    attributes: NDArray[np.float32]
    """(N, A) category numbers or numeric values; NaN if unknown."""
    starts: NDArray[np.int64]
    """(N + 1,) index of each member's first play, and P at the end."""
    movies: NDArray[np.int32]
    """(P,) catalogue rows of the played movies, ascending for each member."""
    completion: NDArray[np.float32]
    """(P,) share of the movie that was watched, 0 to 1; NaN if unknown."""
    age_days: NDArray[np.float32]
    """(P,) days from the play to the end of the data; NaN if unknown."""
    ratings: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """(P,) ratings of the played movies, NaN for those not rated; empty if no member rated."""
    rated_at: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    """(P,) times of the ratings as by `whole_seconds`; empty if no member rated."""
    checked: Mapping[str, CheckedArray] = field(default_factory=dict)
    """Memory-mapped arrays by name, verified piece by piece at the first access; empty if the arrays are in memory."""
    catalogue: int = 2**31
    """Number of movies in the catalogue; rows of played movies must be smaller."""
    scale: tuple[float, float] = ANY_SCALE
    """Lowest and highest valid rating."""
    key: MemberKey = PLAIN
    """Key of the hashes of ids."""
    damage: Damage = field(default_factory=Damage)
    """Passes on a message for each look-up that fails because a file is damaged."""

    @staticmethod
    def over(arrays: Mapping[str, CheckedArray], key: MemberKey) -> "MemberTable":
        """Return a table over memory-mapped files, in which `key` hashes ids.

        `arrays` has the array of each name in FILES and, if any member rated, in RATING_FILES.
        """
        of_names: dict[str, Any] = {name: checked.array for name, checked in arrays.items()}
        return MemberTable(**of_names, checked=arrays, key=key)

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, member_id: str) -> MemberFacts | None:
        """Return the facts of the member with this id; None if the table lacks the member.

        If the member's data are damaged, passes a message to `damage` and also returns None.
        """
        try:
            row = self.row_of(*self.key.hash_of(member_id))
            return None if row is None else self._at(row)
        except DamagedPiece as error:
            self.damage.listener(str(error))
            return None

    def spread(self, count: int) -> Iterator[MemberFacts]:
        """Yield the facts of `count` members, evenly spaced in the table; damaged ones are left out.

        Since rows are sorted by hash, this is a random sample of the members, but always the same one.
        """
        for place in range(min(count, len(self))):
            with suppress(DamagedPiece):
                yield self._at(place * len(self) // min(count, len(self)))

    def check(self, catalogue: int) -> None:
        """Check that the plays of all members are of movies in the catalogue, which has `catalogue` movies.

        Raises ArtifactError if `starts` doesn't divide the plays between the members, if a play's movie isn't in the
        catalogue, or if a rating is off the scale.
        """
        starts, movies = self.starts, self.movies
        if not len(starts) or int(starts[0]) != 0 or int(starts[-1]) != len(movies) or (np.diff(starts) < 0).any():
            raise ArtifactError("members/starts.npy doesn't divide the plays between the members")
        if len(movies) and (int(movies.min()) < 0 or int(movies.max()) >= catalogue):
            raise ArtifactError("members/movies.npy names movies that the catalogue lacks")
        if len(self.ratings) and not self._on_scale(np.array([np.nanmin(self.ratings), np.nanmax(self.ratings)])):
            raise ArtifactError("members/ratings.npy has ratings off the scale")

    def everyone(self) -> Iterator[tuple[int, int, MemberFacts]]:
        """Yield every member: both halves of the hashed id, then the facts.

        Raises DamagedPiece at damaged data.
        """
        for row in range(len(self)):
            first, second = self._rows("keys", row, row + 1)[0].tolist()
            yield first, second, self._at(row)

    def row_of(self, first: int, second: int) -> int | None:
        """Return the row of the member with this hashed id, given as two halves; None if the table lacks the member.

        Uses interpolation search (Perl, Itai and Avni, CACM 1978) over blocks of rows.
        """
        low, high, least, most, tries = 0, len(self), 0, 2**64, 0
        while low < high:
            share = high - low if tries >= GUESSES else 2 * (high - low) * (first - least) // max(most - least, 1)
            middle = min(max(low + share // 2, low), high - 1)
            begin = max(middle - BLOCK // 2, low)
            end = min(begin + BLOCK, high)
            block = self._rows("keys", begin, end)
            if (first, second) < (int(block[0, 0]), int(block[0, 1])):
                high, most = begin, int(block[0, 0])
            elif (first, second) > (int(block[-1, 0]), int(block[-1, 1])):
                low, least = end, int(block[-1, 0])
            else:
                place = int(np.searchsorted(block[:, 0], np.uint64(first)))
                while place < len(block) and int(block[place, 0]) == first:
                    if int(block[place, 1]) == second:
                        return begin + place
                    place += 1
                return None
            tries += 1
        return None

    def _at(self, row: int) -> MemberFacts:
        """Return the facts of the member in a row.

        Raises DamagedPiece if they are damaged or impossible.
        """
        attributes = self._rows("attributes", row, row + 1)[0].copy()
        start, stop = self._rows("starts", row, row + 2).tolist()
        if not 0 <= start <= stop <= len(self.movies):
            raise DamagedPiece("members/starts.npy doesn't divide the plays between the members")
        movies, completion, age_days = (
            self._rows(name, start, stop).copy() for name in ("movies", "completion", "age_days")
        )
        if len(movies) and not (movies[0] >= 0 and movies[-1] < self.catalogue and (movies[1:] > movies[:-1]).all()):
            raise DamagedPiece("members/movies.npy names movies that the catalogue lacks, or one twice")
        return MemberFacts(attributes, movies, completion, age_days, self._ratings(start, stop, movies))

    def _ratings(self, start: int, stop: int, movies: NDArray[np.int32]) -> Ratings:
        """Return the ratings of a member whose plays, in the rows from `start` to before `stop`, are of `movies`.

        Raises DamagedPiece if they are damaged or impossible.
        """
        if not len(self.ratings):
            return NO_RATINGS
        seconds = self._rows("rated_at", start, stop)
        rated_at = np.where(seconds == UNKNOWN_TIME, np.nan, seconds.astype(np.float64))
        ratings = Ratings.of(movies, self._rows("ratings", start, stop), rated_at)
        if not self._on_scale(ratings.values):
            raise DamagedPiece("members/ratings.npy has ratings off the scale")
        return ratings

    def _on_scale(self, ratings: NDArray[np.float64]) -> bool:
        low, high = self.scale
        return bool((ratings >= low).all() and (ratings <= high).all())

    def _rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        checked = self.checked.get(name)
        return getattr(self, name)[start:stop] if checked is None else checked.rows(start, stop)
