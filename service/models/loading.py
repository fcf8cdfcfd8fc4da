"""Loads a version of the store: fetches it, tries it in a disposable process, checks it and warms it up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.artifact.artifact import Verify, open_version
from model.artifact.trial_process import Limits, Trials
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from model.store.store import Store
from service.requests.decode import Decoder
from service.settings import Settings


@dataclass(frozen=True)
class Served:
    """A model version and its request decoder. A call takes it once and keeps it to its end."""

    model: Model
    decode: Decoder
    label: str
    """`current` or `candidate`."""


class Loader:
    """Loads versions; may be used from any thread."""

    def __init__(self, store: Store, limits: Limits, signed_by: Callable[[str], Verify] | None) -> None:
        """`signed_by` gives the check of a version's signed manifest; None where no signature is required."""
        self.store = store
        self._trials = Trials(limits)
        self._signed_by = signed_by

    def prepare(self) -> None:
        """Start the disposable process that the next load needs."""
        self._trials.prepare()

    def close(self) -> None:
        """End the disposable processes."""
        self._trials.close()

    def load(self, version: str, label: str) -> Served:
        """The version, once it has passed all checks, predicted the golden rows, explained and ranked.

        Raises ArtifactError and StoreError.
        """
        folder = self.store.fetch(version)
        opened = open_version(folder, self._signed_by(version) if self._signed_by else None)
        self._trials.try_version(folder)
        model = opened.model()
        nobody = MemberFacts.nothing(model.schema)
        model.explain(nobody, 0 if len(model.catalogue) else None)
        model.rank(nobody, most=1)
        return Served(model, Decoder(model), label)

    def file_states(self, version: str) -> object:
        """A value that changes whenever a file of the version does."""
        return _file_states(self.store.folder(version))


def signatures(settings: Settings, store: Store) -> Callable[[str], Verify] | None:
    """The check of a version's signed manifest; None where the settings require no signature.

    Raises WrongKey and OSError for a file that is no key.
    """
    if settings.require_signature is None:
        return None
    from model.store.signature import public_key, signed_by  # else workers needn't hold what it loads

    return signed_by(store, public_key(settings.require_signature.read_bytes()))


def _file_states(folder: Path) -> object:
    """Name, inode, size and time of change of each file; the error's name for an unreadable folder."""
    try:
        states = []
        for path in (folder, *sorted(folder.rglob("*"))):
            state = path.lstat()
            states.append((path.name, state.st_ino, state.st_size, state.st_mtime_ns))
    except OSError as error:
        return type(error).__name__
    return tuple(states)
