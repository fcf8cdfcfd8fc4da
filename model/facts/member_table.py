"""What is known of the members published with a model, looked up by id without loading the table.

Members are found by a 128-bit BLAKE2b hash of their id, so that the table holds no id; rows are sorted by it. All
arrays are memory-mapped and shared by all processes, and checked piece by piece at the first look: opening costs the
same for a thousand members and for ten million.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ArtifactError, DamagedPiece
from model.facts.facts import MemberFacts
from model.files.checked_array import CheckedArray

FILES = ("keys", "attributes", "starts", "movies", "completion", "age_days")
"""Names of the arrays that the table is stored as."""
KINDS = dict(zip(FILES, ("<u8", "<f4", "<i8", "<i4", "<f4", "<f4"), strict=True))
"""The kind of number in each."""
BLOCK = 256
"""Rows of keys that are looked at together: 4 KiB of a piece."""
GUESSES = 8
"""Hashes are spread evenly, so that guesses of where one stands soon meet; after so many the rest is halved."""


class Damage:
    """Tells of lookups that damaged files made impossible."""

    def __init__(self) -> None:
        self.listener: Callable[[str], None] = lambda _: None
        """Called with what is wrong at each such lookup; the text names a file and nobody."""


@dataclass(frozen=True)
class MemberTable:
    """N members, A attributes, P plays."""

    keys: NDArray[np.uint64]
    """(N, 2) the two halves of the hash of the id, ascending by the first, then the second."""
    attributes: NDArray[np.float32]
    """(N, A) category numbers or numbers; NaN where unknown."""
    starts: NDArray[np.int64]
    """(N + 1,) where each member's plays start."""
    movies: NDArray[np.int32]
    """(P,) rows of the catalogue, ascending for each member."""
    completion: NDArray[np.float32]
    """(P,) 0 to 1; NaN where unknown."""
    age_days: NDArray[np.float32]
    """(P,) days before the end of the data; NaN where unknown."""
    checked: Mapping[str, CheckedArray] = field(default_factory=dict)
    """The same arrays by name, where they are mapped files whose pieces are checked when they are looked at."""
    catalogue: int = 2**31
    """How many movies there are."""
    damage: Damage = field(default_factory=Damage)
    """Told of members that can't be found because a file is damaged."""

    @staticmethod
    def over(arrays: Mapping[str, CheckedArray]) -> "MemberTable":
        """The table of mapped files, by the names of FILES."""
        keys, attributes, starts, movies, completion, age_days = (arrays[name].array for name in FILES)
        return MemberTable(keys, attributes, starts, movies, completion, age_days, checked=arrays)

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, member_id: str) -> MemberFacts | None:
        """The facts of the member with this id; None where the table lacks it, or where it is damaged there."""
        try:
            row = self.row_of(*key_of(member_id))
            return None if row is None else self._at(row)
        except DamagedPiece as error:
            self.damage.listener(str(error))
            return None

    def spread(self, count: int) -> Iterator[MemberFacts]:
        """The facts of so many members, evenly spread over the table: as if drawn at random, and always the same."""
        for place in range(min(count, len(self))):
            with suppress(DamagedPiece):
                yield self._at(place * len(self) // min(count, len(self)))

    def check(self, catalogue: int) -> None:
        """Check all plays at once; raises ArtifactError where they aren't those of members and movies there are."""
        starts, movies = self.starts, self.movies
        if not len(starts) or int(starts[0]) != 0 or int(starts[-1]) != len(movies) or (np.diff(starts) < 0).any():
            raise ArtifactError("members/starts.npy doesn't divide the plays between the members")
        if len(movies) and (int(movies.min()) < 0 or int(movies.max()) >= catalogue):
            raise ArtifactError("members/movies.npy names movies that the catalogue lacks")

    def everyone(self) -> Iterator[tuple[int, int, MemberFacts]]:
        """The two halves of each id's hash, and the facts; raises DamagedPiece."""
        for row in range(len(self)):
            first, second = self._rows("keys", row, row + 1)[0].tolist()
            yield first, second, self._at(row)

    def row_of(self, first: int, second: int) -> int | None:
        """The row of a hash: interpolation search over blocks of rows (Perl, Itai and Avni, CACM 1978)."""
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
        """The facts of a row; raises DamagedPiece where they can't be read, or can't be."""
        attributes = self._rows("attributes", row, row + 1)[0].copy()
        start, stop = self._rows("starts", row, row + 2).tolist()
        if not 0 <= start <= stop <= len(self.movies):
            raise DamagedPiece("members/starts.npy doesn't divide the plays between the members")
        movies, completion, age_days = (
            self._rows(name, start, stop).copy() for name in ("movies", "completion", "age_days")
        )
        if len(movies) and not (movies[0] >= 0 and movies[-1] < self.catalogue and (movies[1:] > movies[:-1]).all()):
            raise DamagedPiece("members/movies.npy names movies that the catalogue lacks, or one twice")
        return MemberFacts(attributes, movies, completion, age_days)

    def _rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        checked = self.checked.get(name)
        return getattr(self, name)[start:stop] if checked is None else checked.rows(start, stop)


def key_of(member_id: str) -> tuple[int, int]:
    """The two 64-bit halves of an id's hash."""
    digest = hashlib.blake2b(member_id.encode(), digest_size=16, person=b"coldstart").digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
