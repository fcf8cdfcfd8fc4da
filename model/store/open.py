"""Opens the store of published models, in a local folder or at a remote address that fsspec supports."""

from pathlib import Path

from model.errors import StoreError
from model.store.store import Store


def is_address(place: str | Path) -> bool:
    """Return whether the store of published models is at a remote address rather than in a local folder."""
    return "://" in str(place)


def open_store(address: str | Path, cache: Path | None = None) -> Store:
    """Return the store of published models in a local folder or at a remote address such as `s3://bucket/models`.

    Copies of remote versions are kept in `cache`, or in a temporary folder if it is None. Raises StoreError if the
    address needs a package that isn't installed, or can't be opened.
    """
    if not is_address(address):
        return Store(Path(address))
    try:
        from model.store.remote import RemoteStore

        return RemoteStore(str(address), cache)
    except ImportError as error:
        raise StoreError(f"{address} needs the extra `remote`, and what fsspec needs for this protocol") from error
    except Exception as error:  # each protocol has errors of its own for an address that it can't take
        raise StoreError(f"{address} can't be opened: {error}") from error
