"""The calls on streams and acceptors: one set for either stack, with one set of checks.

Owns the fields of each call and what is allowed in them. `core.loop.sock.call` and `core.loop.tcp.call`
derive from each call the one that their stack takes and name the record that it must hold: the scheduler
finds the right loop by the class of a call, at no further cost. Arguments are checked when the call is made
(those of a send by the loop, before anything is done): a mistake is raised on the thread's own line, and has
no other effect.
"""

import errno
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import Draining, MisuseError, misuse
from gossamer.core.loop.checks import (
    FILE_BYTES_MAX,
    RECV_BYTES_MAX,
    RECV_ROOM_BYTES,
    check_number,
    check_options,
    check_timeout,
)
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.threads.calls import FD_MAX
from gossamer.core.threads.systemcall import SystemCall

R_co = TypeVar("R_co", covariant=True)


def check_record(call: SystemCall[Any], name: str, value: object, record: type) -> None:
    """Raises: MisuseError for anything but a record of the call's own stack."""
    if not isinstance(value, record):
        kind = f"{record.__module__}.{record.__qualname__}"
        raise misuse(f"the {name} of {type(call).__name__}", value, f"a {kind}")


# What the loops raise, the same on either stack.

NOT_RECEIVED_IN_TIME: Final = "nothing was received in time"
NOT_SENT_IN_TIME: Final = "not all was sent in time"
NOT_CONNECTED_IN_TIME: Final = "the connection was not established in time"


def stream_closed() -> ConnectionAbortedError:
    """For a call on a stream that this program has closed."""
    return ConnectionAbortedError(errno.ECONNABORTED, "the stream is closed")


def draining() -> Draining:
    """For a recv that is blocked when the server begins to drain."""
    return Draining("the server is draining")


def listener_closed() -> ConnectionAbortedError:
    """For an accept on an acceptor that this program has closed."""
    return ConnectionAbortedError(errno.ECONNABORTED, "the acceptor is closed")


def second_receiver(first: object) -> MisuseError:
    """For a recv while another thread is blocked in one."""
    return MisuseError(f"{first!r} receives from this stream already")


def second_sender(first: object) -> MisuseError:
    """For a send while another thread is blocked in one."""
    return MisuseError(f"{first!r} sends on this stream already")


def said_of(connection: object, error: OSError) -> OSError:
    """The error, marked as what `connection` says of its peer, or of the way there: gone, or silent."""
    vars(error)["stream"] = connection
    return error


def is_said_of(connection: object, error: BaseException) -> bool:
    """Whether an error, or every one of a group, is what `connection` says of its peer."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_said_of(connection, each) for each in error.exceptions)
    return isinstance(error, OSError) and vars(error).get("stream") is connection


# The calls on a stream.


class ConnectionCall(SystemCall[R_co], frozen=True):
    """A call that names the connection it is about."""

    record: ClassVar[type] = object
    """The class of the connections that the loop of this call keeps."""

    connection: Any


class StreamRecv(ConnectionCall[bytes], frozen=True):
    """See `Stream.recv`. One may be awaited again and again, and is looked at once."""

    bytes_max: int
    timeout_us: int = NEVER_US

    @property
    def idle(self) -> "Idle | None":
        """None: whoever makes this call waits for no next request."""
        return None

    def __post_init__(self) -> None:
        bytes_max, timeout_us = self.bytes_max, self.timeout_us
        if not (
            type(bytes_max) is int
            and 0 < bytes_max <= RECV_ROOM_BYTES
            and type(timeout_us) is int
            and timeout_us >= 0
            and isinstance(self.connection, self.record)
        ):
            check_record(self, "connection", self.connection, self.record)
            check_number("bytes_max", bytes_max, 1, RECV_BYTES_MAX)
            check_timeout(timeout_us)
            msgspec.structs.force_setattr(self, "bytes_max", min(bytes_max, RECV_ROOM_BYTES))


class Idle(msgspec.Struct, frozen=True):
    """How a server waits for the next request; see `Stream.recv_idle`. One is made for all connections."""

    again: Callable[[Any], Coroutine[Any, Any, None]]
    """Called with the stream when there is something to hear and no thread any more: what it returns is the
    new one."""
    bytes_max: int
    timeout_us: int = NEVER_US


class StreamRecvIdle(StreamRecv, frozen=True):
    """See `Stream.recv_idle`. Without `idle` it is a recv as any other."""

    idle: Idle | None = None

    def __post_init__(self) -> None:
        StreamRecv.__post_init__(self)
        if self.idle is not None and not isinstance(self.idle, Idle):
            raise misuse("idle", self.idle, "an Idle")


class StreamSend(ConnectionCall[None], frozen=True):
    """See `Stream.send` and, with `is_last`, `Stream.send_last`.

    Its loop looks at the common case and asks `check` about any other: for a call that is made for every
    message, a `__post_init__` would cost four times as much."""

    data: bytes
    timeout_us: int = NEVER_US
    is_last: bool = False

    def check(self) -> None:
        """Raises: MisuseError."""
        check_record(self, "connection", self.connection, self.record)
        if type(self.data) is not bytes:
            raise misuse("data", self.data, "bytes: the methods of a stream make them of what is like them")
        check_timeout(self.timeout_us)


class CheckedCall(ConnectionCall[R_co], frozen=True):
    """A call that is looked at when it is made."""

    def __post_init__(self) -> None:
        if not isinstance(self.connection, self.record):
            check_record(self, "connection", self.connection, self.record)


class StreamSendFile(ConnectionCall[int], frozen=True):
    """See `Stream.send_file`."""

    fd: int
    offset: int
    length: int
    timeout_us: int = NEVER_US

    def __post_init__(self) -> None:
        check_record(self, "connection", self.connection, self.record)
        check_number("fd", self.fd, 0, FD_MAX)
        check_number("offset", self.offset, 0, FILE_BYTES_MAX)
        check_number("length", self.length, 0, FILE_BYTES_MAX - self.offset)
        check_timeout(self.timeout_us)


class StreamShutdown(CheckedCall[None], frozen=True):
    """See `Stream.shutdown`."""


class StreamClose(CheckedCall[None], frozen=True):
    """See `Stream.close`."""


class StreamAbort(CheckedCall[None], frozen=True):
    """See `Stream.abort`."""


class StreamSetOptions(CheckedCall[None], frozen=True):
    """See `Stream.set_options`."""

    options: SocketOptions

    def __post_init__(self) -> None:
        check_record(self, "connection", self.connection, self.record)
        check_options(self.options)


class StreamGetOptions(CheckedCall[SocketOptions], frozen=True):
    """See `Stream.options`."""


class StreamGetInfo(CheckedCall[TcpInfo], frozen=True):
    """See `Stream.info`."""


# The calls on an acceptor.


class ListenerCall(SystemCall[R_co], frozen=True):
    """A call that names the listener it is about."""

    record: ClassVar[type] = object
    """The class of the listeners that the loop of this call keeps."""

    listener: Any

    def __post_init__(self) -> None:
        if not isinstance(self.listener, self.record):
            check_record(self, "listener", self.listener, self.record)


class AcceptorAccept(ListenerCall[Any], frozen=True):
    """See `Acceptor.accept`."""


class AcceptorClose(ListenerCall[None], frozen=True):
    """See `Acceptor.close`."""
