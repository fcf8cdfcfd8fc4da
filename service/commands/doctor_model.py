"""Checks of the store and of the versions that its labels name, as a service loads them."""

import resource
from datetime import datetime
from pathlib import Path

from model.artifact.trial import Limits
from model.errors import ArtifactError, ModelError, Reason, StoreError
from model.files.manifest import check_version
from model.prediction.model import Model
from model.store.open import open_store
from model.store.store import CANDIDATE, CURRENT, Store
from service.commands.findings import Finding, Findings, failed, ok, warning
from service.models.loading import Loader, signatures
from service.settings import Settings, flag

OLD_DAYS = 2.5
SECONDS_PER_DAY = 86_400.0
CLOCK_SECONDS = 300.0
CALLS_BYTES = 64 << 20
"""What gRPC and calls under way take in a worker, roughly."""
REMEDIES: dict[Reason, str] = {
    "format": "make one with this release (`python -m training retrain`), or run the release that made it",
    "unsigned": "sign it (`python -m training models sign`), or give the key that it was signed with",
    "trial": f"if it needs more, raise {flag('trial_memory_mib')} or {flag('trial_seconds')}; else promote another",
    "store": "look at the store's file system, then promote a version (`python -m training models promote`)",
}
ANOTHER = "promote another version (`python -m training models list`, then `models promote`), or retrain"


def check_models(settings: Settings, now: float) -> Findings:
    """The store, the current version and the candidate, if there is one."""
    try:
        store = open_store(settings.models, settings.models_cache)
        known, current = store.versions(), store.label(CURRENT)
    except (StoreError, OSError, ValueError) as error:
        yield failed("store", f"it can't be read: {error}", f"look at {flag('models')} and at the rights of this user")
        return
    if not settings.models.partition("://")[1] and not Path(settings.models).is_dir():
        remedy = "give the folder that `python -m training retrain --models` fills; the service would wait for a model"
        yield failed("store", f"{flag('models')} names a folder that isn't there", remedy)
        return
    if current is None:
        remedy = "run `python -m training retrain`; until then the service answers NO_MODEL"
        yield failed("store", f"{_counted(known)}, none of which is to serve", remedy)
        return
    yield ok("store", f"{_counted(known)}; {current} is to serve")
    yield from _check_version(settings, store, current, CURRENT, now)
    candidate = store.labels().get(CANDIDATE)
    if candidate is not None and candidate != current:
        yield from _check_version(settings, store, candidate, CANDIDATE, now)


def memory_of_one_worker() -> int:
    """Bytes that this process, which has loaded what a worker loads, has taken at most, and what calls add to it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + CALLS_BYTES


def _counted(versions: list[str]) -> str:
    return f"{len(versions)} version{'' if len(versions) == 1 else 's'}"


def _check_version(settings: Settings, store: Store, version: str, label: str, now: float) -> Findings:
    check = "model" if label == CURRENT else "candidate"
    try:
        limits = Limits(settings.trial_memory_mib << 20, settings.trial_seconds)
        loader = Loader(store, limits, signatures(settings, store))
        try:
            served = loader.load(version, label)
        finally:
            loader.close()
        check_version(store.fetch(version))
    except ArtifactError as error:
        yield failed(check, f"{version} can't serve: {error}", REMEDIES.get(error.reason, ANOTHER))
        return
    except (ModelError, OSError, ImportError, ValueError) as error:
        yield failed(check, f"{version} can't be loaded: {error}", ANOTHER)
        return
    yield ok(check, f"{version}: every file is as it was written, and it predicts what it predicted when it was made")
    yield _age(check, served.model, now)


def _age(check: str, model: Model, now: float) -> Finding:
    days = (now - datetime.fromisoformat(model.run.trained_at).timestamp()) / SECONDS_PER_DAY
    if days < -CLOCK_SECONDS / SECONDS_PER_DAY:
        remedy = "set the clock of this machine, or of the one that trains: certificates and ages hang on it"
        return failed(
            "clock", f"{model.version} was trained {-days:.1f} days from now, by this machine's clock", remedy
        )
    found = f"{model.version} was trained {days:.1f} days ago"
    if days > OLD_DAYS:
        return warning(f"{check} age", found, "see whether the job still runs, or whether its versions are held back")
    return ok(f"{check} age", found)
