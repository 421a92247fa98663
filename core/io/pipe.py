"""Pipes: bytes from one thread, or process, to another through the kernel.

Owns the two ends as threads see them; `core.loop.fd.loop` performs their calls.

Source: pipe(7).
"""

import os
from typing import Self

from gossamer.core.io.block import StreamIteration
from gossamer.core.loop.checks import RECV_BYTES_MAX, check_number, whole_bytes
from gossamer.core.loop.fd.call import Descriptor, FdClose, FdRead, FdWrite
from gossamer.core.threads.calls import FD_MAX
from gossamer.core.threads.systemcall import SystemCall


class _End(Descriptor):
    """What both ends have in common."""

    __slots__ = ()

    def close(self) -> SystemCall[None]:
        """Close it; whoever is blocked on it gets ConnectionAbortedError. Twice is harmless."""
        return FdClose(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'closed' if self.is_closed else f'descriptor {self.fd}'}>"


class PipeReader(_End, StreamIteration):
    """The end that is read. It owns its descriptor from now on."""

    __slots__ = ()

    def __init__(self, fd: int) -> None:
        check_number("fd", fd, 0, FD_MAX)
        os.set_blocking(fd, False)
        super().__init__(fd)

    def recv(self, bytes_max: int = 65536) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once every writing end is closed and all was read.

        Raises: MisuseError for a wrong argument; OSError once it is closed.
        """
        if not (type(bytes_max) is int and 0 < bytes_max <= RECV_BYTES_MAX):
            check_number("bytes_max", bytes_max, 1, RECV_BYTES_MAX)
        return FdRead(self, bytes_max)


class PipeWriter(_End):
    """The end that is written. It owns its descriptor from now on."""

    __slots__ = ()

    def __init__(self, fd: int) -> None:
        check_number("fd", fd, 0, FD_MAX)
        os.set_blocking(fd, False)
        super().__init__(fd)

    def send(self, data: bytes) -> SystemCall[None]:
        """Returns when the kernel has taken all of `data`.

        Raises: BrokenPipeError when nobody reads; MisuseError for anything but bytes; OSError once it is
        closed.
        """
        return FdWrite(self, data if type(data) is bytes else whole_bytes("data", data))


def open_pipe() -> tuple[PipeReader, PipeWriter]:
    """A new pipe. Raises: OSError (EMFILE).

    >>> from gossamer import open_pipe, run
    >>> async def main():
    ...     reader, writer = open_pipe()
    ...     async with writer:
    ...         await writer.send(b"through")
    ...     async with reader:
    ...         return [data async for data in reader]
    >>> run(main())
    [b'through']
    """
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    return PipeReader(reading), PipeWriter(writing)
