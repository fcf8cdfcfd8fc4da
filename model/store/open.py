"""Opens the store that an address names: a folder, or anything that fsspec can reach."""

from pathlib import Path

from model.errors import StoreError
from model.store.store import Store


def is_address(place: str | Path) -> bool:
    """Whether a store is at an address rather than in a folder."""
    return "://" in str(place)


def open_store(address: str | Path, cache: Path | None = None) -> Store:
    """The store at a folder or at an address such as `s3://bucket/models`, of which copies are kept in `cache`.

    Raises StoreError where the address needs a package that isn't installed.
    """
    if not is_address(address):
        return Store(Path(address))
    try:
        from model.store.remote import RemoteStore

        return RemoteStore(str(address), cache)
    except ImportError as error:
        raise StoreError(f"{address} needs the extra `remote`, and what fsspec needs for this protocol") from error
