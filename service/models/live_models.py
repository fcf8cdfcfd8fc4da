"""The models being served: the current version, and the candidate, a new version under test, if the store has one."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.artifact.trial_process import Limits
from model.facts.member_key import MemberKey
from model.store.job_status import GuardStatus, RetrainStatus, read_status
from model.store.open import open_store
from model.store.store import CANDIDATE, CURRENT
from service.errors import NoModel
from service.models.canary import Canary
from service.models.follower import LiveModel
from service.models.loading import Loader, Served, signatures
from service.models.shadow import Shadow
from service.settings import Settings
from service.telemetry.metrics.service_metrics import Metrics

SWITCH_SECONDS = 0.0005
"""Thread switch interval of the interpreter, in seconds. With Python's default, 5 ms, a load would delay many calls."""
STORE_SECONDS = 60.0
"""Interval between listings of all versions in the store, which may read many files, in seconds."""
START_SECONDS = 5.0
"""Delay after startup before a process is started in which the next version is tried, in seconds."""


class LiveModels:
    """Keeps the current version and the candidate loaded, and selects the one that answers for a member."""

    def __init__(
        self, current: LiveModel, candidate: LiveModel, canary: Canary, shadow: Shadow, loader: Loader, metrics: Metrics
    ) -> None:
        self._current = current
        self._candidate = candidate
        self._canary = canary
        self._loader = loader
        self._metrics = metrics
        self.shadow = shadow
        """Compares the candidate's predictions with those of the current version, in the background."""

    @property
    def version(self) -> str | None:
        """Name of the current version; None before the first version is loaded."""
        return self._current.version

    def served(self, member: pb.Member | None = None) -> Served:
        """Return the version that answers for a member; the current version if `member` is None.

        Raises NoModel if no model has been loaded yet.
        """
        current, candidate = self._current.served, self._candidate.served
        if current is None:
            raise NoModel(self._current.reload_seconds)
        if candidate is not None and member is not None and self._canary.picks(member):
            return candidate
        return current

    def label_of(self, version: str) -> str | None:
        """Return the label (current or candidate) of a version; None if the version is not being served."""
        served = (self._current.served, self._candidate.served)
        return next((each.label for each in served if each is not None and each.model.version == version), None)

    async def look(self) -> None:
        """Check once for a new current version, and load it if there is one."""
        await self._current.look()

    async def follow(self) -> None:
        """Check the store for new versions of both models and load them, forever."""
        try:
            following = (self._current.follow(), self._candidate.follow())
            await asyncio.gather(*following, self._prepare(), self._look_at_store())
        finally:
            self.shadow.close()
            self._loader.close()

    async def _look_at_store(self) -> None:
        """Report at intervals, to the metrics, when the newest version was published and what jobs last did.

        What can't be read isn't reported.
        """
        store, metrics = self._loader.store, self._metrics
        while True:
            with suppress(Exception):  # whatever the error is, keep following the models
                metrics.models.published(await asyncio.to_thread(store.newest_written))
            with suppress(Exception):
                if retrain := await asyncio.to_thread(read_status, store, RetrainStatus):
                    metrics.jobs.retrained(retrain)
            with suppress(Exception):
                if guard := await asyncio.to_thread(read_status, store, GuardStatus):
                    metrics.jobs.guarded(guard)
            await asyncio.sleep(STORE_SECONDS)

    async def _prepare(self) -> None:
        """Keep a process ready in which the next version is tried, starting `START_SECONDS` after startup."""
        await asyncio.sleep(START_SECONDS)
        while True:
            await asyncio.to_thread(self._loader.prepare)
            await asyncio.sleep(1)


def live_models(
    settings: Settings, metrics: Metrics, clock: Callable[[], float], loaded: Callable[[], None]
) -> LiveModels:
    """Create the object that loads and follows the models in the configured store, without loading a model yet.

    Args:
        settings: Settings of the service.
        metrics: Metrics of this worker.
        clock: Returns seconds from an arbitrary origin.
        loaded: Called each time a current version has been loaded.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    store = open_store(settings.models, settings.models_cache)
    limits = Limits(settings.trial_memory_mib << 20, settings.trial_seconds)
    loader = Loader(store, limits, signatures(settings, store), MemberKey.read(settings.member_key))
    loader.prepare()
    seconds = settings.reload_seconds
    current = LiveModel(CURRENT, loader, seconds, metrics, clock, loaded)
    candidate = LiveModel(CANDIDATE, loader, seconds, metrics, clock, lambda: None)
    key = settings.canary_key.read_bytes()[:64] if settings.canary_key else b""
    shadow = Shadow(settings.shadow_share, lambda: candidate.served, metrics)
    return LiveModels(current, candidate, Canary(settings.canary_share, key), shadow, loader, metrics)
