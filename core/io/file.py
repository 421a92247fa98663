"""FileIO: files beneath one directory, read and written without blocking the worker.

    files = FileIO(directory_fd)
    file = await files.open("log", "a")
    await file.write(0, b"line")
    await file.fsync()
    file.close()

Owns the descriptors of open files. What the page cache holds is read at once (RESOLVE_CACHED to open,
RWF_NOWAIT to read). What it does not hold is read by the disk loop's engine: io_uring and the pool read
through the page cache, which then keeps it; libaio is asynchronous only past it, through a second descriptor
opened with O_DIRECT. Nothing outside the directory can be opened, whatever the path says.

Source: openat2(2), preadv2(2), open(2).
"""

import errno
import os
import stat
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, Literal

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import BoundExceeded
from gossamer.core.io.sendfile import Sink, send_file
from gossamer.core.loop.disk.call import AioEngine, AioRead, AioSync, AioWrite
from gossamer.core.loop.disk.loop import READ_BYTES_MAX
from gossamer.core.loop.disk.names import LIBAIO
from gossamer.core.threads.calls import sys_blio_to_end, sys_yield
from gossamer.core.threads.cancel import CancelScope
from gossamer.ffi.openat2 import Links, open_beneath

NOT_AT_ONCE: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM})
"""RWF_NOWAIT: the data is not in the page cache, or the file system does not know; the last two where the
kernel has no preadv2, or a sandbox refuses it.
"""

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


Mode = Literal["r", "r+", "w", "w+", "x", "x+", "a", "a+"]
"""As the built-in `open` names them, always of bytes."""

FLAGS_OF_MODE: Final[dict[str, int]] = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "x+": os.O_RDWR | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
}


class FileStatus(msgspec.Struct, frozen=True, gc=False):
    """What a file is. Two statuses that are equal belong to the same contents of the same file."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    """When anything about it changed last: unlike mtime nobody sets it, so builds with fixed times differ."""
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
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        device=found.st_dev,
        is_file=stat.S_ISREG(found.st_mode),
        is_directory=stat.S_ISDIR(found.st_mode),
    )


class File:
    """An open file. `fd` may be given to `send_file`; `status` is as it was when the file was opened."""

    __slots__ = ("_cold_fd", "_directory_fd", "_links", "_path", "fd", "is_direct", "status")

    def __init__(
        self, fd: int, directory_fd: int, path: str, *, is_direct: bool = False, links: Links = "inside"
    ) -> None:
        self.fd: int = fd
        self.is_direct: bool = is_direct
        """Whether `fd` was opened with O_DIRECT."""
        self._directory_fd = directory_fd
        self._path = path
        self._links = links
        self._cold_fd = fd if is_direct else -1
        self.status: FileStatus = file_status(fd)

    def stat(self) -> FileStatus:
        """The status as it is now. Raises: OSError once it is closed."""
        return file_status(self.fd)

    def read(self, offset: int, length: int) -> Awaitable[bytes]:
        """The bytes from `offset` on, `length` of them or fewer at the file's end.

        Raises: OSError; BoundExceeded for more than READ_BYTES_MAX.
        """
        return AioRead(self.fd, offset, length) if self.is_direct else self._read(offset, length)

    async def _read(self, offset: int, length: int) -> bytes:
        hot = self.read_cached(offset, length)
        if hot is not None and (len(hot) == length or offset + len(hot) >= self.stat().size_bytes):
            return hot
        start = offset + len(hot or b"")
        cold = await AioRead(await self._fd_when_cold(), start, offset + length - start)
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

    def read_ahead(self, offset: int, length: int) -> None:
        """Ask the kernel to bring a part into the page cache, without waiting; where it refuses, nothing is
        lost but time."""
        if not self.is_direct:
            with suppress(OSError):
                os.posix_fadvise(self.fd, offset, length, os.POSIX_FADV_WILLNEED)

    async def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` from `offset` on; a file opened to append takes it at its end all the same.

        A piece of READ_BYTES_MAX that was begun is finished, cancelled or not, since the descriptor may stand
        for another file soon; a cancellation is heard between two.

        Raises: OSError; EINVAL where the file is open past the page cache and these are not whole blocks.
        """
        at = 0
        while at < len(data):
            with CancelScope(shield=True):
                written = await AioWrite(self.fd, offset + at, data[at : at + READ_BYTES_MAX])
            if written == 0:
                raise OSError(errno.EIO, "nothing more could be written", self._path)
            at += written
            if at < len(data):
                await sys_yield()

    async def fsync(self) -> None:
        """Wait until what was written is on the disk. Raises: OSError."""
        await AioSync(self.fd)

    async def truncate(self, size_bytes: int) -> None:
        """Cut the file to a size, or fill it up to it with zeros. Raises: OSError."""
        await sys_blio_to_end(os.ftruncate, self.fd, size_bytes)

    async def send_to(
        self, stream: Sink, offset: int = 0, length: int | None = None, timeout_us: int = NEVER_US
    ) -> int:
        """Send a part of it, or all that follows, on a stream of either stack; returns how many bytes were
        sent, fewer only if the file has shrunk. Raises: OSError.
        """
        size = max(0, self.stat().size_bytes - offset) if length is None else length
        return await send_file(stream, self, offset, size, timeout_us)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        fd, cold_fd = self.fd, self._cold_fd
        self.fd = self._cold_fd = -1
        if fd >= 0:
            os.close(fd)
        if cold_fd not in (fd, -1):
            os.close(cold_fd)

    async def __aenter__(self) -> "File":
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    async def _fd_when_cold(self) -> int:
        """The descriptor for what the page cache does not hold, as the disk loop's engine needs it."""
        if self._cold_fd < 0:
            engine = await AioEngine()
            if self._cold_fd < 0:  # another thread may have been here meanwhile
                self._cold_fd = self._open_direct() if engine == LIBAIO else self.fd
        return self._cold_fd

    def _open_direct(self) -> int:
        """The same file with O_DIRECT, or the descriptor that there is.

        The file is opened by its path again: through /proc/self/fd a process that changed its user may not.
        """
        try:
            flags = os.O_RDONLY | os.O_DIRECT
            fd = open_beneath(self._directory_fd, self._path, flags, is_cached_only=True, links=self._links)
        except OSError as error:
            if error.errno not in NOT_DIRECT:
                raise
            return self.fd
        if not os.path.sameopenfile(fd, self.fd):
            os.close(fd)
            return self.fd  # Another file has that name now.
        return fd


class FileIO:
    """Opens files beneath a directory whose descriptor it is given (and does not own).

    With `direct` every file is read past the page cache, where the file system can do that. `links` are the
    symbolic links that are followed: those that stay "inside" the directory, "none", or all ("follow").

    >>> import os
    >>> from tempfile import TemporaryDirectory
    >>> from gossamer import FileIO, run
    >>> async def main(directory_fd):
    ...     async with await FileIO(directory_fd).open("log", "x+") as file:
    ...         await file.write(0, b"a line")
    ...         await file.fsync()
    ...         return await file.read(2, 100)
    >>> with TemporaryDirectory() as folder:
    ...     directory_fd = os.open(folder, os.O_RDONLY)
    ...     run(main(directory_fd))
    ...     os.close(directory_fd)
    b'line'
    """

    def __init__(self, directory_fd: int, *, direct: bool = False, links: Links = "inside") -> None:
        self._directory_fd = directory_fd
        self._links = links
        self._direct = direct

    async def open(self, path: str, mode: Mode = "r", *, direct: bool = False) -> File:
        """Open a file, or to read a directory, beneath the directory; `direct` does for this file what it
        does for all of a FileIO.

        Raises: FileNotFoundError, FileExistsError ("x"), PermissionError, NotADirectoryError,
        IsADirectoryError, OSError (EXDEV for a path that leads out of the directory, ELOOP, EINVAL for
        `direct` where a file is created and the file system has no such thing), ValueError for a NUL in the
        path or no such mode.
        """
        if mode not in FLAGS_OF_MODE:
            raise ValueError(f'mode "{mode}": allowed are {", ".join(FLAGS_OF_MODE)}')
        is_direct = direct or self._direct
        flags = FLAGS_OF_MODE[mode] | os.O_DIRECT if is_direct else FLAGS_OF_MODE[mode]
        return self._open_hot(path, flags, is_direct) or self._opened(
            path, *await self._open_cold(path, flags)
        )

    def open_cached(self, path: str) -> File | None:
        """Open a file to read, or a directory, without waiting; None where the disk has to be asked. Raises:
        as `open`."""
        return self._open_hot(path, os.O_RDONLY | os.O_DIRECT if self._direct else os.O_RDONLY, self._direct)

    def open_now(self, path: str) -> File:
        """Open a file to read while everything else in this process waits for the disk: for the rare case in
        which a thread cannot. Raises: as `open`."""
        flags = os.O_RDONLY | os.O_DIRECT if self._direct else os.O_RDONLY
        return self._opened(path, *open_from_disk(self._directory_fd, path, flags, self._links))

    def adopt(self, fd: int, path: str) -> File:
        """The file of a descriptor, which it owns from now on, by the path that it had beneath the directory.
        Raises: OSError; the descriptor is closed then."""
        return self._opened(path, fd, is_direct=False)

    def _open_hot(self, path: str, flags: int, is_direct: bool) -> File | None:
        try:
            fd = open_beneath(self._directory_fd, path, flags, is_cached_only=True, links=self._links)
        except BlockingIOError:
            return None
        return self._opened(path, fd, is_direct)

    def _opened(self, path: str, fd: int, is_direct: bool) -> File:
        try:
            return File(fd, self._directory_fd, path, is_direct=is_direct, links=self._links)
        except OSError:
            os.close(fd)
            raise

    async def stat(self, path: str) -> FileStatus:
        """What a file is, without opening it. Raises: as `open`."""
        try:
            fd = open_beneath(self._directory_fd, path, os.O_PATH, is_cached_only=True, links=self._links)
        except BlockingIOError:
            fd, _ = await self._open_cold(path, os.O_PATH)
        try:
            return file_status(fd)
        finally:
            os.close(fd)

    def _open_cold(self, path: str, flags: int) -> Awaitable[tuple[int, bool]]:
        """The descriptor, and whether it has O_DIRECT, of what the kernel has to look for on the disk."""
        # To its end: cancelled, nobody would close what it opens.
        return sys_blio_to_end(open_from_disk, self._directory_fd, path, flags, self._links)


def open_from_disk(directory_fd: int, path: str, flags: int, links: Links) -> tuple[int, bool]:
    """Open what the kernel has to look for on the disk; the descriptor, and whether it has O_DIRECT.

    open(2), EINVAL: "The filesystem does not support the O_DIRECT flag." No directory does either.
    """
    if flags & os.O_DIRECT:
        try:
            return open_beneath(directory_fd, path, flags, links=links), True
        except OSError as error:
            if error.errno != errno.EINVAL or flags & os.O_CREAT:
                raise
    return open_beneath(directory_fd, path, flags & ~os.O_DIRECT, links=links), False
