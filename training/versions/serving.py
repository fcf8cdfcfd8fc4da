"""Loads the version that serves: the one that the store's label `current` points to."""

from pathlib import Path

from model.artifact.artifact import load_model
from model.errors import ArtifactError, StoreError, Unreadable
from model.facts.member_key import MemberKey
from model.prediction.model import Model
from model.store.open import open_store
from model.store.store import Store
from training.errors import NothingPublished, ServingModelError


def open_serving(models: str | Path, key: MemberKey | None = None) -> Model:
    """Load the version that serves, from the store in a folder or at an address.

    `key` is for `load_serving`. Raises StoreError if the address can't be opened, and what `load_serving` does.
    """
    return load_serving(open_store(models), key)


def load_serving(store: Store, key: MemberKey | None = None) -> Model:
    """Load the version that serves, which has the label `current` in the store.

    `key` hashes ids; None if no member is looked up by id. Raises NothingPublished if there is no current version, and
    ServingModelError if it can't be loaded.
    """
    try:
        version = store.current()
        if version is None:
            raise NothingPublished("no model is published there")
        return load_model(store.fetch(version), key=key)
    except Unreadable as error:
        raise ServingModelError(str(error), error.exit_code) from error
    except (StoreError, ArtifactError) as error:
        raise ServingModelError(str(error)) from error


def serving_version(store: Store) -> str | None:
    """Return the name of the version that serves, or None if there is none or its label can't be read."""
    try:
        return store.current()
    except StoreError:
        return None
