"""Lines and exact numbers of bytes from a stream or a pipe.

Owns what was received and is not read yet, up to a bound. A thread that is cancelled in the middle of a read
loses nothing: what has come stays for the next.
"""

from collections.abc import Awaitable
from typing import Final, Protocol, Self

from gossamer.core.errors import BoundExceeded, IncompleteReadError, misuse
from gossamer.core.loop.checks import RECV_BYTES_MAX, check_number, whole_bytes

HELD_BYTES_MAX: Final = 65536
"""What is held of a stream at most, where nothing else is asked for: no line can be longer."""

RECV_BYTES: Final = 65536
"""Received at a time."""


class Source(Protocol):
    """What can be read from: streams of either stack, pipes."""

    def recv(self, bytes_max: int, /) -> Awaitable[bytes]:
        """At least one byte; b"" at the end."""


class BufferedReader:
    """Reads a stream by lines, by separators, or by exact counts; one thread at a time.

    >>> from gossamer import BufferedReader, open_pipe, run
    >>> async def main():
    ...     reader, writer = open_pipe()
    ...     async with reader, writer:
    ...         await writer.send(b"GET /\\nHost: a\\n\\n12345")
    ...         await writer.close()
    ...         buffered = BufferedReader(reader)
    ...         first = await buffered.readline()
    ...         head = await buffered.readuntil(b"\\n\\n")
    ...         return first, head, await buffered.readexactly(5), await buffered.read()
    >>> run(main())
    (b'GET /\\n', b'Host: a\\n\\n', b'12345', b'')

    For a time limit put a read into `fail_after(seconds)`.

    Bounds: `held_bytes_max` bytes are held at most, even when the stream brings them faster than they are
    read.
    """

    __slots__ = ("_at_end", "_held", "_held_bytes_max", "_source")

    def __init__(self, source: Source, held_bytes_max: int = HELD_BYTES_MAX) -> None:
        if not hasattr(source, "recv"):
            raise misuse("source", source, "a stream, or the reading end of a pipe")
        check_number("held_bytes_max", held_bytes_max, 1, RECV_BYTES_MAX)
        self._source = source
        self._held_bytes_max = held_bytes_max
        self._held = bytearray()
        self._at_end = False

    @property
    def held_bytes(self) -> int:
        """How much was received and is not read yet."""
        return len(self._held)

    async def read(self, bytes_max: int = RECV_BYTES) -> bytes:
        """What there is, at least one byte; b"" at the end. Raises: OSError; MisuseError."""
        check_number("bytes_max", bytes_max, 1, RECV_BYTES_MAX)
        if not self._held:
            await self._receive(bytes_max)
        return self._taken(bytes_max)

    async def readexactly(self, count: int) -> bytes:
        """Exactly this many bytes.

        Raises: IncompleteReadError when the stream ends before, with what there was, which then counts as
        read; OSError; MisuseError for more than is ever held.
        """
        check_number("count", count, 0, self._held_bytes_max)
        while len(self._held) < count:
            if not await self._receive(count - len(self._held)):
                raise IncompleteReadError(self._taken(count), f"{count} bytes")
        return self._taken(count)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """What there is up to a separator, and the separator.

        Raises: IncompleteReadError when the stream ends before, with what there was, which then counts as
        read; BoundExceeded when all that may be held contains no separator, and all of it can still be read;
        OSError; MisuseError.
        """
        separator = whole_bytes("separator", separator)
        if not separator:
            raise misuse("separator", separator, "at least one byte")
        looked_at = 0
        while (found := self._held.find(separator, looked_at)) < 0:
            looked_at = max(0, len(self._held) - len(separator) + 1)
            if len(self._held) >= self._held_bytes_max:
                raise BoundExceeded(f"no {separator!r} within {self._held_bytes_max} bytes (held_bytes_max)")
            if not await self._receive(RECV_BYTES):
                raise IncompleteReadError(self._taken(len(self._held)), f"a part that ends in {separator!r}")
        return self._taken(found + len(separator))

    async def readline(self) -> bytes:
        r"""The next line with its b"\n"; the last may be without; b"" at the end.

        Raises: BoundExceeded for a line that is longer than what may be held; OSError.
        """
        try:
            return await self.readuntil(b"\n")
        except IncompleteReadError as end:
            return end.partial

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next line."""
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def _receive(self, wanted_bytes: int) -> bool:
        """Receive some more, never more than may be held; False at the end."""
        if not self._at_end:
            room_bytes = self._held_bytes_max - len(self._held)
            data = await self._source.recv(min(room_bytes, max(wanted_bytes, RECV_BYTES)))
            self._held += data
            self._at_end = not data
        return not self._at_end

    def _taken(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken
