"""Which outcomes were recorded lately: hashes of their request ids in a file that all workers share."""

import hashlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

NAME = "known-1.bin"
BUCKETS, WAYS = 1 << 17, 8
"""So many ids are remembered at most, a million, in 8 MiB; in a full bucket a new one takes an old one's place."""


class KnownRequests:
    """A set that forgets. What one process adds all others see at once, and those that start later too.

    Two processes that write into one slot at once may lose one of both ids, which then is only recorded twice. That
    another id has the same 81 bits of the hash, and so is taken for a known one, is as good as impossible.
    """

    def __init__(self, folder: Path) -> None:
        """Opens or makes the file; raises OSError."""
        size = BUCKETS * WAYS * 8
        file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size != size:
                os.ftruncate(file, size)
            os.posix_fallocate(
                file, 0, size
            )  # on a full disk this fails, while memory over a hole would end the process
            self._slots = np.frombuffer(mmap.mmap(file, size), np.uint64).reshape(BUCKETS, WAYS)
        finally:
            os.close(file)

    def has(self, request_id: str) -> bool:
        """Whether it was added and not forgotten."""
        bucket, tag = _place(request_id)
        return bool((self._slots[bucket] == tag).any())

    def add(self, request_ids: Iterable[str]) -> None:
        """Remember ids."""
        for request_id in request_ids:
            bucket, tag = _place(request_id)
            slots = self._slots[bucket]
            free = np.flatnonzero(slots == 0)
            slots[free[0] if len(free) else int(tag) % WAYS] = tag


def _place(request_id: str) -> tuple[int, np.uint64]:
    digest = hashlib.blake2b(request_id.encode(), digest_size=16).digest()
    tag = int.from_bytes(digest[8:]) or 1  # 0 marks a free slot
    return int.from_bytes(digest[:8]) % BUCKETS, np.uint64(tag)
