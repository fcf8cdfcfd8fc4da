"""Memory-mapped arrays whose pieces are compared with their hashes at the first access.

Opening a file takes as long whatever its size, and no damaged byte is ever used.
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
"""Bytes of a piece: hashing it takes some ten microseconds, and all hashes take 1/512 of the file's size."""
HASH = 32
"""Bytes of a sha256."""


def piece_count(size: int) -> int:
    """Number of pieces in a file of `size` bytes."""
    return -(-size // PIECE)


def piece_hashes(path: Path) -> NDArray[np.uint8]:
    """(pieces, 32) the sha256 of each piece of a file."""
    digests = bytearray()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digests += hashlib.sha256(piece).digest()
    return np.frombuffer(bytes(digests), np.uint8).reshape(-1, HASH)


class CheckedArray:
    """The array of a mapped .npy file, read by rows."""

    def __init__(self, name: str, content: bytes | mmap.mmap, hashes: NDArray[np.uint8]) -> None:
        """`hashes` is (pieces, 32). Raises DamagedPiece or ValueError where the beginning is no array's."""
        if len(hashes) != piece_count(len(content)):
            raise ValueError("another number of pieces than the file has")
        self._name, self._content, self._hashes = name, memoryview(content), hashes
        self.seen = bytearray(len(hashes))
        """1 for each piece that was checked."""
        self._check(0, 1)
        self.array: NDArray[Any] = array_over(content)
        """The whole array, checked only where `rows` has read it."""
        self._row_bytes = self.array.itemsize * int(np.prod(self.array.shape[1:]))
        self._first = len(content) - self.array.nbytes

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to before `stop`, checked; raises DamagedPiece."""
        first = self._first + start * self._row_bytes
        self._check(first, first + (stop - start) * self._row_bytes)
        return self.array[start:stop]

    def _check(self, start: int, stop: int) -> None:
        """Check the pieces of a range of bytes that weren't checked before."""
        for piece in range(start // PIECE, piece_count(stop)):
            if not self.seen[piece]:
                digest = hashlib.sha256(self._content[piece * PIECE : (piece + 1) * PIECE]).digest()
                if digest != self._hashes[piece].tobytes():
                    raise DamagedPiece(f"{self._name} isn't as it was written")
                self.seen[piece] = 1
