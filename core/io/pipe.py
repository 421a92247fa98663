"""Pipes: bytes from one thread, or process, to another through the kernel.

Owns the two ends as threads see them; `core.loop.fd` performs their calls.

Source: pipe(7).
"""

import os

from gossamer.core.loop.fdcall import Descriptor, FdClose, FdRead, FdWrite
from gossamer.core.threads.systemcall import SystemCall


class PipeReader(Descriptor):
    """The end that is read. It owns its descriptor from now on."""

    __slots__ = ()

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        super().__init__(fd)

    def recv(self, bytes_max: int = 65536) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once every writing end is closed and all was read."""
        return FdRead(self, bytes_max)

    def close(self) -> SystemCall[None]:
        """Close it; a blocked recv raises ConnectionAbortedError. Twice is harmless."""
        return FdClose(self)


class PipeWriter(Descriptor):
    """The end that is written. It owns its descriptor from now on."""

    __slots__ = ()

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        super().__init__(fd)

    def send(self, data: bytes) -> SystemCall[None]:
        """Returns when the kernel has taken all of `data`. Raises: BrokenPipeError when nobody reads."""
        return FdWrite(self, data)

    def close(self) -> SystemCall[None]:
        """Close it; a blocked send raises ConnectionAbortedError. Twice is harmless."""
        return FdClose(self)


def open_pipe() -> tuple[PipeReader, PipeWriter]:
    """A new pipe. Raises: OSError (EMFILE).

    >>> from gossamer.core.io.pipe import open_pipe
    >>> from gossamer.core.loop.program import run
    >>> async def main():
    ...     reader, writer = open_pipe()
    ...     await writer.send(b"through")
    ...     await writer.close()
    ...     data = await reader.recv(), await reader.recv()
    ...     await reader.close()
    ...     return data
    >>> run(main())
    (b'through', b'')
    """
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    return PipeReader(reading), PipeWriter(writing)
