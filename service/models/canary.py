"""Canary: the candidate answers a fixed random share of members, which nobody outside can predict."""

import hashlib

from coldstart_client.v1 import enjoyment_service_pb2 as pb

HASHES = 1 << 64
"""Number of possible hashes."""


class Canary:
    """Picks a share of members by a keyed hash, the same members in every worker and for ever.

    A larger share contains the members of a smaller one.
    """

    def __init__(self, share: float, key: bytes) -> None:
        """`share` is 0 to 1, `key` at most 64 bytes."""
        self._below = int(share * HASHES)
        self._key = key

    def picks(self, member: pb.Member) -> bool:
        """Whether the candidate answers for this member: by the hash of the id, or of the facts where there is none."""
        if not self._below:
            return False
        identity = member.member_id.encode() or member.SerializeToString(deterministic=True)
        digest = hashlib.blake2b(identity, digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "big") < self._below
