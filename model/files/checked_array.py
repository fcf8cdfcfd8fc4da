"""Files that are checked piece by piece, each piece when it is first looked at.

To open a file costs the same however large it is, and nothing is read from it that isn't as it was written.
"""

import hashlib
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import DamagedPiece
from model.files.npz import array_over

PIECE = 16_384
"""Bytes of a piece: its hash takes some ten microseconds, and all hashes 1/512 of the file's size."""
HASH = 32
"""Bytes of a sha256."""


def piece_count(size: int) -> int:
    """How many pieces a file of so many bytes has."""
    return -(-size // PIECE)


def piece_hashes(path: Path) -> NDArray[np.uint8]:
    """(pieces, 32) the sha256 of each piece of a file."""
    digests = bytearray()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digests += hashlib.sha256(piece).digest()
    return np.frombuffer(bytes(digests), np.uint8).reshape(-1, HASH)


class CheckedArray:
    """The array of a mapped .npy file, read by its rows."""

    def __init__(self, name: str, content: bytes | mmap.mmap, hashes: NDArray[np.uint8]) -> None:
        """`hashes` is (pieces, 32). Raises DamagedPiece or ValueError where the beginning is no array's."""
        if len(hashes) != piece_count(len(content)):
            raise ValueError("another number of pieces than the file has")
        self._name, self._content, self._hashes = name, memoryview(content), hashes
        self.seen = bytearray(len(hashes))
        """For each piece 1 if it was checked."""
        self._check(0, 1)
        self.array: NDArray[Any] = array_over(content)
        """The whole array; what of it wasn't handed out by `rows` is not checked."""
        self._row_bytes = self.array.itemsize * int(np.prod(self.array.shape[1:]))
        self._first = len(content) - self.array.nbytes

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Some rows, checked; raises DamagedPiece."""
        first = self._first + start * self._row_bytes
        self._check(first, first + (stop - start) * self._row_bytes)
        return self.array[start:stop]

    def _check(self, start: int, stop: int) -> None:
        """Compare those of the pieces of a range of bytes that nobody has looked at."""
        for piece in range(start // PIECE, piece_count(stop)):
            if not self.seen[piece]:
                found = hashlib.sha256(self._content[piece * PIECE : (piece + 1) * PIECE]).digest()
                if found != self._hashes[piece].tobytes():
                    raise DamagedPiece(f"{self._name} isn't as it was written")
                self.seen[piece] = 1
