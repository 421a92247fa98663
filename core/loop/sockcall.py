"""The calls of SockIO, and the records that they name.

Owns the mutable record of one kernel connection and of one kernel listener, as `core.loop.sock` keeps them,
and the call values. It performs nothing.
"""

from collections import deque
from collections.abc import Callable
from socket import SocketType, socket
from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import MisuseError as MisuseError
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Address


class Connection:
    """One kernel socket. At most one thread receives and one sends at a time."""

    __slots__ = (
        "armed_us",
        "can_recv",
        "can_send",
        "distrusts_short_recv",
        "is_closed",
        "is_watched",
        "linger_us",
        "recv_bytes_max",
        "recv_deadline_us",
        "recv_thread",
        "send_deadline_us",
        "send_rest",
        "send_thread",
        "sock",
    )

    def __init__(self, sock: SocketType) -> None:
        self.sock = sock
        self.can_recv = True
        """Whether a recv may bring something: False once it is drained, until the next event."""
        self.can_send = True
        self.distrusts_short_recv = False
        self.is_watched = False
        self.is_closed = False
        self.linger_us = NEVER_US
        """How long close waits; see `SocketOptions`."""
        self.armed_us = NEVER_US
        self.recv_thread: Thread[Any] | None = None
        self.recv_bytes_max = 0
        self.recv_deadline_us = NEVER_US
        self.send_thread: Thread[Any] | None = None
        self.send_rest: memoryview | FileRest | None = None
        """What the blocked sender still has to send: a memoryview or a `FileRest`; None while connecting."""
        self.send_deadline_us = NEVER_US


class FileRest:
    """The part of a file that a blocked sender still has to send."""

    __slots__ = ("fd", "length", "offset", "sent_bytes")

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self.fd = fd
        self.offset = offset
        self.length = length
        self.sent_bytes = 0

    def advance(self, sent: int) -> None:
        """Record that the kernel took `sent` more bytes."""
        self.offset += sent
        self.length -= sent
        self.sent_bytes += sent


class Listener:
    """One listening kernel socket and the threads blocked in accept on it, first come first served."""

    __slots__ = ("can_accept", "family", "is_closed", "is_watched", "make_connection", "sock", "threads")

    def __init__(self, sock: socket, make_connection: Callable[[SocketType], Connection]) -> None:
        self.sock = sock
        self.family = int(sock.family)
        self.make_connection = make_connection
        self.can_accept = True
        self.is_watched = False
        self.is_closed = False
        self.threads: deque[Thread[Any]] = deque()


class SockRecv(SystemCall[bytes], frozen=True, gc=False):
    """See `Stream.recv`."""

    connection: Connection
    bytes_max: int
    timeout_us: int


class SockSend(SystemCall[None], frozen=True, gc=False):
    """See `Stream.send`."""

    connection: Connection
    data: bytes
    timeout_us: int


class SockSendFile(SystemCall[int], frozen=True, gc=False):
    """Send a part of a file without copying it into the process; returns how many bytes were sent."""

    connection: Connection
    fd: int
    offset: int
    length: int
    timeout_us: int


class SockShutdown(SystemCall[None], frozen=True, gc=False):
    """See `Stream.shutdown`."""

    connection: Connection


class SockClose(SystemCall[None], frozen=True, gc=False):
    """See `Stream.close`."""

    connection: Connection


class SockAbort(SystemCall[None], frozen=True, gc=False):
    """See `Stream.abort`."""

    connection: Connection


class SockSetOptions(SystemCall[None], frozen=True, gc=False):
    """See `Stream.set_options`."""

    connection: Connection
    options: SocketOptions


class SockGetOptions(SystemCall[SocketOptions], frozen=True, gc=False):
    """See `Stream.options`."""

    connection: Connection


class SockGetInfo(SystemCall[TcpInfo], frozen=True, gc=False):
    """See `Stream.info`."""

    connection: Connection


class SockAccept(SystemCall[Any], frozen=True, gc=False):
    """See `Acceptor.accept`."""

    listener: Listener


class SockListenClose(SystemCall[None], frozen=True, gc=False):
    """See `Acceptor.close`."""

    listener: Listener


class SockAdopt(SystemCall[Any], frozen=True, gc=False):
    """Make a stream of a connected, non-blocking socket."""

    sock: SocketType
    make_connection: Callable[[SocketType], Connection]


class SockConnect(SystemCall[Any], frozen=True, gc=False):
    """See `Connector.connect`."""

    address: Address
    timeout_us: int
    make_connection: Callable[[SocketType], Connection]
    options: SocketOptions = NO_OPTIONS
