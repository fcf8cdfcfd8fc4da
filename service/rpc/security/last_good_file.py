"""Keeps the last good content of watched files: a change that can't be used is reported once and not taken over."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from service.errors import StartError

Content = TypeVar("Content")
Parsed = TypeVar("Parsed")


class LastGood(Generic[Content, Parsed]):
    """The last content that could be read and parsed. May be used from any thread."""

    def __init__(
        self,
        read: Callable[[], Content],
        parse: Callable[[Content], Parsed],
        loaded: Callable[[Parsed], None],
        refused: Callable[[StartError, Parsed], None],
    ) -> None:
        """Read the files; raises StartError where they can't be used from the start.

        Args:
            read: Reads all files; raises StartError.
            parse: Checks what was read and converts it; raises StartError.
            loaded: Called with each later content that is taken over.
            refused: Called once for each later content that is not, with the reason and the content kept.
        """
        self._read = read
        self._parse = parse
        self._loaded = loaded
        self._refused = refused
        self._lock = threading.Lock()
        self._content: Content | None = read()
        self._refusal: tuple[Content | None, str] | None = None
        self.value = parse(self._content)
        """The last good content, parsed."""

    def look(self) -> Parsed:
        """Read the files again; the last good content."""
        with self._lock:
            content = None
            try:
                content = self._read()
                if content != self._content:
                    self.value = self._parse(content)
                    self._content, self._refusal = content, None
                    self._loaded(self.value)
            except StartError as error:
                self._content = None  # so that the content before counts as a change when it comes back
                if self._refusal != (content, str(error)):
                    self._refusal = content, str(error)
                    self._refused(error, self.value)
            return self.value

    async def follow(self, interval_seconds: float) -> None:
        """Look for changes, for ever."""
        while True:
            await asyncio.sleep(interval_seconds)
            await asyncio.to_thread(self.look)
