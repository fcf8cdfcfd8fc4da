"""From a version of the store to a model that answers: fetched, tried by a disposable process, checked, warmed up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.artifact.artifact import Verify, open_version
from model.artifact.trial import Limits, Trials
from model.facts.facts import MemberFacts
from model.prediction.model import Model
from model.store.store import Store
from service.requests.decode import Decoder
from service.settings import Settings


@dataclass(frozen=True)
class Served:
    """One model version and what decodes requests for it. A call takes it once and keeps it to its end."""

    model: Model
    decode: Decoder
    label: str
    """`current` or `candidate`."""


class Loader:
    """Loads versions; may be used from any thread."""

    def __init__(self, store: Store, limits: Limits, signed_by: Callable[[str], Verify] | None) -> None:
        """`signed_by` gives what checks a manifest's signature for a version; None where none is asked for."""
        self.store = store
        self._trials = Trials(limits)
        self._signed_by = signed_by

    def prepare(self) -> None:
        """Start what the next load needs."""
        self._trials.prepare()

    def close(self) -> None:
        """End what waits and what is being loaded."""
        self._trials.close()

    def load(self, version: str, label: str) -> Served:
        """The version, once all checks are passed and it has answered golden requests, one explanation and one ranking.

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

    def mark(self, version: str) -> object:
        """Something that is another once any file of the version has changed."""
        return _mark(self.store.folder(version))


def signatures(settings: Settings, store: Store) -> Callable[[str], Verify] | None:
    """What checks the manifest's signature of a version, where the settings ask for one.

    Raises WrongKey and OSError for a file that is no key.
    """
    if settings.require_signature is None:
        return None
    from model.store.signature import public_key, signed_by  # else workers needn't hold what it loads

    return signed_by(store, public_key(settings.require_signature.read_bytes()))


def _mark(folder: Path) -> object:
    try:
        found = []
        for path in (folder, *sorted(folder.rglob("*"))):
            told = path.lstat()
            found.append((path.name, told.st_ino, told.st_size, told.st_mtime_ns))
    except OSError as error:
        return type(error).__name__
    return tuple(found)
