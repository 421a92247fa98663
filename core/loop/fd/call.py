"""The calls on non-blocking descriptors that are not stream sockets: pipes, datagram sockets, pidfds.

Owns the mutable record of one descriptor, as `core.loop.fd.loop` keeps it, and the call values. It performs
nothing.
"""

from typing import Any

from gossamer.core.errors import MisuseError, check_whole, misuse
from gossamer.core.loop.checks import RECV_BYTES_MAX
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread


class Descriptor:
    """One descriptor, non-blocking from now on. At most one thread reads and one writes at a time."""

    __slots__ = (
        "bytes_max",
        "can_read",
        "can_write",
        "fd",
        "has_hung_up",
        "is_closed",
        "is_watched",
        "reader",
        "rest",
        "writer",
    )

    def __init__(self, fd: int) -> None:
        self.fd: int = fd
        self.can_read: bool = True
        """Whether a read may bring something: False once it is drained, until the next event."""
        self.can_write: bool = True
        self.has_hung_up: bool = False
        """The other side is gone: a short read no longer means drained."""
        self.is_watched: bool = False
        self.is_closed: bool = False
        self.reader: Thread[Any] | None = None
        self.bytes_max: int = 0
        """What the blocked reader asked for; 0 when it only waits until there is something."""
        self.writer: Thread[Any] | None = None
        self.rest: memoryview | None = None
        """What the blocked writer still has to write; None when it only waits for room."""


def check_descriptor(found: object) -> None:
    """Raises: MisuseError."""
    if not isinstance(found, Descriptor):
        raise misuse("descriptor", found, "a Descriptor, such as the end of a pipe")


def check_read(bytes_max: object) -> None:
    """Raises: MisuseError."""
    check_whole("recv: bytes_max", bytes_max, 1, RECV_BYTES_MAX, f"so many bytes, 1 to {RECV_BYTES_MAX}")


def octets_of(data: object) -> bytes | memoryview:
    """What is to be written, as bytes one by one. Raises: MisuseError."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        try:
            return memoryview(data).cast("B")
        except (TypeError, ValueError) as error:  # it has gaps, or was released
            raise MisuseError(f"send: data: {error}") from error
    raise misuse("send: data", data, "bytes, a bytearray or a memoryview")


class FdRead(SystemCall[bytes], frozen=True):
    """At least one byte and at most bytes_max; b"" at the end."""

    descriptor: Descriptor
    bytes_max: int


class FdWrite(SystemCall[None], frozen=True):
    """Returns when all of `data` is written."""

    descriptor: Descriptor
    data: bytes


class FdReadable(SystemCall[None], frozen=True):
    """Wait until a read is worth trying: the last one found nothing (BlockingIOError), or none was tried."""

    descriptor: Descriptor


class FdWritable(SystemCall[None], frozen=True):
    """Wait until a write is worth trying."""

    descriptor: Descriptor


class FdClose(SystemCall[None], frozen=True):
    """Close it; whoever is blocked on it gets ConnectionAbortedError. Twice is harmless."""

    descriptor: Descriptor
