"""openat2: opening a file that lies beneath a directory, and nowhere else.

Owns the one call. Which files are served, and to whom, it does not know.

Source: openat2(2), Linux 5.6; RESOLVE_CACHED, Linux 5.12.
"""

import errno
import os
from typing import Final

from gossamer.ffi._aio import lib

RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_BENEATH: Final = 0x08
RESOLVE_CACHED: Final = 0x20

OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""O_NONBLOCK, so that a FIFO in the tree blocks nobody; it means nothing for a regular file."""


def open_beneath(
    directory_fd: int, path: str, *, is_cached_only: bool = False, is_direct: bool = False
) -> int:
    """Open `path` for reading; every step of it, symbolic links included, must stay beneath the directory.

    With is_direct, reads go to the disk and not through the page cache (O_DIRECT).

    Raises: FileNotFoundError, PermissionError, NotADirectoryError; OSError EXDEV for a path that leaves the
    directory, ELOOP for too many links, ENOSYS on a kernel without openat2; ValueError for a NUL in the path;
    BlockingIOError, with is_cached_only, where the disk would have to be asked (or the kernel cannot tell).
    """
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path has no NUL")
    resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (RESOLVE_CACHED if is_cached_only else 0)
    flags = OPEN_FLAGS | (os.O_DIRECT if is_direct else 0)
    fd = lib.gossamer_openat2(directory_fd, name, flags, resolve)
    if fd >= 0:
        return fd
    if -fd == errno.ENOSYS:
        raise OSError(errno.ENOSYS, "openat2: files are served from Linux 5.6 on; this kernel is older")
    if is_cached_only and -fd == errno.EINVAL:
        raise BlockingIOError(errno.EAGAIN, "this kernel does not know RESOLVE_CACHED", path)
    raise OSError(-fd, os.strerror(-fd), path)
