"""openat2: opening a file that lies beneath a directory, and nowhere else.

Owns the one call, and what replaces it where the kernel is too old for it or a sandbox refuses it. It does
not know which files are served, nor to whom.

Source: openat2(2), Linux 5.6; RESOLVE_CACHED, Linux 5.12.
"""

import errno
import os
from typing import Final, Literal

from gossamer.ffi._system import lib
from gossamer.ffi.walk import LINKS_MAX, walk_beneath

RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_CACHED: Final = 0x20

Links = Literal["inside", "follow", "none"]
"""Which symbolic links are followed: those that stay beneath the directory, all, or none."""

RESOLVE: Final[dict[Links, int]] = {
    "inside": RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    "follow": RESOLVE_NO_MAGICLINKS,
    "none": RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
}

OPEN_FLAGS: Final = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""O_NONBLOCK, so that a FIFO in the tree blocks nobody; it means nothing for a regular file."""

PATH_FLAGS: Final = os.O_PATH | os.O_CLOEXEC
"""openat2(2) refuses O_PATH together with most other flags."""

REFUSALS: Final = frozenset({errno.ENOSYS, errno.EPERM})
"""What a kernel without the call says, and a sandbox. A file can give EPERM too (the flags, an immutable
one): then the walk finds that once more.
"""

CREATED_MODE: Final = 0o666
"""The rights of a file that is created; the process's umask takes from them."""


def open_beneath(
    directory_fd: int,
    path: str,
    flags: int = os.O_RDONLY,
    *,
    is_cached_only: bool = False,
    links: Links = "inside",
) -> int:
    """Open `path`; every step of it, symbolic links included, must stay beneath the directory, but for what
    `links` are followed; the path itself never leads out of it.

    `flags` are those of open(2); O_PATH gives a descriptor that says only what the file is.

    Raises: FileNotFoundError, PermissionError, NotADirectoryError; OSError EXDEV for a path that leaves the
    directory, ELOOP for too many links; ValueError for a NUL in the path; BlockingIOError, with
    is_cached_only, where the disk would have to be asked (or the kernel does not know).
    """
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path has no NUL")
    if links == "follow" and leaves(name):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    resolve = RESOLVE[links] | (RESOLVE_CACHED if is_cached_only else 0)
    flags = PATH_FLAGS if flags & os.O_PATH else flags | OPEN_FLAGS
    mode = CREATED_MODE if flags & os.O_CREAT else 0
    fd = lib.gossamer_openat2(directory_fd, name, flags, mode, resolve)
    if fd >= 0:
        return fd
    if is_cached_only and -fd in (errno.EINVAL, *REFUSALS):
        raise BlockingIOError(errno.EAGAIN, "this kernel does not know RESOLVE_CACHED", path)
    if -fd in REFUSALS:
        if links == "follow":
            return os.open(name, flags, mode, dir_fd=directory_fd)
        return walk_beneath(directory_fd, name, flags, mode, links_max=0 if links == "none" else LINKS_MAX)
    raise OSError(-fd, os.strerror(-fd), path)


def leaves(name: bytes) -> bool:
    """Whether a path may lead out of its directory by itself."""
    return name.startswith(b"/") or b".." in name.split(b"/")
