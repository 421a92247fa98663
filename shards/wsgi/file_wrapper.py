"""`wsgi.file_wrapper`: an answer that is an open file, sent without a copy through Python where it can be.

Owns which file objects are files of the kernel and nothing else, and where in them an answer begins.

Source: PEP 3333, "Optional Platform-Specific File Handling".
"""

import io
import os
import stat
from collections.abc import Iterator
from typing import Any, Final

import msgspec

BLOCK_BYTES: Final = 65536
PIECE_BYTES: Final = 256 * 1024
"""Sent at a time."""

RAW_OF: Final = (io.BufferedReader, io.BufferedRandom)
"""What has a raw file under it, and where it stands is where its user stands. Others that have a descriptor,
gzip's for one, have other bytes than it."""


class FilePiece(msgspec.Struct, frozen=True, gc=False):
    """A part of an open file."""

    fd: int
    offset: int
    length: int


class FileWrapper:
    """What an application returns to have a file sent: to whoever does not know, an iterable of blocks."""

    def __init__(self, filelike: Any, block_size: int = BLOCK_BYTES) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close: Any = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        """Its blocks, from where it stands to its end."""
        while block := self.filelike.read(self.block_size):
            yield block


def piece_of(file: Any) -> FilePiece | None:
    """What is left of a file, from where it stands; None for what is no plain file of the kernel."""
    raw = file.raw if type(file) in RAW_OF else file
    if type(raw) is not io.FileIO:
        return None
    try:
        fd, at = raw.fileno(), file.tell()
        status = os.fstat(fd)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FilePiece(fd, at, max(0, status.st_size - at))


def pieces_of(file: FilePiece) -> Iterator[FilePiece]:
    """The same in pieces, each brought into the page cache before it is given: nobody else waits for the
    disk. Raises: OSError.
    """
    at, end = file.offset, file.offset + file.length
    while at < end:
        size = min(PIECE_BYTES, end - at)
        warm(file.fd, at, size)
        yield FilePiece(file.fd, at, size)
        at += size


def warm(fd: int, offset: int, length: int) -> None:
    """Have a piece of a file in the page cache. It may block."""
    try:
        for at in (offset, offset + length - 1):
            os.preadv(fd, [bytearray(1)], at, os.RWF_NOWAIT)
    except OSError:  # EAGAIN, or a file system that cannot tell
        os.pread(fd, length, offset)
