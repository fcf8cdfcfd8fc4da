"""Command line of the measurements of privacy: `python -m benchmarks.privacy COMMAND`."""

import argparse
import os
import sys
from importlib import import_module

from training.__main__ import ENVIRONMENT

COMMANDS = {
    "telemetry": "search logs, metrics, traces and files for marks in requests",
    "attack": "membership inference by likelihood ratio, through real training and real predictions",
    "difference": "which movies did a forgotten member rate? From the versions before and after",
    "linkage": "what the published files tell someone who knows some plays of a member",
    "budget": "what differential privacy would cost in accuracy: a lab, not a mode of the service",
}


def main(argv: list[str]) -> int:
    """Run one command; the modules of the others aren't imported."""
    parser = argparse.ArgumentParser("python -m benchmarks.privacy", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if argv[:1] == [name]:
            module = import_module(f"benchmarks.privacy.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)  # before NumPy is imported
    sys.exit(main(sys.argv[1:]))
