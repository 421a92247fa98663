"""A stream with bytes in front of it that were received already: for whoever looked first at what came.

Owns those bytes until they are received again; all else is the stream's own, and costs no more than there.
"""

from collections.abc import Awaitable
from typing import Any, Self

from gossamer.core.clock import NEVER_US
from gossamer.core.io.block import StreamIteration
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import sys_nbio


class PutBackStream(StreamIteration):
    """The stream, from an earlier point on. It is waited for in one place: `recv_idle` ends no thread."""

    def __init__(self, stream: Stream, data: bytes) -> None:
        self._stream = stream
        self._data = data

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> Awaitable[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent its FIN and all was read."""
        if self._data:
            return sys_nbio(self._take, bytes_max)
        return self._stream.recv(bytes_max, timeout_us)

    def recv_idle(self, idle: Any) -> Awaitable[bytes]:
        """As `recv`."""
        return self.recv(idle.bytes_max, idle.timeout_us)

    async def __aenter__(self) -> Self:
        """As the stream does."""
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *ended: Any) -> None:
        """As the stream does."""
        await self._stream.__aexit__(*ended)

    def __getattr__(self, name: str) -> Any:
        """What is not about receiving; where it sends is looked for once."""
        found = getattr(self._stream, name)
        if name == "send":
            self.send = found
        return found

    def __repr__(self) -> str:
        return repr(self._stream)

    def _take(self, bytes_max: int) -> bytes:
        taken, self._data = self._data[:bytes_max], self._data[bytes_max:]
        if not self._data:
            self.recv = self._stream.recv  # type: ignore[method-assign]  # from now on the stream's own
        return taken
