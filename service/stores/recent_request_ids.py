"""Request ids of recently reported outcomes, by which repeated reports are noticed.

They are stored as hashes in a memory-mapped file shared by all workers.
"""

import hashlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from model.facts.outcome_record import KNOWN_REQUESTS

BUCKETS, WAYS = 1 << 17, 8
"""Size of the set-associative hash table: a million ids in 8 MiB. In a full bucket, a new id replaces an old one."""


class KnownRequests:
    """The request ids of recent outcomes. Ids added by one process are immediately visible to all processes.

    If two processes write to the same slot at the same time, one id may be lost, and its outcome may be recorded twice.
    A false positive requires two ids whose hashes agree in 81 bits.
    """

    def __init__(self, folder: Path) -> None:
        """Open the file of request ids in the folder, or create it. Raises OSError if that fails."""
        size = BUCKETS * WAYS * 8
        file = os.open(folder / KNOWN_REQUESTS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size != size:
                os.ftruncate(file, size)
            os.posix_fallocate(file, 0, size)  # otherwise, writing to the map with a full disk could crash the process
            self._slots = np.frombuffer(mmap.mmap(file, size), np.uint64).reshape(BUCKETS, WAYS)
        finally:
            os.close(file)

    def has(self, request_id: str) -> bool:
        """Return whether the request id was added, and not replaced by a newer one since."""
        bucket, tag = _place(request_id)
        return bool((self._slots[bucket] == tag).any())

    def add(self, request_ids: Iterable[str]) -> None:
        """Add the request ids of outcomes that were just recorded."""
        for request_id in request_ids:
            bucket, tag = _place(request_id)
            slots = self._slots[bucket]
            free = np.flatnonzero(slots == 0)
            slots[free[0] if len(free) else int(tag) % WAYS] = tag


def _place(request_id: str) -> tuple[int, np.uint64]:
    digest = hashlib.blake2b(request_id.encode(), digest_size=16).digest()
    tag = int.from_bytes(digest[8:]) or 1  # 0 marks a free slot
    return int.from_bytes(digest[:8]) % BUCKETS, np.uint64(tag)
