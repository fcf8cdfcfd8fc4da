"""Follows a label of the model store, such as `current`: loads each new version, then serves it in place of the old."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from model.errors import ArtifactError, Reason, StoreError
from model.prediction.model import Model
from model.store.store import CANDIDATE, CURRENT
from service.models.loading import Loader, Served
from service.telemetry.logs import log_event
from service.telemetry.metrics.service_metrics import Metrics

LONGEST_RETRY_SECONDS = 30.0
"""Maximum delay between attempts to load a version whose files don't change, in seconds."""
LONGEST_ABSENCE_SECONDS = 2.0
"""Maximum delay between attempts to load a version whose files can't be read, in seconds. It is short because these
attempts are cheap."""
ABSENT: tuple[Reason, ...] = ("missing", "store")


@dataclass(frozen=True)
class Failure:
    """A failed attempt to load a version, kept to decide when to try again."""

    version: str | None
    """Version to load; None if the label could not be read."""
    message: str
    """Cause of the failure."""
    files: object
    """Sizes and times of the version's files before the attempt, or the name of the error if they couldn't be read;
    None if unknown."""
    attempts: int
    """Number of failed attempts to load this version so far."""
    retry_at: float
    """Time of the next attempt, in seconds on the clock of LiveModel."""


class LiveModel:
    """The version that a label of the store, such as `current`, points to; the last good one until a new one loads."""

    def __init__(
        self,
        label: str,
        loader: Loader,
        reload_seconds: float,
        metrics: Metrics,
        clock: Callable[[], float],
        loaded: Callable[[], None],
    ) -> None:
        self.label = label
        self._loader = loader
        self.reload_seconds = reload_seconds
        """Interval at which the label is checked for a new version, in seconds."""
        self._metrics = metrics
        self._clock = clock
        self._loaded = loaded
        self.served: Served | None = None
        """The version being served; None before the first version is loaded."""
        self._failure: Failure | None = None

    @property
    def version(self) -> str | None:
        """Name of the version being served; None before the first version is loaded."""
        return self.served.model.version if self.served else None

    async def follow(self) -> None:
        """Check the store's label for a new version at intervals, and load it, forever."""
        while True:
            await asyncio.sleep(self.reload_seconds)
            await self.look()

    async def look(self) -> None:
        """Load the version that the store's label points to, unless it is already served.

        Errors are logged, not raised.
        """
        version, files = None, None
        try:
            version = await asyncio.to_thread(self._loader.store.label, self.label)
            if version in (None, self.version):
                self._up_to_date()
                if version is None and self.label == CANDIDATE and self.served is not None:
                    self._retire()
            elif await self._is_due(version):
                began = self._clock()
                files = await asyncio.to_thread(self._loader.file_states, version)
                served = await asyncio.to_thread(self._loader.load, version, self.label)
                self._serve(served, self._clock() - began)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 # whatever a broken version does, keep serving the last good one
            self._keep_last(version, files, error)

    def _up_to_date(self) -> None:
        """Record that there is nothing to load: the label points to the version being served, or to none."""
        self._failure = None
        self._metrics.models.behind(self.label, behind=False)

    def _retire(self) -> None:
        """Stop serving the candidate, the version under test, after its label was removed.

        The current model is never retired.
        """
        log_event(logging.INFO, "model_retired", model=self.label, version=self.version)
        self.served = None
        self._metrics.models.serving(self.label, None)

    async def _is_due(self, version: str) -> bool:
        """Return whether to load a version now: after a failure, only after a delay or if its files have changed."""
        failure = self._failure
        if failure is None or failure.version != version or self._clock() >= failure.retry_at:
            return True
        return await asyncio.to_thread(self._loader.file_states, version) != failure.files

    def _serve(self, served: Served, seconds: float) -> None:
        report_damage(served.model, self._metrics)
        previous, self.served = self.version, served
        self._metrics.models.serving(self.label, served.model)
        if self.label == CURRENT:
            self._metrics.drift.reset(served.model)
        self._metrics.models.load_ended(self.label, None)
        self._up_to_date()
        self._loaded()
        log_event(
            logging.INFO, "model_loaded", model=self.label, version=self.version, previous=previous,
            seconds=round(seconds, 3),
        )  # fmt: skip

    def _keep_last(self, version: str | None, files: object, error: BaseException) -> None:
        """Keep serving the last good version and schedule the next attempt, with a delay that doubles each time.

        A cause is logged at level ERROR the first time, and at level DEBUG while it repeats.
        """
        reason: Reason = "other"
        message = type(error).__name__
        if isinstance(error, (ArtifactError, StoreError)):
            reason, message = error.reason, str(error)
        before = self._failure if self._failure and self._failure.version == version else None
        attempts = before.attempts + 1 if before else 1
        longest = LONGEST_ABSENCE_SECONDS if reason in ABSENT else LONGEST_RETRY_SECONDS
        delay_seconds = min(self.reload_seconds * 2 ** min(attempts, 30), longest)
        self._failure = Failure(version, message, files, attempts, self._clock() + delay_seconds)
        self._metrics.models.load_ended(self.label, reason)
        self._metrics.models.behind(self.label, behind=True)
        log_event(
            logging.DEBUG if before and before.message == message else logging.ERROR, "model_not_loaded", error,
            model=self.label, version=version, kind=reason, reason=message, serving=self.version,
        )  # fmt: skip


def report_damage(model: Model, metrics: Metrics) -> None:
    """From now on, count and log each look-up of a member that fails because a file of the model is damaged.

    Each cause is logged once.
    """
    logged: set[str] = set()

    def listener(reason: str) -> None:
        metrics.answers.count_damaged_lookup()
        if reason not in logged:
            logged.add(reason)
            log_event(logging.ERROR, "members_damaged", version=model.version, reason=reason)

    model.members.damage.listener = listener
