"""A file of the application's, by its descriptor: what `core.io.sendfile` asks of a file to be sent.

Owns how it is read where the page cache does not hold it: in the pool, since nobody knows its path, and past
the page cache it may not be read.
"""

import os
from collections.abc import Awaitable
from contextlib import suppress

from gossamer.core.threads.calls import sys_blio_to_end


class DescriptorFile:
    """An open file; it is not closed here."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self, offset: int, length: int) -> Awaitable[bytes]:
        """The bytes from `offset` on, fewer than `length` only at the end."""
        return sys_blio_to_end(os.pread, self.fd, length, offset)

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """What the page cache has of it, without waiting; None when that is nothing."""
        buffer = bytearray(length)
        try:
            got = os.preadv(self.fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError:
            return None  # it is not there, or this file system cannot say
        return bytes(memoryview(buffer)[:got])

    def read_ahead(self, offset: int, length: int) -> None:
        """Ask for a part to be brought into the page cache, without waiting."""
        with suppress(OSError):  # whoever refuses to hurry delays nothing
            os.posix_fadvise(self.fd, offset, length, os.POSIX_FADV_WILLNEED)
