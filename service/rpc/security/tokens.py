"""Bearer tokens: a file of token hashes defines who may call which methods. It is reloaded after a change."""

import hashlib
import hmac
import logging
import secrets
import tomllib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from service.errors import NotAllowed, StartError, TokensError, Unauthenticated
from service.rpc.security.last_good_file import LastGood
from service.telemetry.logs import log_event

SALT_BYTES = 16
SECRET_BYTES = 32
"""Number of random bytes in a token. They can't be guessed, so a fast hash is secure enough."""
METHODS = (
    "ExplainEnjoyment",
    "GetModel",
    "PredictEnjoyment",
    "RankMovies",
    "RecordOutcome",
    "ServerReflectionInfo",
    "StreamPredictEnjoyment",
    "SuggestMoviesToRate",
)
"""Methods that a token may permit: all except health checks.

They are listed here because the supervisor, which checks the token file at startup, doesn't load protobuf descriptors.
"""
ALL_METHODS = "*"
HEADER = "authorization"
SCHEME = "bearer "
_CALLER: ContextVar[str] = ContextVar("caller")
"""Name of the token of the call that the current task is handling; unset if no tokens are wanted."""


@dataclass(frozen=True)
class Entry:
    """One entry of the token file: the owner, the salted hash and the permitted methods of a token."""

    name: str
    """Name of the token's owner."""
    salt: bytes
    digest: bytes
    methods: frozenset[str]
    """Names of the permitted methods, without their service; `*` permits all methods."""

    def may_call(self, method: str) -> bool:
        """Return whether the token permits to call the method."""
        return ALL_METHODS in self.methods or method in self.methods


def current_caller() -> str | None:
    """Return the name of the token with which the current call was sent; None if no tokens are wanted."""
    return _CALLER.get(None)


def new_token() -> str:
    """Return a new random bearer token."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hashed(token: str, salt: bytes) -> bytes:
    """Return the salted hash of a token, which the token file holds instead of the token."""
    return hashlib.blake2b(token.encode(), salt=salt, digest_size=32).digest()


def entry_text(name: str, token: str, methods: Sequence[str], salt: bytes) -> str:
    """Return the TOML of a new entry of the token file: owner, salted hash and methods of a token.

    Raises TokensError if the name is too long or would have to be escaped.
    """
    if not name.isprintable() or not 1 <= len(name) <= 100 or set(name) & set('"\\'):
        raise TokensError("a token's name must have 1 to 100 printable characters, without quotes and backslashes")
    listed = ", ".join(f'"{method}"' for method in methods)
    hash_text = f"{salt.hex()}:{hashed(token, salt).hex()}"
    return f'[[tokens]]\nname = "{name}"\nhash = "{hash_text}"\nmethods = [{listed}]\n'


def read_entries(content: bytes) -> list[Entry]:
    """Parse a token file into entries (owner, hash and methods). Raises TokensError if it is invalid."""
    try:
        listed = tomllib.loads(content.decode()).get("tokens")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise TokensError("it is no TOML") from None
    if not isinstance(listed, list):
        raise TokensError("it has no [[tokens]]; python -m service token makes one")
    return [_entry(table, number) for number, table in enumerate(listed, 1)]


def _entry(table: object, number: int) -> Entry:
    place = f"token {number}"
    if not isinstance(table, dict) or set(table) != {"name", "hash", "methods"}:
        raise TokensError(f"{place} must have name, hash and methods, and nothing else")
    methods = table["methods"]
    if not isinstance(methods, list) or not all(method in METHODS or method == ALL_METHODS for method in methods):
        raise TokensError(f"{place}: methods must be a list of {', '.join(METHODS)}, or of *")
    try:
        salt, digest = (bytes.fromhex(part) for part in table["hash"].split(":"))
    except (AttributeError, ValueError):
        raise TokensError(f"{place}: hash must be as python -m service token writes it") from None
    if len(salt) != SALT_BYTES or len(digest) != hashlib.blake2b(digest_size=32).digest_size:
        raise TokensError(f"{place}: hash must be as python -m service token writes it")
    return Entry(str(table["name"]), salt, digest, frozenset(methods))


def read(file: Path) -> bytes:
    """Return the content of the token file. Raises TokensError if it can't be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise TokensError(f"it can't be read: {error.strerror}") from None


class TokenTable:
    """The entries of a token file, in which the owner and the methods of a token are looked up."""

    def __init__(self, content: bytes) -> None:
        """Parse the content of a token file. Raises TokensError if it is invalid."""
        self.entries = read_entries(content)
        self._digest_key = secrets.token_bytes(SECRET_BYTES)
        self._verified: dict[bytes, Entry] = {}

    def entry(self, token: str) -> Entry:
        """Return the entry (owner and methods) of a token. Raises Unauthenticated if there is none.

        A token that is not cached is always compared with all entries, to prevent timing attacks.
        """
        digest = hashlib.blake2b(token.encode(errors="replace"), key=self._digest_key, digest_size=32).digest()
        verified = self._verified.get(digest)
        if verified is None:
            for entry in self.entries:
                if hmac.compare_digest(hashed(token, entry.salt), entry.digest):
                    verified = entry
            if verified is None:
                raise Unauthenticated
            self._verified[digest] = verified
        return verified


class Tokens:
    """The bearer tokens that the server accepts. If a changed file can't be used, the previous tokens remain valid."""

    def __init__(self, file: Path, reloaded: Callable[[str], None]) -> None:
        """Read the file. Raises TokensError if it can't be used.

        Args:
            file: Path of the token file.
            reloaded: Called with "loaded" or "refused" for each change.
        """
        self._reloaded = reloaded
        self._file = LastGood(lambda: read(file), TokenTable, self._loaded, self._refused)

    def check(self, method: str, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Check the bearer token in the metadata of a call.

        Raises Unauthenticated if there is no valid token, and NotAllowed if the token doesn't permit the method.
        """
        values = [value for name, value in metadata if name == HEADER]
        if len(values) != 1 or not isinstance(values[0], str) or not values[0].lower().startswith(SCHEME):
            raise Unauthenticated
        entry = self._file.value.entry(values[0][len(SCHEME) :].strip())
        if not entry.may_call(method):
            raise NotAllowed
        _CALLER.set(entry.name)

    async def follow(self, interval_seconds: float) -> None:
        """Check the file for changes at regular intervals, forever."""
        await self._file.follow(interval_seconds)

    def _loaded(self, table: TokenTable) -> None:
        self._reloaded("loaded")
        log_event(logging.INFO, "tokens_loaded", tokens=len(table.entries))

    def _refused(self, error: StartError, table: TokenTable) -> None:
        self._reloaded("refused")
        log_event(logging.ERROR, "tokens_not_loaded", error, reason=str(error), tokens=len(table.entries))
