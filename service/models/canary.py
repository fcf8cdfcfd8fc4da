"""Which members the candidate answers: a steady share of them, which nobody outside can foresee."""

import hashlib

from coldstart_client.v1 import enjoyment_service_pb2 as pb

PLACES = 1 << 64


class Canary:
    """Picks a share of members by a keyed hash, the same ones in every worker and for ever.

    A larger share keeps those of a smaller one.
    """

    def __init__(self, share: float, key: bytes) -> None:
        """`share` is 0 to 1, `key` at most 64 bytes."""
        self._below = int(share * PLACES)
        self._key = key

    def picks(self, member: pb.Member) -> bool:
        """Whether the candidate answers for this member: by id, or by the facts where there is none."""
        if not self._below:
            return False
        told = member.member_id.encode() or member.SerializeToString(deterministic=True)
        digest = hashlib.blake2b(told, digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "big") < self._below
