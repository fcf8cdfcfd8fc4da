"""Where something of members is kept: tables, outcomes, a store of members and published versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.facts.member_key import PLAIN, MemberKey
from model.store.open import is_address, open_store
from model.store.store import Store
from training.data.files.table_files import refuse_no_folder
from training.errors import UsageError


@dataclass(frozen=True)
class Places:
    """The places to look into; None for those that aren't."""

    data: Path | None
    """A data directory."""
    outcomes: Path | None
    """A folder of recorded outcomes."""
    address: str | None
    """The address of a store of members."""
    models: str | None
    """The folder or address of published models."""
    key: MemberKey = PLAIN
    """Key of the list of forgotten members, and of hashes in stores and versions that have one."""

    @property
    def keys(self) -> tuple[MemberKey, ...]:
        """The keys that ids may be hashed with: none, which is plain, and the given one."""
        return (PLAIN, self.key) if self.key.secret else (PLAIN,)

    def refuse(self) -> None:
        """Raise UsageError if no place is given, and DataError if a folder isn't there."""
        folders = {"--data": self.data, "--outcomes": self.outcomes}
        if not any((*folders.values(), self.address, self.models)):
            raise UsageError("name a place to look into: --data, --outcomes, --to or --models")
        for option, folder in folders.items():
            if folder is not None:
                refuse_no_folder(option, folder)
        if self.models and not is_address(self.models):
            refuse_no_folder("--models", Path(self.models))

    def store(self) -> Store | None:
        """Return the store of published models."""
        return open_store(self.models) if self.models else None


def distinct(member_ids: Sequence[str]) -> list[str]:
    """Return the distinct ids, in order. Raises UsageError without any."""
    if not member_ids:
        raise UsageError("there is no member's id: --ids needs a file with one on each line")
    return list(dict.fromkeys(member_ids))
