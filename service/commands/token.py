"""`python -m service token`: creates a bearer token, adds its hash to a file for `--tokens`, and prints the token."""

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from model.exit_codes import ExitCode
from model.files.atomic_write import write_atomically
from service.errors import TokensError
from service.rpc.security.tokens import ALL_METHODS, METHODS, SALT_BYTES, entry_text, new_token, read_entries


def main(arguments: Sequence[str]) -> int:
    """Create a bearer token, add its hash to the file, print the token and return the exit code."""
    parser = argparse.ArgumentParser("python -m service token", description=__doc__)
    parser.add_argument("--file", type=Path, required=True, help="file of token hashes, created if missing")
    parser.add_argument("--name", required=True, help="name of the token's owner")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=[ALL_METHODS],
        choices=[ALL_METHODS, *METHODS],
        help="methods that the token permits [default: * (all)]",
    )
    options = parser.parse_args(arguments)
    token = new_token()
    try:
        _add(options.file, entry_text(options.name, token, options.methods, secrets.token_bytes(SALT_BYTES)))
    except (TokensError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"error: {options.file}: {reason}", file=sys.stderr)
        return ExitCode.REFUSED
    print(token)
    return ExitCode.DONE


def _add(file: Path, entry: str) -> None:
    """Add an entry (a token's owner, hash and methods) to the token file, and make it readable only by its owner.

    Raises TokensError if the file is invalid, and OSError if it can't be read or written.
    """
    content = file.read_bytes() if file.exists() else b""
    if content.strip():
        read_entries(content)
        entry = "\n" + entry
    write_atomically(file, content + entry.encode(), mode=0o600)
