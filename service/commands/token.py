"""`python -m service token`: makes a bearer token, adds its hash to a file for `--tokens`, prints it once."""

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from service.errors import TokensError
from service.rpc.security.tokens import ALL_METHODS, METHODS, SALT_BYTES, entry_text, new_token, read_entries


def main(arguments: Sequence[str]) -> int:
    """Print the token and return 0; 2 for a call or a file that is wrong."""
    parser = argparse.ArgumentParser("python -m service token", description=__doc__)
    parser.add_argument("--file", type=Path, required=True, help="the file of hashes; made if it isn't there")
    parser.add_argument("--name", required=True, help="whose token it is")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=[ALL_METHODS],
        choices=[ALL_METHODS, *METHODS],
        help="what it may call [default: * (all)]",
    )
    told = parser.parse_args(arguments)
    token = new_token()
    try:
        entry = entry_text(told.name, token, told.methods, secrets.token_bytes(SALT_BYTES))
        before = told.file.read_bytes() if told.file.exists() else b""
        if before.strip():
            read_entries(before)
            entry = "\n" + entry
        _write(told.file, before + entry.encode())
    except (TokensError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"error: {told.file}: {reason}", file=sys.stderr)
        return 2
    print(token)
    return 0


def _write(file: Path, content: bytes) -> None:
    """Put the file in its place in one step, since a server may read it at any moment; only its owner may read it."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
    beside.replace(file)
