"""Checks of the `doctor` command: the model store, files and folders in the settings, and machine limits."""

import os
import resource
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.x509 import Certificate, load_pem_x509_certificates

from model.artifact.trial_process import Limits
from model.cores import usable_cores
from model.errors import ANOTHER, REMEDIES, ArtifactError, ModelError, StoreError
from model.facts.facts import SECONDS_PER_DAY
from model.facts.member_key import MemberKey
from model.files.manifest import check_version
from model.prediction.model import Model
from model.store.open import is_address, open_store
from model.store.store import CANDIDATE, CURRENT, Store
from service.errors import CertificateError, FolderUnusable, TokensError
from service.models.loading import Loader, signatures
from service.rpc.security.certificates import CertificateFiles
from service.rpc.security.tokens import read, read_entries
from service.settings import Settings, flag
from service.stores.outcome_folder import prepare

OLD_DAYS = 2.5
CLOCK_SECONDS = 300.0
"""Allowed difference between the clocks of two machines, in seconds."""
CALLS_BYTES = 64 << 20
"""Rough estimate of the memory that gRPC and running calls need in a worker, in bytes."""
SOON_DAYS = 14
FEWEST_FILES = 256
"""Minimum limit on open files. Each connection and each file of a model needs a file descriptor."""
TIGHT_SHARE = 0.8
SPACE_BYTES = 1 << 30
CGROUP = Path("/sys/fs/cgroup")
TRIAL = f"if it needs more, raise {flag('trial_memory_mib')} or {flag('trial_seconds')}; else promote another"


@dataclass(frozen=True)
class Finding:
    """The result of one check of the `doctor` command. Its texts contain no secrets."""

    check: str
    """Short name of what was checked."""
    state: Literal["ok", "warning", "failed"]
    """Severity: `warning` means that the service will run, but may have a problem later."""
    observation: str
    """What was observed."""
    remedy: str = ""
    """What to do about the problem; empty if there is none."""


Findings = Iterator[Finding]


def ok(check: str, observation: str) -> Finding:
    """Return a check's result that says that all is well."""
    return Finding(check, "ok", observation)


def warning(check: str, observation: str, remedy: str) -> Finding:
    """Return a check's result about something that works now but may cause a problem later."""
    return Finding(check, "warning", observation, remedy)


def failed(check: str, observation: str, remedy: str) -> Finding:
    """Return a check's result about something that doesn't work."""
    return Finding(check, "failed", observation, remedy)


def check_models(settings: Settings, now: float) -> Findings:
    """Check the model store, the version that serves, and the candidate if there is one.

    They are loaded as the service does.
    """
    try:
        store = open_store(settings.models, settings.models_cache)
        versions, current = store.versions(), store.label(CURRENT)
    except (StoreError, OSError, ValueError) as error:
        yield failed("store", f"it can't be read: {error}", f"look at {flag('models')} and at the rights of this user")
        return
    if not is_address(settings.models) and not Path(settings.models).is_dir():
        remedy = "give the folder that `python -m training retrain --models` fills; the service would wait for a model"
        yield failed("store", f"{flag('models')} names a folder that isn't there", remedy)
        return
    counted = f"{len(versions)} version{'' if len(versions) == 1 else 's'}"
    if current is None:
        remedy = "run `python -m training retrain`; until then the service answers NO_MODEL"
        yield failed("store", f"{counted}, none of which is to serve", remedy)
        return
    yield ok("store", f"{counted}; {current} is to serve")
    model = yield from _check_version(settings, store, current, CURRENT)
    if model is not None:
        yield _check_age(model, now)
    candidate = store.labels().get(CANDIDATE)
    if candidate is not None and candidate != current:
        yield from _check_version(settings, store, candidate, CANDIDATE)


def _check_version(
    settings: Settings, store: Store, version: str, label: str
) -> Generator[Finding, None, Model | None]:
    """Load a version as the service does and yield the result. Returns the model, or None if it can't be loaded."""
    check = "model" if label == CURRENT else "candidate"
    try:
        limits = Limits(settings.trial_memory_mib << 20, settings.trial_seconds)
        loader = Loader(store, limits, signatures(settings, store), MemberKey.read(settings.member_key))
        try:
            served = loader.load(version, label)
        finally:
            loader.close()
        check_version(store.fetch(version))
    except ArtifactError as error:
        yield failed(check, f"{version} can't serve: {error}", (REMEDIES | {"trial": TRIAL}).get(error.reason, ANOTHER))
        return None
    except (ModelError, OSError, ImportError, ValueError) as error:
        yield failed(check, f"{version} can't be loaded: {error}", ANOTHER)
        return None
    yield ok(check, f"{version}: every file is as it was written, and it predicts what it predicted when it was made")
    return served.model


def _check_age(model: Model, now: float) -> Finding:
    days = (now - datetime.fromisoformat(model.run.trained_at).timestamp()) / SECONDS_PER_DAY
    if days < -CLOCK_SECONDS / SECONDS_PER_DAY:
        observation = f"{model.version} was trained {-days:.1f} days from now, by this machine's clock"
        remedy = "set the clock of this machine, or of the one that trains: certificates and ages depend on it"
        return failed("clock", observation, remedy)
    observation = f"{model.version} was trained {days:.1f} days ago"
    if days > OLD_DAYS:
        remedy = "see whether the job still runs, or whether its versions are held back"
        return warning("model age", observation, remedy)
    return ok("model age", observation)


def check_certificates(settings: Settings, now: float) -> Findings:
    """Check whether the TLS certificates are usable, and how long they remain valid."""
    files = CertificateFiles.of(settings)
    if files is None:
        if settings.host not in ("127.0.0.1", "::1", "localhost"):
            remedy = f"give {flag('tls_cert')} and {flag('tls_key')}, unless something else encrypts"
            yield warning("certificate", "calls from other machines aren't encrypted", remedy)
        return
    try:
        content = files.read()
        files.check(content)
        certificates = [("tls_cert", certificate) for certificate in load_pem_x509_certificates(content.chain)]
        if content.client_ca:
            authorities = load_pem_x509_certificates(content.client_ca)
            certificates += [("tls_client_ca", certificate) for certificate in authorities]
    except (CertificateError, ValueError) as error:
        yield failed("certificate", str(error), "make a new one, with its unencrypted key, in PEM")
        return
    for name, certificate in certificates:
        yield _check_validity(flag(name), certificate, datetime.fromtimestamp(now, UTC))


def _check_validity(option: str, certificate: Certificate, now: datetime) -> Finding:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    days = (end - now).total_seconds() / SECONDS_PER_DAY
    if begin > now:
        return failed("certificate", f"{option} isn't valid before {begin:%Y-%m-%d}", "look at this machine's clock")
    if days <= 0:
        remedy = "renew it; a running service takes it over"
        return failed("certificate", f"{option} was valid until {end:%Y-%m-%d}", remedy)
    observation = f"{option} is valid for {days:.0f} more days"
    if days < SOON_DAYS:
        return warning("certificate", observation, "renew it soon")
    return ok("certificate", observation)


def check_tokens(settings: Settings) -> Findings:
    """Check whether the file of bearer tokens is usable."""
    if settings.tokens is None:
        return
    try:
        count = len(read_entries(read(settings.tokens)))
    except TokensError as error:
        yield failed("tokens", error.explanation, "see `python -m service token --help`")
        return
    if count:
        yield ok("tokens", f"{count} in the file")
    else:
        yield failed("tokens", "the file holds none, so that nobody could call", "make one: `python -m service token`")


def check_open_files() -> Findings:
    """Check whether a process may open enough files for its connections and its model."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    observation = f"a process may have {files} open, connections among them"
    if files < FEWEST_FILES:
        yield failed("open files", observation, "raise it to 4096 or more (ulimit -n, LimitNOFILE)")
    else:
        yield ok("open files", observation)


def check_memory(settings: Settings, worker_bytes: int) -> Findings:
    """Check whether the workers, and one process that tries a new version, fit into memory at `worker_bytes` each."""
    workers = settings.workers or usable_cores()
    needed, limit = (workers + 1) * worker_bytes, memory_limit()
    observation = (
        f"{workers} workers need about {needed >> 20} MiB, a trial of a new version included; there are {limit >> 20}"
    )
    if needed > limit:
        yield failed("memory", observation, f"lower {flag('workers')}, or give the container more")
    elif needed > TIGHT_SHARE * limit:
        yield warning("memory", observation, "leave more room")
    else:
        yield ok("memory", observation)


def memory_of_one_worker() -> int:
    """Estimate a worker's memory in bytes, as CALLS_BYTES plus this process's peak after loading the model."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + CALLS_BYTES


def memory_limit(cgroup: Path = CGROUP) -> int:
    """Return the memory of the machine, or the container's limit if that is lower, in bytes."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limits.append(int((cgroup / name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max" (unlimited)
            continue
    return min(limits)


def check_folders(settings: Settings) -> Findings:
    """Check whether the folders that the service writes to are writable and have enough free space."""
    for name, folder in (("outcomes", settings.outcomes), ("models_cache", settings.models_cache)):
        if folder is not None:
            yield _check_folder(name.replace("_", " "), flag(name), folder)


def _check_folder(check: str, option: str, folder: Path) -> Finding:
    if not folder.exists():
        nearest = next(parent for parent in folder.absolute().parents if parent.exists())
        if nearest.is_dir() and os.access(nearest, os.W_OK):
            return ok(check, f"the folder of {option} isn't there yet and can be made")
    try:
        prepare(folder)
    except FolderUnusable as error:
        return failed(check, f"the folder of {option} can't be used: {error}", "look at the volume and at its owner")
    free = shutil.disk_usage(folder).free
    observation = f"the folder of {option} can be written to; {free >> 20} MiB are free"
    return warning(check, observation, "make room") if free < SPACE_BYTES else ok(check, observation)
