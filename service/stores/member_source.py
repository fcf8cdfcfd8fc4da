"""The interface of an external store of members: a record of attributes and plays for each id."""

from typing import Protocol

from model.facts.member_record import MemberRecord


class MemberSource(Protocol):
    """An external store in which a member's record (attributes and plays) can be looked up by id."""

    async def find(self, member_id: str) -> MemberRecord | None:
        """Return the member's attributes and plays; None if the member is unknown or the record can't be read."""

    async def close(self) -> None:
        """Close the connections to the store."""
