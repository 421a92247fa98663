"""`async with` and `async for` of whatever has the calls of a stream, so that each is written once.

Owns what a block does with its stream when it is left, and where an iteration ends. The calls are those of
whoever inherits this: system calls, or coroutines.
"""

from collections.abc import Awaitable
from types import TracebackType
from typing import Protocol, Self


class Receives(Protocol):
    """What is asked of whoever is iterated over."""

    def recv(self) -> Awaitable[bytes]:
        """At least one byte; b"" once nothing comes any more."""


class Closes(Protocol):
    """What is asked of whose block is left."""

    def close(self) -> Awaitable[None]:
        """Close it, orderly."""

    def abort(self) -> Awaitable[None]:
        """Close it at once."""


class StreamIteration:
    """What comes, in the pieces in which it does."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self: Receives) -> bytes:
        """What came next, until nothing comes any more."""
        data = await self.recv()
        if not data:
            raise StopAsyncIteration
        return data


class StreamBlock:
    """The stream is the block's, and closed with it."""

    __slots__ = ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self: Closes,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close it; where the block failed or was cancelled, abort: the peer must not take a part for all.
        Where its thread is closed, nothing can be waited for: the connection goes on elsewhere, or the whole
        program ends."""
        if kind is GeneratorExit:
            return
        if kind is None:
            await self.close()
        else:
            await self.abort()
