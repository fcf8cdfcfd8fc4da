"""The interface of a store of member records outside the model."""

from typing import Protocol

from model.facts.member_record import MemberRecord


class MemberSource(Protocol):
    """Looks up member records."""

    async def find(self, member_id: str) -> MemberRecord | None:
        """Return the member's record; None if the member is unknown or the record can't be read."""

    async def close(self) -> None:
        """Close the connections to the store."""
