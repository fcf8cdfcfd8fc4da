"""Hashes that stand for members' ids in published tables, stores and lists: plain, or keyed with a secret."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import WrongKey

FEWEST_BYTES, MOST_BYTES = 16, 64
"""Size of a secret in bytes."""


@dataclass(frozen=True)
class MemberKey:
    """A secret that keys the hashes of members' ids (BLAKE2b, RFC 7693), so that only its owner can ask for an id."""

    secret: bytes = field(default=b"", repr=False)
    """16 to 64 random bytes; empty for plain hashes, which anybody who guesses an id can compute."""

    @staticmethod
    def read(path: Path | None) -> "MemberKey":
        """Read the secret from a file; None for plain hashes. Raises WrongKey."""
        if path is None:
            return PLAIN
        try:
            secret = path.read_bytes()
        except OSError as error:
            raise WrongKey(f"the member key {path} can't be read: {error.strerror}") from error
        if not FEWEST_BYTES <= len(secret) <= MOST_BYTES:
            raise WrongKey(f"the member key {path} must have {FEWEST_BYTES} to {MOST_BYTES} bytes, newlines included")
        return MemberKey(secret)

    def hash_of(self, member_id: str) -> tuple[int, int]:
        """Return the two 64-bit halves of the hash of an id."""
        digest = self._digest(member_id.encode(), b"coldstart")
        return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")

    def hex_of(self, member_id: str) -> str:
        """Return the hash of an id as 32 hexadecimal characters."""
        return self._digest(member_id.encode(), b"coldstart").hex()

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal characters that tell secrets apart without revealing them; empty for plain hashes."""
        return self._digest(b"", b"fingerprint").hex() if self.secret else ""

    def _digest(self, content: bytes, purpose: bytes) -> bytes:
        return hashlib.blake2b(content, digest_size=16, key=self.secret, person=purpose).digest()


PLAIN = MemberKey()
