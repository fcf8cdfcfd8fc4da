"""Loads a version from the store: fetches and checks it, tries it in a process of its own, and warms it up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.artifact.artifact import Verify, open_version
from model.artifact.trial_process import Limits, Trials
from model.facts.facts import MemberFacts
from model.facts.member_key import MemberKey
from model.prediction.model import Model
from model.store.store import Store
from service.requests.decode import Decoder
from service.settings import Settings


@dataclass(frozen=True)
class Served:
    """A version that is loaded, and the decoder of requests for it. Each call uses the same instance throughout."""

    model: Model
    decode: Decoder
    label: str
    """Label of the version in the store: `current` or `candidate`."""


class Loader:
    """Loads versions from the store after checking them. May be used from any thread."""

    def __init__(
        self, store: Store, limits: Limits, signed_by: Callable[[str], Verify] | None, member_key: MemberKey
    ) -> None:
        """Set up a loader.

        Args:
            store: Store of the model versions.
            limits: Limits of the disposable process.
            signed_by: Given a version, returns the function that verifies its signature; None to require no signature.
            member_key: Hashes the ids of members that are looked up.
        """
        self.store, self._member_key = store, member_key
        self._trials = Trials(limits)
        self._signed_by = signed_by

    def prepare(self) -> None:
        """Start the process in which the next version is tried, unless one is already waiting."""
        self._trials.prepare()

    def close(self) -> None:
        """End the processes in which versions are tried."""
        self._trials.close()

    def load(self, version: str, label: str) -> Served:
        """Return a version, loaded and ready to answer, after checking its files and trying it in a process of its own.

        The trial includes predictions stored at publication, which the model must repeat. Raises ArtifactError if the
        version fails a check or its ids are hashed with another key, and StoreError if it can't be fetched.
        """
        folder = self.store.fetch(version)
        opened = open_version(folder, self._signed_by(version) if self._signed_by else None, self._member_key)
        self._trials.try_version(folder)
        model = opened.model()
        nobody = MemberFacts.nothing(model.schema)
        model.explain(nobody, 0 if len(model.catalogue) else None)
        model.rank(nobody, most=1)
        return Served(model, Decoder(model), label)

    def file_states(self, version: str) -> object:
        """Return the sizes and times of a version's files, as a value that differs whenever a file has changed."""
        return _file_states(self.store.folder(version))


def signatures(settings: Settings, store: Store) -> Callable[[str], Verify] | None:
    """Return a function that takes a version and returns the check of its signature; None if none is required.

    Raises OSError if the key file can't be read, and WrongKey if it doesn't hold a public key.
    """
    if settings.require_signature is None:
        return None
    from model.store.signature import public_key, signed_by  # late import: saves memory in workers that don't need it

    return signed_by(store, public_key(settings.require_signature.read_bytes()))


def _file_states(folder: Path) -> object:
    """Return name, inode, size and modification time of each file; the name of the error if they can't be read."""
    try:
        states = []
        for path in (folder, *sorted(folder.rglob("*"))):
            state = path.lstat()
            states.append((path.name, state.st_ino, state.st_size, state.st_mtime_ns))
    except OSError as error:
        return type(error).__name__
    return tuple(states)
