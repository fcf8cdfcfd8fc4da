"""The live model: the version that the store names, loaded beside the one that serves and then put in its place."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.artifact import ArtifactError, load_model
from model.facts import MemberFacts
from model.model import Model
from model.store import Store, StoreError
from service.damage import tell_of_damage
from service.decode import Decoder
from service.logs import tell
from service.metrics import Metrics

LONGEST_RETRY_SECONDS = 30.0


class NoModel(Exception):
    """No model has been loaded yet."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(retry_seconds)
        self.retry_seconds = retry_seconds


@dataclass(frozen=True)
class Served:
    """One model version and what decodes requests for it. A call takes it once and keeps it to its end."""

    model: Model
    decode: Decoder


class LiveModel:
    """Follows the store. A version that can't be loaded leaves the last good one in its place and is tried again."""

    def __init__(
        self,
        store: Store,
        reload_seconds: float,
        metrics: Metrics,
        clock: Callable[[], float],
        loaded: Callable[[], None],
    ) -> None:
        self._store = store
        self._reload_seconds = reload_seconds
        self._metrics = metrics
        self._clock = clock
        self._loaded = loaded
        self._served: Served | None = None
        self._failed_version: str | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._told: tuple[str | None, str] | None = None

    @property
    def version(self) -> str | None:
        """The version that serves; None before the first is loaded."""
        return self._served.model.version if self._served else None

    def served(self) -> Served:
        """The version that serves now; raises NoModel before the first is loaded."""
        if self._served is None:
            raise NoModel(self._reload_seconds)
        return self._served

    async def follow(self) -> None:
        """Look for new versions, for ever."""
        while True:
            await asyncio.sleep(self._reload_seconds)
            await self.look()

    async def look(self) -> None:
        """Serve the version that the store names, if it is another one and can be loaded."""
        version = None
        try:
            version = await asyncio.to_thread(self._store.current)
            if version in (None, self.version):
                self._failed_version = self._told = None
                return
            if version == self._failed_version and self._clock() < self._retry_at:
                return
            began = self._clock()
            served = await asyncio.to_thread(_load, self._store.folder(version))
            self._serve(served, self._clock() - began)
        except asyncio.CancelledError:
            raise
        except (StoreError, ArtifactError) as error:
            self._keep_last("refused", version, error, str(error))
        except BaseException as error:  # noqa: BLE001 # whatever a broken version does, the last good one goes on serving
            self._keep_last("failed", version, error, type(error).__name__)

    def _serve(self, served: Served, seconds: float) -> None:
        tell_of_damage(served.model, self._metrics)
        self._metrics.serving(served.model)
        previous, self._served = self.version, served
        self._failed_version = self._told = None
        self._metrics.load_ended("loaded")
        self._loaded()
        tell(logging.INFO, "model_loaded", version=self.version, previous=previous, seconds=round(seconds, 3))

    def _keep_last(self, result: str, version: str | None, error: BaseException, reason: str) -> None:
        """Try the same version again only after a while that doubles each time."""
        self._failures = self._failures + 1 if version == self._failed_version else 1
        self._failed_version = version
        self._retry_at = self._clock() + min(self._reload_seconds * 2**self._failures, LONGEST_RETRY_SECONDS)
        self._metrics.load_ended(result)
        level = logging.DEBUG if self._told == (version, reason) else logging.ERROR
        tell(level, "model_not_loaded", error, version=version, reason=reason, serving=self.version)
        self._told = version, reason


def _load(folder: Path) -> Served:
    """Load a version and answer once with it, so that the first caller needn't wait and a broken one never serves."""
    model = load_model(folder)
    nobody = MemberFacts.nothing(model.schema)
    model.explain(nobody, 0 if len(model.catalogue) else None)
    model.rank(nobody, most=1)
    return Served(model, Decoder(model))
