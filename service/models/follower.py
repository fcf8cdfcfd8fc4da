"""Follows a label of the store: loads its version beside the one that serves, then replaces it."""

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
"""Longest delay between attempts to load a version whose files don't change."""
LONGEST_ABSENCE_SECONDS = 2.0
"""The same for files that can't be read, since it is cheap to try and disks and networks come back."""
ABSENT: tuple[Reason, ...] = ("missing", "store")


@dataclass(frozen=True)
class Failure:
    """The last attempt to load a version, which failed."""

    version: str | None
    """None where the label could not be read."""
    message: str
    files: object
    """State of the version's files before the attempt."""
    attempts: int
    """Attempts to load this version so far."""
    retry_at: float
    """Time of the next attempt, on the follower's clock."""


class LiveModel:
    """The model of a label. A version that can't be loaded leaves the last good one in its place and is retried."""

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
        """Interval between looks at the label."""
        self._metrics = metrics
        self._clock = clock
        self._loaded = loaded
        self.served: Served | None = None
        """The version that serves; None before the first is loaded."""
        self._failure: Failure | None = None

    @property
    def version(self) -> str | None:
        """The version that serves; None before the first is loaded."""
        return self.served.model.version if self.served else None

    async def follow(self) -> None:
        """Look for new versions, for ever."""
        while True:
            await asyncio.sleep(self.reload_seconds)
            await self.look()

    async def look(self) -> None:
        """Load the version that the label names, if it is another one than the one that serves."""
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
        except BaseException as error:  # noqa: BLE001 # whatever a broken version does, the last good one goes on serving
            self._keep_last(version, files, error)

    def _up_to_date(self) -> None:
        """The label names the version that serves, or none."""
        self._failure = None
        self._metrics.models.behind(self.label, behind=False)

    def _retire(self) -> None:
        """Stop serving a candidate whose label is gone; a missing `current` label is no reason to stop."""
        log_event(logging.INFO, "model_retired", model=self.label, version=self.version)
        self.served = None
        self._metrics.models.serving(self.label, None)

    async def _is_due(self, version: str) -> bool:
        """Whether to load a version: a new one, or a failed one after a delay or once its files have changed."""
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
        """Schedule the next attempt, after a delay that doubles each time; log each cause at level ERROR once."""
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
    """Count every lookup of a member that damaged files prevent, and log each kind of damage once."""
    logged: set[str] = set()

    def listener(reason: str) -> None:
        metrics.answers.count_damaged_lookup()
        if reason not in logged:
            logged.add(reason)
            log_event(logging.ERROR, "members_damaged", version=model.version, reason=reason)

    model.members.damage.listener = listener
