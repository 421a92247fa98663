"""Opening a file beneath a directory component by component, where the kernel has no openat2.

Owns the promises of openat2's RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS, kept by hand: a symbolic link is
never followed by the kernel but read, and its target walked in the same way. Whatever others rename
meanwhile, each descriptor that is stepped from was reached from the directory by names alone, and ".." goes
back to one of them.

Source: openat2(2); open(2) on O_PATH and O_NOFOLLOW; path_resolution(7).
"""

import errno
import os
import stat
from typing import Final

LINKS_MAX: Final = 40
"""Symbolic links in one path. Source: path_resolution(7)."""

STEP_FLAGS: Final = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
"""A symbolic link is no directory: ENOTDIR."""

HERE: Final = ("", ".")
DOTS: Final = (".", "..")


def walk_beneath(
    directory_fd: int, path: bytes, flags: int, mode: int = 0, links_max: int = LINKS_MAX
) -> int:
    """Open `path` with the flags and the mode of open(2); every step stays beneath the directory, and at most
    `links_max` symbolic links are followed.

    Raises: OSError, as openat2 would have it: EXDEV for a path that leaves the directory, ELOOP for too many
    links, ENOENT, ENOTDIR, EACCES, ...
    """
    if not path:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    if flags & os.O_CREAT and path.endswith(b"/"):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    with Walk(directory_fd, os.fsdecode(path), links_max) as walk:
        return walk.open_last(flags, mode)


class Walk:
    """Where a walk stands, and the components before it."""

    def __init__(self, directory_fd: int, path: str, links_max: int) -> None:
        self._links_max = links_max
        self._stack = [directory_fd]
        """The descriptors from the directory, which is not ours to close, to where we stand."""
        self._names: list[str] = []
        """By which each but the first was opened from the one before it."""
        self._ahead: list[str] = []
        """The components to come, the next one last."""
        self._links = 0
        self._extend(path)

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *_error: object) -> None:
        for fd in self._stack[1:]:
            os.close(fd)

    def open_last(self, flags: int, mode: int) -> int:
        """Walk to the last component and open it."""
        while True:
            name = self._ahead.pop()
            if self._ahead:
                self._step(name)
            elif name == "..":
                self._step(name)
                self._ahead.append(".")
            elif not name and self._names:
                return self._open_here(flags, mode)
            elif (fd := self._open(name or ".", flags, mode)) is not None:
                return fd

    def _extend(self, path: str) -> None:
        """Put the components of a path ahead. Raises: OSError EXDEV for one that begins at the root."""
        if path.startswith("/"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        self._ahead += reversed(path.split("/"))

    def _step(self, name: str) -> None:
        if name in DOTS:
            # The kernel looks them up as it does names, and so asks whether the directory may be searched.
            os.stat(".", dir_fd=self._stack[-1])
        if name == "..":
            self._step_back()
        elif name not in HERE:
            self._step_into(name)

    def _step_into(self, name: str) -> None:
        try:
            self._stack.append(os.open(name, STEP_FLAGS, dir_fd=self._stack[-1]))
            self._names.append(name)
        except NotADirectoryError:
            if not self._follow(name):
                raise

    def _step_back(self) -> None:
        if len(self._stack) == 1:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        os.close(self._stack.pop())
        self._names.pop()

    def _follow(self, name: str) -> bool:
        """Put the target of a symbolic link ahead; False when the name is none."""
        try:
            target = os.readlink(name, dir_fd=self._stack[-1])
        except OSError as error:
            if error.errno == errno.EINVAL:  # "The named file is not a symbolic link."
                return False
            raise
        self._links += 1
        if self._links > self._links_max:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._extend(target)
        return True

    def _open_here(self, flags: int, mode: int) -> int:
        """Open where we stand, for a path that ends in a slash: by its name, since what may not be searched
        has no "." either."""
        flags |= os.O_DIRECTORY | os.O_NOFOLLOW
        return os.open(self._names[-1], flags, mode, dir_fd=self._stack[-2])

    def _open(self, name: str, flags: int, mode: int) -> int | None:
        """Open the last component; None when it is a symbolic link, whose target stands ahead now."""
        is_followed = not flags & os.O_NOFOLLOW
        if flags & os.O_PATH and is_followed and self._is_link(name):
            self._follow(name)
            return None
        try:
            return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=self._stack[-1])
        except OSError as error:
            # A link: ELOOP, or ENOTDIR with O_DIRECTORY.
            if is_followed and error.errno in (errno.ELOOP, errno.ENOTDIR) and self._follow(name):
                return None
            raise

    def _is_link(self, name: str) -> bool:
        """With O_PATH and O_NOFOLLOW the kernel opens the link itself and says nothing."""
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._stack[-1])
        try:
            return stat.S_ISLNK(os.fstat(fd).st_mode)
        finally:
            os.close(fd)
