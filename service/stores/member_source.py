"""The interfaces of an external store of members: what calls ask of it, and what a kind of store has to do."""

from typing import Protocol

from model.facts.live_ratings import LiveRating
from model.facts.stored_member import StoredEntry, StoredMember


class MemberSource(Protocol):
    """An external store in which members are looked up by id, and which keeps ratings that callers report."""

    async def find(self, member_id: str) -> StoredMember:
        """Return what is stored of a member. If the store doesn't answer in time, that is nothing and says so."""

    async def rate(self, member_id: str, rating: LiveRating, *, only_if_absent: bool) -> bool:
        """Write a member's rating or withdrawal, unless there is a later one of the movie.

        With `only_if_absent`, any that is there stays. Returns whether this or a later one is known to be there.
        """

    async def close(self) -> None:
        """Close the connections to the store."""


class MemberBackend(Protocol):
    """A kind of store. Its methods may raise any of `errors`, OSError, or BadRecord for content of another format."""

    errors: tuple[type[Exception], ...]
    keeps_ratings: bool
    """Whether the store keeps live ratings."""

    async def read(self, member_id: str) -> StoredEntry:
        """Return what the store holds of a member."""

    async def write(self, member_id: str, rating: LiveRating, *, only_if_absent: bool) -> str:
        """Write a rating or withdrawal. Returns `written`, `older` (a later one is there) or `left_out`."""

    async def mark_incomplete(self) -> None:
        """Note in the store that it lacks a rating that was reported."""

    async def close(self) -> None:
        """Close the connections to the store."""
