"""A live model: the version that a label names, loaded beside the one that answers and then put in its place."""

import asyncio
import logging
from collections.abc import Callable

from model.errors import ArtifactError, Reason, StoreError
from model.prediction.model import Model
from model.store.store import CANDIDATE, CURRENT
from service.models.loading import Loader, Served
from service.telemetry.logs import log_event
from service.telemetry.metrics.service_metrics import Metrics

LONGEST_RETRY_SECONDS = 30.0
"""Between tries of a version whose files haven't changed since the last."""
LONGEST_ABSENCE_SECONDS = 2.0
"""Between tries of what can't be read, which is cheap to try: disks and networks come back."""
ABSENT: tuple[Reason, ...] = ("missing", "store")


class LiveModel:
    """Follows a label. A version that can't be loaded leaves the last good one in its place and is tried again."""

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
        """How often it looks."""
        self._metrics = metrics
        self._clock = clock
        self._loaded = loaded
        self.served: Served | None = None
        """The version that answers now; None before the first is loaded."""
        self._failed_version: str | None = None
        self._tried_mark: object = None
        self._failures = 0
        self._retry_at = 0.0
        self._told: tuple[str | None, str] | None = None

    @property
    def version(self) -> str | None:
        """The version that answers; None before the first is loaded."""
        return self.served.model.version if self.served else None

    async def follow(self) -> None:
        """Look for new versions, for ever."""
        while True:
            await asyncio.sleep(self.reload_seconds)
            await self.look()

    async def look(self) -> None:
        """Let the version answer that the label names, if it is another one and can be loaded."""
        version = None
        try:
            version = await asyncio.to_thread(self._loader.store.label, self.label)
            if version in (None, self.version):
                self._content()
                if version is None and self.label == CANDIDATE and self.served is not None:
                    self._retire()
            elif version != self._failed_version or await self._is_due(version):
                began = self._clock()
                self._tried_mark = await asyncio.to_thread(self._loader.mark, version)
                served = await asyncio.to_thread(self._loader.load, version, self.label)
                self._serve(served, self._clock() - began)
        except asyncio.CancelledError:
            raise
        except ArtifactError as error:
            self._keep_last(version, error, error.reason, str(error))
        except StoreError as error:
            self._keep_last(version, error, "store", str(error))
        except BaseException as error:  # noqa: BLE001 # whatever a broken version does, the last good one goes on serving
            self._keep_last(version, error, "other", type(error).__name__)

    def _retire(self) -> None:
        """There is no candidate any more; a current model stays, since a pointer that is gone says nothing."""
        log_event(logging.INFO, "model_retired", model=self.label, version=self.version)
        self.served = None
        self._metrics.models.serving(self.label, None)

    def _content(self) -> None:
        """The label names what answers, or nothing."""
        self._failed_version = self._told = None
        self._metrics.models.behind(self.label, behind=False)

    async def _is_due(self, version: str) -> bool:
        """Whether a version that was refused is to be tried again: after a while, or when its files have changed."""
        if self._clock() >= self._retry_at:
            return True
        return await asyncio.to_thread(self._loader.mark, version) != self._tried_mark

    def _serve(self, served: Served, seconds: float) -> None:
        tell_of_damage(served.model, self._metrics)
        previous, self.served = self.version, served
        self._metrics.models.serving(self.label, served.model)
        if self.label == CURRENT:
            self._metrics.drift.reset(served.model)
        self._metrics.models.load_ended(self.label, None)
        self._content()
        self._loaded()
        log_event(
            logging.INFO, "model_loaded", model=self.label, version=self.version, previous=previous,
            seconds=round(seconds, 3),
        )  # fmt: skip

    def _keep_last(self, version: str | None, error: BaseException, reason: Reason, words: str) -> None:
        """Try the same version again only after a while that doubles each time."""
        self._failures = self._failures + 1 if version == self._failed_version else 1
        self._failed_version = version
        longest = LONGEST_ABSENCE_SECONDS if reason in ABSENT else LONGEST_RETRY_SECONDS
        self._retry_at = self._clock() + min(self.reload_seconds * 2 ** min(self._failures, 30), longest)
        self._metrics.models.load_ended(self.label, reason)
        self._metrics.models.behind(self.label, behind=True)
        level = logging.DEBUG if self._told == (version, words) else logging.ERROR
        facts = {"version": version, "kind": reason, "reason": words, "serving": self.version}
        log_event(level, "model_not_loaded", error, model=self.label, **facts)
        self._told = version, words


def tell_of_damage(model: Model, metrics: Metrics) -> None:
    """Count every lookup of the model's members that damage makes impossible, and log each kind of damage once."""
    told: set[str] = set()

    def listener(reason: str) -> None:
        metrics.damaged_lookup()
        if reason not in told:
            told.add(reason)
            log_event(logging.ERROR, "members_damaged", version=model.version, reason=reason)

    model.members.damage.listener = listener
