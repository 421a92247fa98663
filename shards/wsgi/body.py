"""`wsgi.input` and `wsgi.errors`: where an application reads a request's body, and writes its complaints.

Owns how pieces of a body become a file; a piece is asked for only when what came before it is read, so a
client that sends faster than the application reads waits.

Source: PEP 3333, "Input and Error Streams".
"""

import io
import logging
from collections.abc import Callable, Iterable
from typing import Final

BUFFER_BYTES: Final = 16384

log = logging.getLogger("gossamer.wsgi")


class BodyPieces(io.RawIOBase):
    """A body as a raw file. Bounds: one piece."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        """`more` gives the next piece, b"" at the end; it may block, and may raise OSError."""
        self._more = more
        self._left = memoryview(b"")
        self._is_at_end = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # any writable buffer
        """At least one byte; 0 at the end."""
        if not self._left and not self._is_at_end:
            piece = self._more()
            self._left = memoryview(piece)
            self._is_at_end = not piece
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def body_file(more: Callable[[], bytes]) -> io.BufferedReader:
    """`wsgi.input` of a body that comes in pieces."""
    return io.BufferedReader(BodyPieces(more), BUFFER_BYTES)


class ErrorLines(io.TextIOBase):
    """`wsgi.errors`: each line becomes one of the log. Bounds: a line of LINE_MAX characters."""

    LINE_MAX: Final = 8192

    def __init__(self) -> None:
        self._begun = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Take text; what it ends within stays for the next."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            log.error("%s", line)
        if len(self._begun) > self.LINE_MAX:
            self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]  # of text alone
        """Take several."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log what no line end has come for."""
        if self._begun:
            log.error("%s", self._begun)
            self._begun = ""
