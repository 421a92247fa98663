"""Parts of files onto a stream, whichever stack it is of, in bounded pieces.

Owns the choice for each piece: what the page cache holds goes by the stream's own send_file, where it has one
(no copy through Python); what it does not hold is read without blocking the worker. Never more than one piece
of a file in memory.
"""

import errno
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import misuse
from gossamer.core.loop.checks import FILE_BYTES_MAX, check_number, check_timeout
from gossamer.core.threads.systemcall import SystemCall

PIECE_BYTES: Final = 256 * 1024
"""Sent at a time."""

READ_AHEAD_BYTES: Final = 2 * 1024 * 1024
"""After a cold piece, the kernel is asked to bring so much into the page cache, so that the next ones are
hot.
"""

NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE})

SendFile = Callable[[int, int, int, int], Awaitable[int]]
"""send_file(fd, offset, length, timeout_us): how many bytes were sent, fewer only if the file has shrunk."""


class SendableFile(Protocol):
    """What a file must be able to do to be sent."""

    @property
    def fd(self) -> int:
        """Its descriptor."""

    def read(self, offset: int, length: int) -> Awaitable[bytes]:
        """The bytes from `offset` on, fewer than `length` only at the end."""

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """What the page cache has of it, without waiting; None when that is nothing."""

    def read_ahead(self, offset: int, length: int) -> None:
        """Ask for a part to be brought into the page cache, without waiting."""


class Sink(Protocol):
    """What a stream must be able to do: all of them can."""

    def send(self, data: bytes, timeout_us: int, /) -> SystemCall[object]:
        """Send bytes."""


async def send_file(
    stream: Sink,
    file: SendableFile,
    offset: int,
    length: int,
    timeout_us: int = NEVER_US,
    piece_bytes: int = PIECE_BYTES,
) -> int:
    """Send a part of a file; returns how many bytes were sent, fewer only if the file has shrunk.

    Units: `timeout_us` is for each piece. Raises: OSError, of the stream or of the disk; MisuseError for a
    wrong argument.
    """
    _check(stream, file, offset, length, timeout_us, piece_bytes)
    return await send_pieces(stream, file, offset, length, timeout_us, piece_bytes, lambda _end: None)


async def send_pieces(
    stream: Sink,
    file: SendableFile,
    offset: int,
    length: int,
    timeout_us: int,
    piece_bytes: int,
    goes_on: Callable[[int], None],
) -> int:
    """As `send_file`; `goes_on` is told the offset at which each piece ends, before the piece is sent."""
    by_itself: SendFile | None = getattr(stream, "send_file", None)
    pieces = getattr(stream, "file_pieces", 1)
    at, end = offset, offset + length
    while at < end:
        size = min(end - at, piece_bytes)
        is_hot = is_cached(file, at, size)
        if is_hot and by_itself is not None:
            size = hot_bytes(file, at, size, min(end - at, pieces * piece_bytes))
            goes_on(at + size)
            try:
                sent_bytes = await by_itself(file.fd, at, size, timeout_us)
            except OSError as error:
                if error.errno not in NO_DESCRIPTOR:
                    raise
                by_itself = None  # It would have needed one of its own: the file is read instead.
                continue
        else:
            if not is_hot:
                file.read_ahead(at, READ_AHEAD_BYTES)
            data = await file.read(at, size)
            goes_on(at + len(data))
            await stream.send(data, timeout_us)
            sent_bytes = len(data)
        if sent_bytes == 0:
            break
        at += sent_bytes
    return at - offset


def hot_bytes(file: SendableFile, offset: int, piece_bytes: int, bytes_max: int) -> int:
    """How much the page cache holds of what follows a hot piece, and that with it."""
    size = piece_bytes
    while size < bytes_max and file.read_cached(offset + min(size + piece_bytes, bytes_max) - 1, 1):
        size = min(size + piece_bytes, bytes_max)
    return size


def _check(stream: object, file: object, offset: int, length: int, timeout_us: int, piece_bytes: int) -> None:
    if not hasattr(stream, "send"):
        raise misuse("stream", stream, "a stream, or what else has a method send(data, timeout_us)")
    if not hasattr(file, "read_cached"):
        raise misuse("file", file, "an open File")
    check_number("offset", offset, 0, FILE_BYTES_MAX)
    check_number("length", length, 0, FILE_BYTES_MAX - offset)
    check_number("piece_bytes", piece_bytes, 1, FILE_BYTES_MAX)
    check_timeout(timeout_us)


def is_cached(file: SendableFile, offset: int, length: int) -> bool:
    """Whether the page cache holds the two ends of a piece: a guess that costs two cheap calls, about all of
    it.
    """
    return bool(file.read_cached(offset, 1)) and bool(file.read_cached(offset + length - 1, 1))
