"""Request ids of recent outcomes, as hashes in a memory-mapped file that all workers share."""

import hashlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

NAME = "known-1.bin"
BUCKETS, WAYS = 1 << 17, 8
"""A set-associative table of a million ids in 8 MiB; in a full bucket a new id replaces an old one."""


class KnownRequests:
    """A bounded set. All processes see at once what one of them adds, and so do processes that start later.

    Two processes that write into one slot at once may lose one of the ids, whose outcome may then be recorded twice.
    A false positive needs another id with the same 81 bits of the hash.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create the file; raises OSError."""
        size = BUCKETS * WAYS * 8
        file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size != size:
                os.ftruncate(file, size)
            os.posix_fallocate(file, 0, size)  # else a write to the map could kill the process on a full disk
            self._slots = np.frombuffer(mmap.mmap(file, size), np.uint64).reshape(BUCKETS, WAYS)
        finally:
            os.close(file)

    def has(self, request_id: str) -> bool:
        """Whether the id was added and not replaced since."""
        bucket, tag = _place(request_id)
        return bool((self._slots[bucket] == tag).any())

    def add(self, request_ids: Iterable[str]) -> None:
        """Add ids."""
        for request_id in request_ids:
            bucket, tag = _place(request_id)
            slots = self._slots[bucket]
            free = np.flatnonzero(slots == 0)
            slots[free[0] if len(free) else int(tag) % WAYS] = tag


def _place(request_id: str) -> tuple[int, np.uint64]:
    digest = hashlib.blake2b(request_id.encode(), digest_size=16).digest()
    tag = int.from_bytes(digest[8:]) or 1  # 0 marks a free slot
    return int.from_bytes(digest[:8]) % BUCKETS, np.uint64(tag)
