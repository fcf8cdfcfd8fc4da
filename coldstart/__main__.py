"""The `coldstart` command: one entry point for the commands of the service, of training and of the client."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence

from coldstart import __version__
from model.exit_codes import ExitCode, ending_quietly

Command = Callable[[Sequence[str]], int]

USAGE = """usage: coldstart COMMAND [OPTION ...]

Serve and ask, as `python -m service` and `python -m coldstart_client` do:
{serving}

Make models, as `python -m training` does:
{training}

`coldstart COMMAND --help` shows the options of a command."""


def main() -> int:
    """Run the command that the command line names, and return its exit code; ExitCode.REFUSED if it is unknown."""
    return ending_quietly(lambda: run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. `arguments` are the name of the command and its options.

    Packages that only other commands need aren't imported.
    """
    name, options = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name == "--version":
        print(__version__)
        return ExitCode.DONE
    if name in SERVICE_AND_CLIENT:
        command, _ = SERVICE_AND_CLIENT[name]
        return command(options)
    from training import __main__ as training

    if name in [command for command, _, _ in training.COMMANDS]:
        return training.run(arguments, "coldstart")
    usage = USAGE.format(
        serving=_listed((command, purpose) for command, (_, purpose) in SERVICE_AND_CLIENT.items()),
        training=_listed((command, purpose) for command, _, purpose in training.COMMANDS),
    )
    wanted = name in ("-h", "--help")
    print(usage, file=sys.stdout if wanted else sys.stderr)
    return ExitCode.DONE if wanted else ExitCode.REFUSED


def _listed(commands: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<10} {purpose}" for name, purpose in commands)


def _service(*command: str) -> Command:
    def run_service(options: Sequence[str]) -> int:
        from service.__main__ import main as serve

        return serve([*command, *options])

    return run_service


def _probe(options: Sequence[str]) -> int:
    from service import probe

    return probe.main(options, os.environ)


def _ask(options: Sequence[str]) -> int:
    from coldstart_client.__main__ import main as ask

    return ask(options, os.environ, sys.stdout, sys.stderr)


SERVICE_AND_CLIENT: dict[str, tuple[Command, str]] = {
    "serve": (_service(), "serve a published model over gRPC"),
    "doctor": (_service("doctor"), "check whether the service would run well with its settings"),
    "probe": (_probe, "ask a server for its health"),
    "token": (_service("token"), "make a bearer token"),
    "ask": (_ask, "ask a server from the terminal"),
}
"""Function and help text of each command of the service and the client; `training` lists its own commands."""

if __name__ == "__main__":
    sys.exit(main())
