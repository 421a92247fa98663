"""A stream with bytes in front of it that were received already: for whoever looked first at what came.

Owns those bytes until they are received again; all else is the stream's own, and costs no more than there.
"""

from collections.abc import Awaitable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, Self

from gossamer.core.clock import NEVER_US
from gossamer.core.io.block import StreamIteration
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import sys_nbio

KINDS_MAX: Final = 64
"""Classes of streams that are known at a time."""


class PutBackStream(StreamIteration):
    """The stream, from an earlier point on. It is waited for in one place: `recv_idle` ends no thread."""

    def __new__(cls, stream: Stream, data: bytes) -> Self:
        """One that has what a stream of that class has."""
        del data
        made: Self = object.__new__(passing_on(cls, type(stream)))  # type: ignore[arg-type]  # a class has a hash
        return made

    def __init__(self, stream: Stream, data: bytes) -> None:
        self._stream = stream
        self._data = data
        if not hasattr(type(self), "send"):
            self.send = stream.send  # looked for once

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

    def __repr__(self) -> str:
        return repr(self._stream)

    def _take(self, bytes_max: int) -> bytes:
        taken, self._data = self._data[:bytes_max], self._data[bytes_max:]
        if not self._data:
            self.recv = self._stream.recv  # type: ignore[method-assign]  # from now on the stream's own
        return taken


@lru_cache(maxsize=KINDS_MAX)
def passing_on(own: type[Any], kind: type) -> type[Any]:
    """`own`, with what is not about receiving as a stream of that class has it.

    Each is asked of the stream by its name. One `__getattr__` for them all would be asked for first whenever
    `recv` and `send` are looked up, which are there.
    """
    names = {name for name in dir(kind) if name[:2] != "__"} - {*dir(own), "send"}
    passed: dict[str, Any] = {name: property(attrgetter(f"_stream.{name}")) for name in names}
    if kind.__dictoffset__:
        # It may have what its class does not know of.
        passed["__getattr__"] = lambda self, name: getattr(vars(self)["_stream"], name)
    return type(own.__name__, (own,), passed)
