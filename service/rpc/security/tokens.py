"""Bearer tokens: who may call which methods, told by a file of hashes that is read again when it changes."""

import asyncio
import hashlib
import hmac
import logging
import secrets
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import NotAllowed, TokensError, Unauthenticated
from service.telemetry.logs import log_event

SALT_BYTES = 16
SECRET_BYTES = 32
"""Tokens are that long and random, so that one fast hash of them is enough: nobody can try them all."""
METHODS = (
    "ExplainEnjoyment",
    "GetModel",
    "PredictEnjoyment",
    "RankMovies",
    "RecordOutcome",
    "ServerReflectionInfo",
    "StreamPredictEnjoyment",
)
"""What a token may be for: every method that is served but those of health. The supervisor, which checks the file
before anything else is started, knows no contract to read them from."""
ALL_METHODS = "*"
HEADER = "authorization"
SCHEME = "bearer "


@dataclass(frozen=True)
class Entry:
    """One token of the file."""

    name: str
    """Whose it is."""
    salt: bytes
    digest: bytes
    methods: frozenset[str]
    """Names of the methods that it may call; `*` stands for all."""

    def may_call(self, method: str) -> bool:
        """Whether the method's name, without its service, is among them."""
        return ALL_METHODS in self.methods or method in self.methods


def new_token() -> str:
    """A random token."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hashed(token: str, salt: bytes) -> bytes:
    """What the file keeps of a token."""
    return hashlib.blake2b(token.encode(), salt=salt, digest_size=32).digest()


def entry_text(name: str, token: str, methods: Sequence[str], salt: bytes) -> str:
    """The entry of a token, as the file has it; raises TokensError for a name that can't stand there."""
    if not name.isprintable() or not 1 <= len(name) <= 100 or set(name) & set('"\\'):
        raise TokensError("a token's name must have 1 to 100 printable characters, without quotes and backslashes")
    listed = ", ".join(f'"{method}"' for method in methods)
    hash_text = f"{salt.hex()}:{hashed(token, salt).hex()}"
    return f'[[tokens]]\nname = "{name}"\nhash = "{hash_text}"\nmethods = [{listed}]\n'


def read_entries(content: bytes) -> list[Entry]:
    """The tokens of a file; raises TokensError."""
    try:
        listed = tomllib.loads(content.decode()).get("tokens")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise TokensError("it is no TOML") from None
    if not isinstance(listed, list):
        raise TokensError("it has no [[tokens]]; python -m service token makes one")
    return [_entry(given, number) for number, given in enumerate(listed, 1)]


def _entry(given: object, number: int) -> Entry:
    place = f"token {number}"
    if not isinstance(given, dict) or set(given) != {"name", "hash", "methods"}:
        raise TokensError(f"{place} must have name, hash and methods, and nothing else")
    named = given["methods"]
    if not isinstance(named, list) or not all(each in METHODS or each == ALL_METHODS for each in named):
        raise TokensError(f"{place}: methods must be a list of {', '.join(METHODS)}, or of *")
    try:
        salt, digest = (bytes.fromhex(part) for part in given["hash"].split(":"))
    except (AttributeError, ValueError):
        raise TokensError(f"{place}: hash must be as python -m service token writes it") from None
    if len(salt) != SALT_BYTES or len(digest) != hashlib.blake2b(digest_size=32).digest_size:
        raise TokensError(f"{place}: hash must be as python -m service token writes it")
    return Entry(str(given["name"]), salt, digest, frozenset(named))


def read(file: Path) -> bytes:
    """What a file holds; raises TokensError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise TokensError(f"it can't be read: {error.strerror}") from None


class Tokens:
    """The tokens of a file. A changed file that can't be used leaves those before it in their place."""

    def __init__(self, file: Path, reloaded: Callable[[str], None]) -> None:
        """Reads the file; raises TokensError. `reloaded` is told "loaded" or "refused" for each change."""
        self._file = file
        self._reloaded = reloaded
        content = read(file)
        self._content: bytes | TokensError = content
        self._entries = read_entries(content)
        self._key = secrets.token_bytes(SECRET_BYTES)
        self._known: dict[bytes, Entry] = {}

    def check(self, method: str, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Raises Unauthenticated or NotAllowed where a call's metadata doesn't allow the method."""
        given = [value for name, value in metadata if name == HEADER]
        if len(given) != 1 or not isinstance(given[0], str) or not given[0].lower().startswith(SCHEME):
            raise Unauthenticated
        if not self._find(given[0][len(SCHEME) :].strip()).may_call(method):
            raise NotAllowed

    async def follow(self, seconds: float) -> None:
        """Look for changes of the file, for ever."""
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> None:
        """Take over a changed file."""
        try:
            content: bytes | TokensError = await asyncio.to_thread(read, self._file)
        except TokensError as error:
            content = error
        if str(content) == str(self._content):
            return
        self._content = content
        try:
            if isinstance(content, TokensError):
                raise content
            self._entries = read_entries(content)
        except TokensError as error:
            self._reloaded("refused")
            log_event(logging.ERROR, "tokens_not_loaded", error, reason=str(error), tokens=len(self._entries))
            return
        self._known.clear()
        self._reloaded("loaded")
        log_event(logging.INFO, "tokens_loaded", tokens=len(self._entries))

    def _find(self, token: str) -> Entry:
        """The token's entry; raises Unauthenticated. Every entry is compared, so that time tells nothing."""
        key = hashlib.blake2b(token.encode(errors="replace"), key=self._key, digest_size=32).digest()
        found = self._known.get(key)
        if found is None:
            for entry in self._entries:
                if hmac.compare_digest(hashed(token, entry.salt), entry.digest):
                    found = entry
            if found is None:
                raise Unauthenticated
            self._known[key] = found
        return found
