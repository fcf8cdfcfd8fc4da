"""Keeps the last good content of watched files. A change that can't be used is reported once and ignored."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from service.errors import StartError

Content = TypeVar("Content")
Parsed = TypeVar("Parsed")


class LastGood(Generic[Content, Parsed]):
    """The last content of files that could be read and parsed. May be used from any thread."""

    def __init__(
        self,
        read: Callable[[], Content],
        parse: Callable[[Content], Parsed],
        loaded: Callable[[Parsed], None],
        refused: Callable[[StartError, Parsed], None],
    ) -> None:
        """Read the files. Raises StartError if the initial content can't be used.

        Args:
            read: Reads all files. Raises StartError if a file can't be read.
            parse: Checks and converts the content. Raises StartError if it is invalid.
            loaded: Called with the parsed content after each valid change.
            refused: Called once for each invalid change, with the error and the last good content, parsed.
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
        """Read the files again, and return their content, parsed, or the last good one if it can't be used."""
        with self._lock:
            content = None
            try:
                content = self._read()
                if content != self._content:
                    self.value = self._parse(content)
                    self._content, self._refusal = content, None
                    self._loaded(self.value)
            except StartError as error:
                self._content = None  # so that restoring the previous content counts as a change
                if self._refusal != (content, str(error)):
                    self._refusal = content, str(error)
                    self._refused(error, self.value)
            return self.value

    async def follow(self, interval_seconds: float) -> None:
        """Check the files for changes at regular intervals, forever."""
        while True:
            await asyncio.sleep(interval_seconds)
            await asyncio.to_thread(self.look)
