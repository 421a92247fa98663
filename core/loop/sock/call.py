"""The calls of SockIO, and the records that they name.

Owns the mutable record of one kernel connection and of one kernel listener, as `core.loop.sock.loop` keeps
them, and the call values: those of `core.loop.streamcall` for such records, and what only the kernel can do.
It performs nothing.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from socket import SocketType, socket
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import misuse
from gossamer.core.loop.checks import check_opening
from gossamer.core.loop.streamcall import (
    AcceptorAccept,
    AcceptorClose,
    StreamAbort,
    StreamClose,
    StreamGetInfo,
    StreamGetOptions,
    StreamRecv,
    StreamRecvIdle,
    StreamSend,
    StreamSendFile,
    StreamSetOptions,
    StreamShutdown,
    said_of,
)
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.threads.waiters import Waiters
from gossamer.core.wire.flow import Address, Flow, local_address, remote_address
from gossamer.core.wire.proxy_protocol import NOBODY

Name = Any
"""A socket's name as the kernel gives it: (host, port, ...), a path, or the bytes of a sockaddr. There is no
one type: what it is depends on the family of the socket."""

GONE: Final = frozenset(
    {
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.EPIPE,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EPROTO,
    }
)
"""What the kernel says of a peer that is gone, or of the way to it (tcp(7), ip(7))."""


class Connection:
    """One kernel socket. At most one thread receives and one sends at a time.

    Each field is written by one file of this room, or by this record itself; all others only read it."""

    __slots__ = (
        "announced",
        "armed_us",
        "began_us",
        "can_recv",
        "can_send",
        "distrusts_short_recv",
        "ended_by",
        "is_closed",
        "is_shut",
        "is_watched",
        "linger_us",
        "local_name",
        "peer_name",
        "recv_bytes_max",
        "recv_deadline_us",
        "recv_thread",
        "send_deadline_us",
        "send_rest",
        "send_thread",
        "sock",
    )

    def __init__(self, sock: SocketType) -> None:
        self.sock: SocketType = sock
        self.announced: Flow = NOBODY
        """Whom its peer, a proxy, has said that it speaks for, and where that came to."""
        self.can_recv: bool = True
        """Whether a recv may bring something: False once it is drained, until the next event."""
        self.can_send: bool = True
        self.distrusts_short_recv: bool = False
        self.is_watched: bool = False
        self.is_closed: bool = False
        self.is_shut: bool = False
        """Whether its user has half-closed it."""
        self.ended_by: int = 0
        """The number of the error by which it ended, which the kernel reports once and every later call is to
        raise again; 0 while it has not."""
        self.local_name: Name = None
        """Our address, once it was asked for or the socket is closed."""
        self.peer_name: Name = None
        """The peer's address, as whoever made the connection knew it: the kernel forgets it at a reset."""
        self.linger_us: int = NEVER_US
        """How long close waits; see `SocketOptions`."""
        self.armed_us: int = NEVER_US
        self.began_us: int = NEVER_US
        """When it was accepted, here or in the process that it has come from; NEVER_US where it was not."""
        self.recv_thread: Thread[Any] | None = None
        self.recv_bytes_max: int = 0
        self.recv_deadline_us: int = NEVER_US
        self.send_thread: Thread[Any] | None = None
        self.send_rest: memoryview | FileRest | None = None
        """What the blocked sender still has to send: a memoryview or a `FileRest`; None while connecting."""
        self.send_deadline_us: int = NEVER_US

    def end(self, error: OSError) -> OSError:
        """What to raise for an error that the kernel gave: it is kept where it says that the peer or the way
        there is gone."""
        if self.is_shut and error.errno == errno.EPIPE and not self.ended_by:
            return error  # a send after our own half-close
        if error.errno not in GONE:
            return error
        if error.errno != errno.EPIPE:
            self.ended_by = error.errno
        return self.why_ended() if self.ended_by else said_of(self, error)

    def why_ended(self) -> OSError:
        """A fresh error of a connection that has ended."""
        return said_of(self, OSError(self.ended_by, os.strerror(self.ended_by)))

    def keep_peer(self, name: Name) -> None:
        """Keep the peer's address as whoever makes the connection knows it."""
        self.peer_name = name

    def begin(self, began_us: int) -> None:
        """Keep when it was accepted."""
        self.began_us = began_us

    def announce(self, announced: Flow) -> None:
        """Keep what a proxy has said; NOBODY is that it has named nobody."""
        if announced:
            self.announced = announced
            self.local_name, self.peer_name = local_address(announced), remote_address(announced)

    def keep_names(self) -> None:
        """Keep both addresses before the socket is closed."""
        self.local_name = self.local_name or self.sock.getsockname()
        if self.peer_name is None:
            # Not connected yet, or not any more.
            with suppress(OSError):
                self.peer_name = self.sock.getpeername()


class FileRest:
    """The part of a file that a blocked sender still has to send."""

    __slots__ = ("fd", "length", "offset", "sent_bytes")

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self.fd: int = fd
        self.offset: int = offset
        self.length: int = length
        self.sent_bytes: int = 0

    def advance(self, sent: int) -> None:
        """Record that the kernel took `sent` more bytes."""
        self.offset += sent
        self.length -= sent
        self.sent_bytes += sent


class Listener:
    """One listening kernel socket and the threads blocked in accept on it, first come first served."""

    __slots__ = (
        "can_accept",
        "family",
        "is_closed",
        "is_watched",
        "make_connection",
        "name",
        "sock",
        "threads",
    )

    def __init__(self, sock: socket, make_connection: Callable[[SocketType], Connection]) -> None:
        self.sock = sock
        self.family = int(sock.family)
        self.name: Name = sock.getsockname()
        """The address listened on."""
        self.make_connection = make_connection
        self.can_accept = True
        self.is_watched = False
        self.is_closed = False
        self.threads: Waiters[Thread[Any]] = Waiters()


class SockRecv(StreamRecv, frozen=True):
    """`StreamRecv` on a kernel socket."""

    record = Connection


class SockRecvIdle(StreamRecvIdle, frozen=True):
    """`StreamRecvIdle` on a kernel socket."""

    record = Connection


class SockSend(StreamSend, frozen=True):
    """`StreamSend` on a kernel socket."""

    record = Connection


class SockSendFile(StreamSendFile, frozen=True):
    """`StreamSendFile` on a kernel socket."""

    record = Connection


class SockShutdown(StreamShutdown, frozen=True):
    """`StreamShutdown` on a kernel socket."""

    record = Connection


class SockClose(StreamClose, frozen=True):
    """`StreamClose` on a kernel socket."""

    record = Connection


class SockAbort(StreamAbort, frozen=True):
    """`StreamAbort` on a kernel socket."""

    record = Connection


class SockSetOptions(StreamSetOptions, frozen=True):
    """`StreamSetOptions` on a kernel socket."""

    record = Connection


class SockGetOptions(StreamGetOptions, frozen=True):
    """`StreamGetOptions` on a kernel socket."""

    record = Connection


class SockGetInfo(StreamGetInfo, frozen=True):
    """`StreamGetInfo` on a kernel socket."""

    record = Connection


class SockAccept(AcceptorAccept, frozen=True):
    """`AcceptorAccept` on a kernel socket."""

    record = Listener


class SockListenClose(AcceptorClose, frozen=True):
    """`AcceptorClose` on a kernel socket."""

    record = Listener


class SockAdopt(SystemCall[Any], frozen=True):
    """Make a stream of a connected, non-blocking socket."""

    sock: SocketType
    make_connection: Callable[[SocketType], Connection]

    def __post_init__(self) -> None:
        if not isinstance(self.sock, SocketType) or self.sock.fileno() < 0:
            raise misuse("sock", self.sock, "an open socket")
        _check_maker(self.make_connection)


class SockConnect(SystemCall[Any], frozen=True):
    """See `Connector.connect`."""

    address: Address
    timeout_us: int
    make_connection: Callable[[SocketType], Connection]
    options: SocketOptions = NO_OPTIONS
    source: str = ""
    """The local IP address; "": the kernel chooses."""

    def __post_init__(self) -> None:
        check_opening(self.address, self.timeout_us, self.options)
        _check_maker(self.make_connection)


def _check_maker(make_connection: object) -> None:
    if not (isinstance(make_connection, type) and issubclass(make_connection, Connection)):
        raise misuse("make_connection", make_connection, "a class of streams over kernel sockets")
