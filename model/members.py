"""What is known of the members published with a model, looked up by id without loading the table.

Members are found by a 128-bit BLAKE2b hash of their id, so that the table holds no id; rows are sorted by it. All
arrays are memory-mapped: opening costs the same for a thousand members and for ten million.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.facts import MemberFacts

FILES = ("keys", "attributes", "starts", "movies", "completion", "age_days")
"""Names of the arrays that the table is stored as."""
KINDS = dict(zip(FILES, ("<u8", "<f4", "<i8", "<i4", "<f4", "<f4"), strict=True))
"""The kind of number in each."""


@dataclass(frozen=True)
class MemberTable:
    """N members, A attributes, P plays."""

    keys: NDArray[np.uint64]
    """(N, 2) the two halves of the hash of the id, ascending by the first."""
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

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, member_id: str) -> MemberFacts | None:
        """The facts of the member with this id, None where the table lacks it."""
        first, second = key_of(member_id)
        row = int(np.searchsorted(self.keys[:, 0], np.uint64(first)))
        while row < len(self.keys) and int(self.keys[row, 0]) == first:
            if int(self.keys[row, 1]) == second:
                return self._at(row)
            row += 1
        return None

    def spread(self, count: int) -> Iterator[MemberFacts]:
        """The facts of so many members, evenly spread over the table: as if drawn at random, and always the same."""
        for place in range(min(count, len(self))):
            yield self._at(place * len(self) // min(count, len(self)))

    def _at(self, row: int) -> MemberFacts:
        plays = slice(int(self.starts[row]), int(self.starts[row + 1]))
        return MemberFacts(
            np.array(self.attributes[row]),
            np.array(self.movies[plays]),
            np.array(self.completion[plays]),
            np.array(self.age_days[plays]),
        )


def key_of(member_id: str) -> tuple[int, int]:
    """The two 64-bit halves of an id's hash."""
    digest = hashlib.blake2b(member_id.encode(), digest_size=16, person=b"coldstart").digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
