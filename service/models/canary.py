"""Canary: a new version, the candidate, answers for a fixed random share of members, which outsiders can't predict."""

import hashlib

from coldstart_client.v1 import enjoyment_service_pb2 as pb

HASHES = 1 << 64
"""Number of possible hash values."""


class Canary:
    """Selects the members for whom the candidate version answers, by a keyed hash; always the same in every worker.

    With the same key, members selected at a small share are also selected at any larger share.
    """

    def __init__(self, share: float, key: bytes) -> None:
        """Set up the selection of members for whom the candidate version answers.

        Args:
            share: Share of members to select, 0 to 1.
            key: Key of the hash, at most 64 bytes.
        """
        self._below = int(share * HASHES)
        self._key = key

    def picks(self, member: pb.Member) -> bool:
        """Return whether the candidate version answers for this member.

        Hashes the member's id, or the whole message if it has no id.
        """
        if not self._below:
            return False
        identity = member.member_id.encode() or member.SerializeToString(deterministic=True)
        digest = hashlib.blake2b(identity, digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "big") < self._below
