"""The command `coldstart`: one name for the service, the job and the client."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from coldstart import __version__

Command = Callable[[Sequence[str]], int]

USAGE = """usage: coldstart COMMAND [OPTION ...]

Serve and ask, as `python -m service` and `python -m coldstart_client` do:
  serve      serve a published model over gRPC
  doctor     check whether the service would run well with its settings
  probe      ask a server for its health
  token      make a bearer token
  ask        ask a server from the terminal

Make models, as `python -m training` does:
{job}

`coldstart COMMAND --help` shows the options of a command."""


def main() -> int:
    """Run the command that the arguments name and return its exit code; 2 for one that isn't there."""
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name == "--version":
        print(__version__)
        return 0
    job = import_module("training.__main__")
    listed = "\n".join(f"  {command:<10} {purpose}" for command, _, purpose in job.COMMANDS)
    if name in ("-h", "--help"):
        print(USAGE.format(job=listed))
        return 0
    if name in SERVICE_AND_CLIENT:
        return SERVICE_AND_CLIENT[name](arguments)
    if name in [command for command, _, _ in job.COMMANDS]:
        return int(job.run([name, *arguments]))
    print(USAGE.format(job=listed), file=sys.stderr)
    return 2


def _service(*before: str) -> Command:
    return lambda arguments: int(import_module("service.__main__").main([*before, *arguments]))


def _probe(arguments: Sequence[str]) -> int:
    return int(import_module("service.probe").main(arguments, os.environ))


def _ask(arguments: Sequence[str]) -> int:
    return int(import_module("coldstart_client.__main__").main(arguments, os.environ, sys.stdout, sys.stderr))


SERVICE_AND_CLIENT: dict[str, Command] = {
    "serve": _service(),
    "doctor": _service("doctor"),
    "token": _service("token"),
    "probe": _probe,
    "ask": _ask,
}
"""What each command that is none of the job's runs; modules are read only when they are needed."""

if __name__ == "__main__":
    sys.exit(main())
