"""The calls on files, which `core.loop.disk.loop` takes.

Owns the call values, and what may be asked by them. It performs nothing.
"""

from typing import Final, final

from gossamer.core.errors import check_whole, misuse
from gossamer.core.threads.calls import FD_MAX, check_fd
from gossamer.core.threads.systemcall import SystemCall

OFFSET_MAX: Final = (1 << 63) - (1 << 20)
"""The kernel's loff_t, less what one call reads and the pages around it."""


# Each call looks at the common case itself, in one expression; the functions here are for what is not that,
# and say which argument it was.


def _check_place(what: str, fd: object, offset: object) -> None:
    check_fd(f"{what}: fd", fd)
    check_whole(f"{what}: offset", offset, 0, OFFSET_MAX, "whole bytes from the beginning of the file")


def _check_read(call: "AioRead") -> None:
    _check_place("sys_aio_read", call.fd, call.offset)
    check_whole("sys_aio_read: length", call.length, 0, OFFSET_MAX, "so many bytes, 0 and more")


def _check_write(call: "AioWrite") -> None:
    _check_place("sys_aio_write", call.fd, call.offset)
    if not isinstance(call.data, (bytes, bytearray, memoryview)):
        raise misuse("sys_aio_write: data", call.data, "bytes, a bytearray or a memoryview")


@final
class AioRead(SystemCall[bytes], frozen=True, gc=False):
    """Read a file without blocking the worker; b"" at its end. Taken by `core.loop.disk.loop`.

    >>> from tempfile import TemporaryFile
    >>> from gossamer import run, sys_aio_read, sys_aio_sync, sys_aio_write
    >>> async def main(fd):
    ...     written = await sys_aio_write(fd, 0, b"hello, file")
    ...     await sys_aio_sync(fd)
    ...     return written, await sys_aio_read(fd, 7, 100)
    >>> with TemporaryFile() as file:
    ...     run(main(file.fileno()))
    (11, b'file')
    """

    fd: int
    offset: int
    length: int

    def __post_init__(self) -> None:
        fd, offset, length = self.fd, self.offset, self.length
        is_plain = type(fd) is type(offset) is type(length) is int
        if not (is_plain and -1 <= fd <= FD_MAX and 0 <= offset <= OFFSET_MAX and 0 <= length <= OFFSET_MAX):
            _check_read(self)


@final
class AioWrite(SystemCall[int], frozen=True, gc=False):
    """Write to a file without blocking the worker; returns how many bytes were written. Taken by
    `core.loop.disk.loop`.

    A descriptor opened with O_DIRECT takes whole blocks at their places only (EINVAL).
    """

    fd: int
    offset: int
    data: bytes

    def __post_init__(self) -> None:
        fd, offset = self.fd, self.offset
        is_plain = type(fd) is type(offset) is int and type(self.data) is bytes
        if not (is_plain and -1 <= fd <= FD_MAX and 0 <= offset <= OFFSET_MAX):
            _check_write(self)

    @property
    def length(self) -> int:
        """Bytes to write."""
        return len(self.data)


@final
class AioSync(SystemCall[None], frozen=True, gc=False):
    """Wait until what was written to a file is on the disk. Taken by `core.loop.disk.loop`."""

    fd: int

    def __post_init__(self) -> None:
        check_fd("sys_aio_sync: fd", self.fd)


class AioEngine(SystemCall[str], frozen=True, gc=False):
    """What moves the bytes of files here: "io_uring", "libaio" or "pool". Taken by `core.loop.disk.loop`."""


sys_aio_read = AioRead
sys_aio_write = AioWrite
sys_aio_sync = AioSync
