"""`python -m service`: serves the published model; `doctor` checks that it can, `token` makes a bearer token."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from service.settings import SECRET, read_settings, variable
from service.telemetry.logs import set_up

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "GRPC_VERBOSITY": "NONE",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    "PROMETHEUS_DISABLE_CREATED_SERIES": "true",
}
"""What libraries are told, unless the environment says else.

Requests are small and many: threads inside one only get into the others' way, and memory that each thread keeps for
itself looks like a leak. gRPC's own lines are no JSON, and it needn't be ready for forks, of which there are none. When
each series began says nothing here, since all begin with the process.
"""


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal says to stop; 0 then, 1 where it can't serve, or wouldn't by what the doctor sees."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if arguments[:1] == ["doctor"]:
        from service.commands import doctor

        return doctor.main(arguments[1:], os.environ, time.time(), sys.stdout)
    if arguments[:1] == ["token"]:
        from service.commands import token

        return token.main(arguments[1:])
    settings = read_settings(arguments, os.environ)
    set_up(settings.log_level, sys.stderr)
    os.environ |= {variable(name): value for name in SECRET if (value := getattr(settings, name)) is not None}
    from service.processes.ports import PortTaken
    from service.processes.supervisor import (  # only now: Prometheus reads the environment when imported
        NoWorker,
        supervise,
    )
    from service.rpc.security.certificates import CertificateError
    from service.rpc.security.tokens import TokensError
    from service.stores.outcome_folder import FolderUnusable, prepare

    if settings.require_signature and (reason := _why_unusable(settings.require_signature)):
        print(f"error: the file of --require-signature can't be used: {reason}", file=sys.stderr)
        return 1
    try:
        if settings.outcomes:
            prepare(settings.outcomes)
        asyncio.run(supervise(settings, time.perf_counter, sys.stdout))
    except (PortTaken, NoWorker, CertificateError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except FolderUnusable as error:
        print(f"error: the folder of --outcomes can't be used: {error}", file=sys.stderr)
        return 1
    except TokensError as error:
        print(f"error: the file of --tokens can't be used: {error}", file=sys.stderr)
        return 1
    return 0


def _why_unusable(key_file: Path) -> str | None:
    """Why no signature can be checked by the key in a file, None where one can be."""
    from model.errors import WrongKey
    from model.store.signature import public_key  # only here, so that --help is fast

    try:
        public_key(key_file.read_bytes())
    except (OSError, WrongKey) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
