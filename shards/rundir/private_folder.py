"""A folder that nobody else can write to, or put another in the place of: how it is reached, made and undone.

    /run -> gossamer -> 8080     each step by the descriptor of the one before, none through what others own

Owns whom a folder on the way may belong to: to root, to us, and to whoever owns "/" (in a user namespace
that is root, without its name there). Others may write to one on the way only where it is sticky: nobody then
moves what is not his. Links are followed only where they stand in such a folder, and belong to such an owner.

Source: path_resolution(7), openat(2), "O_PATH"; rename(2) on sticky folders.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

WALK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
HERE: Final = WALK | os.O_DIRECTORY
LINKS_MAX: Final = 40
"""Followed on one way. Source: path_resolution(7)."""
TRIES: Final = 4
"""A folder on the way that somebody removes while we go is made again."""


class UntrustedFolderError(Exception):
    """A folder that another user could use to take our place; the message says which and why."""


class PrivateFolder:
    """The folder, open; `remove` gives it back, and undoes what was made for it."""

    def __init__(self, path: Path) -> None:
        """Open it, with what is missing on the way made. Raises: UntrustedFolderError, OSError."""
        self._made: list[tuple[int, str]] = []
        """The folders that were made: the one above, and the name in it."""
        try:
            self._reach(Path.cwd() / path)
        except BaseException:
            self._undo()
            raise

    def _reach(self, path: Path) -> None:
        for _ in range(TRIES - 1):
            with contextlib.suppress(FileNotFoundError):
                return self._open(path)
        return self._open(path)

    def _open(self, path: Path) -> None:
        with contextlib.ExitStack() as stack:
            way = WalkFromRoot(path, stack, self._made)
            fd = way.last()
            _check_last(path, os.fstat(fd))
            self._above = os.open(".", HERE, dir_fd=way.above)
            self._name = path.name
            self.fd = os.open(".", HERE, dir_fd=fd)

    def create(self, name: str, content: bytes) -> None:
        """Make a file of ours alone, in place of what has that name. Raises: OSError."""
        self.unlink(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, 0o600, dir_fd=self.fd), "wb") as file:
            file.write(content)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of what has that one. Raises: OSError."""
        os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        """Remove a file, if it is there. Raises: OSError."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def remove(self) -> None:
        """Remove it, and those folders that were made for it, if nobody keeps anything in them; close."""
        self._made.append((self._above, self._name))
        os.close(self.fd)
        self._undo()

    def _undo(self) -> None:
        for above, name in reversed(self._made):
            with contextlib.suppress(OSError):  # Somebody keeps files in it: then the folder is theirs.
                os.rmdir(name, dir_fd=above)
            os.close(above)
        self._made.clear()


class WalkFromRoot:
    """Where a walk from "/" stands, and the names before it."""

    def __init__(self, path: Path, stack: contextlib.ExitStack, made: list[tuple[int, str]]) -> None:
        self._stack = stack
        """Closes what was opened on the way."""
        self._made = made
        self._owners = {0, os.geteuid(), os.stat("/").st_uid}
        self._ahead = _names(os.fspath(path))
        self._links = 0
        self._walked = Path("/")
        self._at = self._held(os.open("/", WALK))
        self.above = self._at
        """The one that the last name stands in."""

    def last(self) -> int:
        """Go to the end, which is no link: an O_PATH descriptor. Raises: UntrustedFolderError, OSError."""
        while self._ahead:
            name = self._ahead.pop()
            self._check(os.fstat(self._at))
            entry = self._opened(name)
            if stat.S_ISLNK(os.fstat(entry).st_mode):
                self._follow(name, os.fstat(entry))
            else:
                self.above, self._at, self._walked = self._at, entry, self._walked / name
        return self._at

    def _held(self, fd: int) -> int:
        self._stack.callback(os.close, fd)
        return fd

    def _opened(self, name: str) -> int:
        """What stands there, made where nothing does."""
        try:
            return self._held(os.open(name, WALK, dir_fd=self._at))
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self._at)
                self._made.append((os.open(".", HERE, dir_fd=self._at), name))
        return self._held(os.open(name, WALK, dir_fd=self._at))

    def _follow(self, name: str, found: os.stat_result) -> None:
        if not self._ahead:
            raise UntrustedFolderError("it is a link; name the folder itself")
        self._check_owner(found)
        self._links += 1
        if self._links > LINKS_MAX:
            raise UntrustedFolderError("there are too many links on the way")
        target = os.readlink(name, dir_fd=self._at)
        self._ahead += _names(target)
        if target.startswith("/"):
            self._at, self._walked = self._held(os.open("/", WALK)), Path("/")

    def _check_owner(self, found: os.stat_result) -> None:
        if found.st_uid not in self._owners:
            raise UntrustedFolderError(f"it is in a directory of another user ({self._walked})")

    def _check(self, found: os.stat_result) -> None:
        """Whether one may go on from here."""
        self._check_owner(found)
        others = stat.S_IWOTH if found.st_gid in (0, os.getegid()) else stat.S_IWOTH | stat.S_IWGRP
        if found.st_mode & others and not found.st_mode & stat.S_ISVTX:
            raise UntrustedFolderError(f"others may write to a directory on the way ({self._walked})")


def _names(path: str) -> list[str]:
    """The names in a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _check_last(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise UntrustedFolderError("it is no directory of yours; name another one")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedFolderError(f"others may write to it: chmod go-w {path}")


def read_small(path: Path, bytes_max: int) -> bytes:
    """A file of at most so many bytes, which is no link, pipe or device. Raises: OSError, ValueError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError(f"{path}: it is no file")
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise ValueError(f"{path}: it is longer than {bytes_max} bytes")
    return content
