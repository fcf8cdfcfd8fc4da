"""Memory-mapped arrays that are verified in pieces of 16 KiB, each when it is first read.

The time to open a file doesn't depend on its size, and damaged bytes are never used.
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
"""Size in bytes of a piece, which is verified as a whole. Hashing a piece takes about ten microseconds, and hashes take
1/512 of the file's size."""
HASH = 32
"""Size of a sha256 in bytes."""


def piece_count(size: int) -> int:
    """Return the number of pieces, verified one by one, in a file of `size` bytes."""
    return -(-size // PIECE)


def piece_hashes(path: Path) -> NDArray[np.uint8]:
    """Return the sha256 of each piece of a file, an array of shape (pieces, 32), by which pieces are verified."""
    digests = bytearray()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digests += hashlib.sha256(piece).digest()
    return np.frombuffer(bytes(digests), np.uint8).reshape(-1, HASH)


class CheckedArray:
    """The array in a memory-mapped .npy file, verified piece by piece as its rows are read."""

    def __init__(self, name: str, content: bytes | mmap.mmap, hashes: NDArray[np.uint8]) -> None:
        """Open the array; `hashes` (pieces, 32) are those of `piece_hashes`, and error messages contain `name`.

        Raises DamagedPiece if the first piece is damaged. Raises ValueError if `content` isn't an .npy file, or if the
        number of hashes doesn't match its size.
        """
        if len(hashes) != piece_count(len(content)):
            raise ValueError("another number of pieces than the file has")
        self._name, self._content, self._hashes = name, memoryview(content), hashes
        self.seen = bytearray(len(hashes))
        """1 for each piece that has been verified, else 0."""
        self._check(0, 1)
        self.array: NDArray[Any] = array_over(content)
        """The whole array; only rows that were read with `rows` are verified."""
        self._row_bytes = self.array.itemsize * int(np.prod(self.array.shape[1:]))
        self._first = len(content) - self.array.nbytes

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows from `start` to before `stop`, verified. Raises DamagedPiece if a piece is damaged."""
        first = self._first + start * self._row_bytes
        self._check(first, first + (stop - start) * self._row_bytes)
        return self.array[start:stop]

    def _check(self, start: int, stop: int) -> None:
        """Verify the pieces in a range of bytes, unless already verified. Raises DamagedPiece if a piece is damaged."""
        for piece in range(start // PIECE, piece_count(stop)):
            if not self.seen[piece]:
                digest = hashlib.sha256(self._content[piece * PIECE : (piece + 1) * PIECE]).digest()
                if digest != self._hashes[piece].tobytes():
                    raise DamagedPiece(f"{self._name} isn't as it was written")
                self.seen[piece] = 1
