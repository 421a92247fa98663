"""FileIO: files beneath one directory, read without blocking the worker.

Owns the descriptors of open files. What the page cache holds is read at once (RESOLVE_CACHED to open,
RWF_NOWAIT to read); what it does not hold goes to the kernel's AIO through a second descriptor opened with
O_DIRECT, or, where that is not to be had, to the pool. With `direct` the page cache is left alone: files
are opened with O_DIRECT at once, where the file system has it. Nothing outside the directory can be opened,
whatever the path says.

Source: openat2(2), preadv2(2), open(2).
"""

import errno
import os
import stat
from typing import Final

import msgspec
from gossamer.core.errors import BoundExceeded
from gossamer.core.loop.disk import READ_BYTES_MAX
from gossamer.core.threads.calls import AioRead, sys_blio
from gossamer.ffi.openat2 import open_beneath

NOT_AT_ONCE: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP})
"""RWF_NOWAIT: the data is not in the page cache, or the file system cannot tell."""

NOT_DIRECT: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EINVAL,
        errno.EOPNOTSUPP,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EXDEV,
        errno.EACCES,
    }
)
"""Opening once more with O_DIRECT: the file system has none, or the path leads elsewhere by now."""


class FileStatus(msgspec.Struct, frozen=True, gc=False):
    """What a file is. Two statuses that are equal belong to the same contents of the same file."""

    size_bytes: int
    mtime_ns: int
    inode: int
    device: int
    is_file: bool
    is_directory: bool


def file_status(fd: int) -> FileStatus:
    """The status of an open file."""
    found = os.fstat(fd)
    return FileStatus(
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        device=found.st_dev,
        is_file=stat.S_ISREG(found.st_mode),
        is_directory=stat.S_ISDIR(found.st_mode),
    )


class File:
    """An open file. `fd` may be given to `send_file`; `status` is as it was when the file was opened."""

    __slots__ = ("_direct_fd", "_directory_fd", "_path", "fd", "is_direct", "status")

    def __init__(self, fd: int, directory_fd: int, path: str, is_direct: bool = False) -> None:
        self.fd = fd
        self.is_direct = is_direct
        """Whether `fd` was opened with O_DIRECT."""
        self._directory_fd = directory_fd
        self._path = path
        self._direct_fd = -1
        self.status = file_status(fd)

    async def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, `length` of them or fewer at the file's end.

        Raises: OSError; BoundExceeded for more than READ_BYTES_MAX.
        """
        hot = self.read_cached(offset, length)
        if hot is not None and (len(hot) == length or offset + len(hot) >= self.status.size_bytes):
            return hot
        start = offset + len(hot or b"")
        cold = await AioRead(self._cold_fd(), start, offset + length - start)
        return hot + cold if hot else cold

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """What the page cache has of it from `offset` on, without waiting; None when that is nothing."""
        if not 0 <= length <= READ_BYTES_MAX:
            raise BoundExceeded(f"a read of {length} bytes: one call reads at most {READ_BYTES_MAX}")
        if self.is_direct:
            return None
        buffer = bytearray(length)
        try:
            got = os.preadv(self.fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in NOT_AT_ONCE:
                return None
            raise
        return bytes(memoryview(buffer)[:got])

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        for fd in (self.fd, self._direct_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self._direct_fd = -1

    def _cold_fd(self) -> int:
        """The descriptor for the disk: with O_DIRECT if it can be had.

        The file is opened by its path again: through /proc/self/fd a process that changed its user may not.
        """
        if self.is_direct:
            return self.fd
        if self._direct_fd < 0:
            try:
                fd = open_beneath(self._directory_fd, self._path, is_cached_only=True, is_direct=True)
            except OSError as error:
                if error.errno not in NOT_DIRECT:
                    raise
                return self.fd
            if not os.path.sameopenfile(fd, self.fd):
                os.close(fd)
                return self.fd  # Another file has that name now.
            self._direct_fd = fd
        return self._direct_fd


class FileIO:
    """Opens files beneath a directory whose descriptor it is given (and does not own).

    With `direct` every read goes to the disk, past the page cache, where the file system can do that.
    """

    def __init__(self, directory_fd: int, *, direct: bool = False) -> None:
        self._directory_fd = directory_fd
        self._direct = direct

    async def open(self, path: str) -> File:
        """Open a file or directory beneath the directory.

        Raises: FileNotFoundError, PermissionError, NotADirectoryError, OSError (EXDEV for a path that leads
        out of the directory, ELOOP), ValueError for a NUL in the path.
        """
        is_direct = self._direct
        try:
            fd = open_beneath(self._directory_fd, path, is_cached_only=True, is_direct=is_direct)
        except BlockingIOError:
            fd, is_direct = await sys_blio(open_from_disk, self._directory_fd, path, is_direct)
        try:
            return File(fd, self._directory_fd, path, is_direct)
        except OSError:
            os.close(fd)
            raise


def open_from_disk(directory_fd: int, path: str, is_direct: bool) -> tuple[int, bool]:
    """Open what the kernel has to look for on the disk; the descriptor, and whether it has O_DIRECT.

    open(2), EINVAL: "The filesystem does not support the O_DIRECT flag." No directory does either.
    """
    if is_direct:
        try:
            return open_beneath(directory_fd, path, is_direct=True), True
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    return open_beneath(directory_fd, path), False
