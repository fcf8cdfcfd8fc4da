"""Command line of the service: `python -m service` serves predictions; `doctor` and `token` are its subcommands."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from model.exit_codes import ExitCode, ending_quietly
from service.errors import SignatureKeyError, StartError
from service.settings import Settings, read_settings
from service.telemetry.logs import configure_logging

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "GRPC_VERBOSITY": "NONE",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    "PROMETHEUS_DISABLE_CREATED_SERIES": "true",
}
"""Defaults of environment variables read by libraries. Variables that are already set take precedence.

Requests are small and numerous: multithreading within one request only slows down the others, and per-thread malloc
arenas make memory appear to leak. gRPC's own log lines are not JSON, and its fork support is not needed. The `_created`
series would only repeat the start time of the process.
"""


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal stops the service, or run the subcommand `doctor` or `token`. Return the exit code."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if arguments[:1] == ["doctor"]:
        from service.commands import doctor

        return doctor.main(arguments[1:], os.environ, time.time(), sys.stdout)
    if arguments[:1] == ["token"]:
        from service.commands import token

        return token.main(arguments[1:])
    settings = read_settings(arguments, os.environ)
    configure_logging(settings.log_level, sys.stderr)
    try:
        _serve(settings)
    except StartError as error:
        print(f"error: {error.explanation}", file=sys.stderr)
        return error.exit_code
    return ExitCode.DONE


def _serve(settings: Settings) -> None:
    """Serve until a signal stops the process. Raises StartError if the service can't start."""
    from service.processes.supervisor import supervise  # late import: Prometheus reads the environment on import
    from service.stores.backends import prepare_members
    from service.stores.outcome_folder import prepare

    if settings.require_signature:
        _check_signature_key(settings.require_signature)
    if settings.outcomes:
        prepare(settings.outcomes)
    prepare_members(settings)
    asyncio.run(supervise(settings, time.perf_counter, sys.stdout))


def _check_signature_key(file: Path) -> None:
    """Raise SignatureKeyError if the file doesn't hold a public key that can verify signatures."""
    from model.errors import WrongKey
    from model.store.signature import public_key  # late import: keeps --help fast

    try:
        public_key(file.read_bytes())
    except (OSError, WrongKey) as error:
        raise SignatureKeyError(str(error)) from error


if __name__ == "__main__":
    sys.exit(ending_quietly(lambda: main(sys.argv[1:])))
