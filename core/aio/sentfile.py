"""A file that a program has open, as `loop.sendfile` gives it to a stream.

Owns how it is read where the page cache does not hold it: in the pool, so that nobody else waits.

Source: preadv2(2), RWF_NOWAIT; posix_fadvise(2).
"""

import asyncio
import os
import stat
from typing import Any

from gossamer.core.threads.calls import sys_blio
from gossamer.core.threads.systemcall import SystemCall


class SentFile:
    """What `core.io.sendfile` asks of a file, over a descriptor that somebody else closes."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self, offset: int, length: int) -> SystemCall[bytes]:
        """The bytes from `offset` on, fewer than `length` only at the end."""
        return sys_blio(os.pread, self.fd, length, offset)

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """What the page cache has of it, without waiting; None when that is nothing."""
        buffer = bytearray(length)
        try:
            got = os.preadv(self.fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError:  # nothing of it, or a file system that cannot say
            return None
        return bytes(buffer[:got])

    def read_ahead(self, offset: int, length: int) -> None:
        """Ask for a part to be brought into the page cache, without waiting."""
        os.posix_fadvise(self.fd, offset, length, os.POSIX_FADV_WILLNEED)


def stretch_of(file: Any, offset: int, count: int | None) -> tuple[SentFile, int]:
    """A regular file, and how much of it is meant. Raises: SendfileNotAvailableError."""
    try:
        fd = file.fileno()
        found = os.fstat(fd)
    except (AttributeError, OSError) as error:  # io.UnsupportedOperation is one
        raise asyncio.SendfileNotAvailableError("not a regular file") from error
    if not stat.S_ISREG(found.st_mode):
        raise asyncio.SendfileNotAvailableError("not a regular file")
    left = max(found.st_size - offset, 0)
    return SentFile(fd), left if count is None else min(count, left)
