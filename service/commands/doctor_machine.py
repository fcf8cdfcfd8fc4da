"""Checks of what the service needs of the machine: ports, certificates, clock, limits and folders."""

import ctypes
import os
import resource
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates

from model.cores import usable_cores
from service.commands.findings import Finding, Findings, failed, ok, warning
from service.errors import CertificateError, FolderUnusable, PortTaken, TokensError
from service.processes.ports import reserved_port
from service.rpc.security.certificates import CertificateFiles
from service.rpc.security.tokens import read, read_entries
from service.settings import Settings, at_port, flag
from service.stores.outcome_folder import prepare

FEWEST_FILES, ENOUGH_FILES = 256, 4096
"""Every connection needs one, and so does every file of a model."""
SOON_DAYS = 14
SPACE_BYTES = 1 << 30
EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)
"""A clock before that was never set."""
NOT_SYNCHRONIZED = 5
"""What Linux' adjtimex answers then."""
CGROUP = Path("/sys/fs/cgroup")
RUNNING = "if it is this service that runs there, all is well: with --port 0 --metrics-port 0 ports are left out"


def check_ports(settings: Settings) -> Findings:
    """Whether both can be opened."""
    try:
        with reserved_port(settings.host, settings.port):
            yield ok(
                "port", f"{at_port(settings.host, settings.port)} is free" if settings.port else "a free one is taken"
            )
    except (PortTaken, OSError) as error:
        yield failed("port", str(error), RUNNING)
    where = at_port(settings.metrics_host, settings.metrics_port)
    family = socket.AF_INET6 if ":" in settings.metrics_host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.metrics_host, settings.metrics_port))
        yield ok("metrics port", f"{where} is free" if settings.metrics_port else "a free one is taken")
    except OSError as error:
        yield failed("metrics port", f"can't serve metrics on {where}: {error.strerror}", RUNNING)


def check_certificates(settings: Settings, now: float) -> Findings:
    """Whether they can be used, and for how long."""
    files = CertificateFiles.of(settings)
    if files is None:
        if settings.host not in ("127.0.0.1", "::1", "localhost"):
            remedy = f"give {flag('tls_cert')} and {flag('tls_key')}, unless something else encrypts"
            yield warning("certificate", "calls from other machines aren't encrypted", remedy)
        return
    try:
        held = files.read()
        files.check(held)
        found = [(flag("tls_cert"), one) for one in load_pem_x509_certificates(held.chain)]
        if held.client_ca:
            found += [(flag("tls_client_ca"), one) for one in load_pem_x509_certificates(held.client_ca)]
    except (CertificateError, ValueError) as error:
        yield failed("certificate", str(error), "make a new one, with its unencrypted key, in PEM")
        return
    for name, one in found:
        yield _valid(name, one, datetime.fromtimestamp(now, UTC))


def _valid(name: str, one: Certificate, now: datetime) -> Finding:
    begin, end = one.not_valid_before_utc, one.not_valid_after_utc
    days = (end - now).total_seconds() / 86_400
    if begin > now:
        return failed("certificate", f"{name} isn't valid before {begin:%Y-%m-%d}", "look at this machine's clock")
    if days <= 0:
        return failed(
            "certificate", f"{name} was valid until {end:%Y-%m-%d}", "renew it; a running service takes it over"
        )
    found = f"{name} is valid for {days:.0f} more days"
    return warning("certificate", found, "renew it soon") if days < SOON_DAYS else ok("certificate", found)


def check_tokens(settings: Settings) -> Findings:
    """Whether the file can be used."""
    if settings.tokens is None:
        return
    try:
        count = len(read_entries(read(settings.tokens)))
    except TokensError as error:
        yield failed(
            "tokens",
            f"the file of {flag('tokens')} can't be used: {error}",
            "see `python -m service token --help`",
        )
        return
    if count:
        yield ok("tokens", f"{count} in the file")
    else:
        yield failed("tokens", "the file holds none, so that nobody could call", "make one: `python -m service token`")


def check_clock(now: float) -> Findings:
    """Whether it was set, and is kept right."""
    if datetime.fromtimestamp(now, UTC) < EARLIEST:
        yield failed("clock", "it was never set", "set it, and let chrony or systemd-timesyncd keep it right")
    elif _synchronized() is False:
        yield warning("clock", "nothing keeps it right", "run chrony or systemd-timesyncd on the machine")
    else:
        yield ok("clock", f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC")


def _synchronized() -> bool | None:
    """Whether the kernel is told the time by somebody; None where it can't be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != NOT_SYNCHRONIZED)


def check_limits(settings: Settings, worker_bytes: int) -> Findings:
    """Files, processors and memory; `worker_bytes` are those that one worker takes with this model."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < ENOUGH_FILES:
        remedy = f"raise it to {ENOUGH_FILES} or more (ulimit -n, LimitNOFILE)"
        state = failed if files < FEWEST_FILES else warning
        yield state("open files", f"a process may have {files} open, connections among them", remedy)
    else:
        yield ok("open files", f"a process may have {files} open")
    workers, cores = settings.workers or usable_cores(), usable_cores()
    if workers > cores:
        yield warning("processors", f"{workers} workers share {cores} cores", f"lower {flag('workers')}")
    else:
        yield ok("processors", f"{workers} workers on {cores} cores")
    needed, there = (workers + 1) * worker_bytes, memory_limit()
    found = (
        f"{workers} workers need about {needed >> 20} MiB, a trial of a new version included; there are {there >> 20}"
    )
    if needed > there:
        yield failed("memory", found, f"lower {flag('workers')}, or give the container more")
    else:
        yield warning("memory", found, "leave more room") if needed > 0.8 * there else ok("memory", found)


def memory_limit(cgroup: Path = CGROUP) -> int:
    """Bytes that the machine has, or those that the container may use."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limits.append(int((cgroup / name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max", which is no limit
            continue
    return min(limits)


def check_folders(settings: Settings) -> Findings:
    """Whether the folders that are written to can be, and have room."""
    for name, folder in (("outcomes", settings.outcomes), ("models_cache", settings.models_cache)):
        if folder is not None:
            yield _writable(name.replace("_", " "), flag(name), folder)


def _writable(check: str, option: str, folder: Path) -> Finding:
    if not folder.exists():
        nearest = next(parent for parent in folder.absolute().parents if parent.exists())
        if nearest.is_dir() and os.access(nearest, os.W_OK):
            return ok(check, f"the folder of {option} isn't there yet and can be made")
    try:
        prepare(folder)
    except FolderUnusable as error:
        return failed(check, f"the folder of {option} can't be used: {error}", "look at the volume and at its owner")
    free = shutil.disk_usage(folder).free
    found = f"the folder of {option} can be written to; {free >> 20} MiB are free"
    return warning(check, found, "make room") if free < SPACE_BYTES else ok(check, found)
