"""The interface of a store of members beside the model."""

from typing import Protocol

from model.facts.member_record import MemberRecord


class MemberSource(Protocol):
    """Finds records of members."""

    async def find(self, member_id: str) -> MemberRecord | None:
        """The member's record; None for an unknown member, or where the store doesn't answer."""

    async def close(self) -> None:
        """Close its connections."""
