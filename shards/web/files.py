"""What the web server asks of the disk.

Owns the interface only; `core.io.file` fulfils it, tests do so without a disk. An error is the kernel's own
OSError.
"""

from collections.abc import Awaitable
from typing import Protocol

from gossamer.core.io.file import FileStatus


class OpenFile(Protocol):
    """A file or folder beneath the root, open for reading."""

    @property
    def fd(self) -> int:
        """The descriptor, for send_file and for listing."""

    @property
    def status(self) -> FileStatus:
        """What it was when it was opened."""

    def read(self, offset: int, length: int) -> Awaitable[bytes]:
        """The bytes from `offset` on, fewer than `length` only at the end."""

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """What the page cache has of it from `offset` on, without waiting; None when that is nothing."""

    def read_ahead(self, offset: int, length: int) -> None:
        """Ask for a part to be brought into the page cache, without waiting."""

    def close(self) -> None:
        """Give the descriptor back."""


class Files(Protocol):
    """A folder that files are opened beneath."""

    def open_cached(self, path: str) -> OpenFile | None:
        """Open a relative path without waiting; None where the disk has to be asked. Raises: as `open`."""

    def open_now(self, path: str) -> OpenFile:
        """Open a relative path, while everything else waits for the disk. Raises: as `open`."""

    def adopt(self, fd: int, path: str) -> OpenFile:
        """The file of a descriptor, which it owns from now on, by the path that it had. Raises: OSError; the
        descriptor is closed then."""

    def stat(self, path: str) -> Awaitable[FileStatus]:
        """What a file is, without opening it. Raises: as `open`."""

    def open(self, path: str) -> Awaitable[OpenFile]:
        """Open a relative path. Raises: OSError; EXDEV for what lies outside the root."""
