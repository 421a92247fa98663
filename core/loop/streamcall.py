"""The calls on streams and acceptors: one set for either stack, with one set of checks.

Owns the fields of each call and what is allowed in them. `core.loop.sockcall` and `core.loop.tcpcall` derive
from each call the one that their stack takes and name the record that it must hold: the class of a call is
the scheduler's way to the right loop, and costs nothing more. What a thread passes is looked at when the call
is made, so that a mistake is raised on the thread's own line and never reaches a loop.
"""

import errno
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from gossamer.core.clock import NEVER_US
from gossamer.core.errors import MisuseError, misuse
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.wire.flow import PORT_MAX, Address, pack_address

R_co = TypeVar("R_co", covariant=True)

RECV_BYTES_MAX: Final = 1 << 26
"""The most that one recv takes: so much room is made before anything is received."""

FILE_BYTES_MAX: Final = (1 << 63) - 1
"""The last place in a file that the kernel counts."""

FD_MAX: Final = (1 << 31) - 1


# What is allowed. The calls look at the common case themselves; these decide.


def check_number(name: str, value: object, least: int, most: int) -> None:
    """Raises: MisuseError for anything but a whole number within these bounds."""
    if not (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
        raise misuse(name, value, f"a whole number from {least} to {most}")


def check_timeout(timeout_us: object) -> None:
    """Raises: MisuseError for anything but a time."""
    if not (isinstance(timeout_us, int) and not isinstance(timeout_us, bool) and timeout_us >= 0):
        raise misuse("timeout_us", timeout_us, "a whole number of microseconds, 0 or more")


def whole_bytes(name: str, data: object) -> bytes:
    """What is sent, as bytes: a copy of what might change. Raises: MisuseError for anything but bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        hint = ": encode the text first" if isinstance(data, str) else ""
        raise misuse(name, data, f"bytes, bytearray or memoryview{hint}")
    try:
        return bytes(data)
    except ValueError:
        raise misuse(name, data, "a memoryview that was not released") from None


def check_options(options: object) -> None:
    """Raises: MisuseError for anything but SocketOptions."""
    if not isinstance(options, SocketOptions):
        raise misuse("options", options, "a SocketOptions")


def check_address(name: str, address: object) -> None:
    """Raises: MisuseError for anything but an IP address and a port: to resolve a name would block."""
    allowed = "an IP address and a port, as in ('127.0.0.1', 80)"
    # With four, an address of IPv6 as the kernel gives it.
    if not (isinstance(address, tuple) and len(address) in (2, 4) and isinstance(address[0], str)):
        raise misuse(name, address, allowed)
    check_number(f"the port of {name}", address[1], 0, PORT_MAX)
    try:
        pack_address(address[0])
    except ValueError:
        raise misuse(name, address, f"{allowed}; open_connection(host, port) takes a name") from None


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
    """The error, marked as what `connection` says of its peer or of the way there."""
    vars(error)["stream"] = connection
    return error


def is_said_of(connection: object, error: BaseException) -> bool:
    """Whether an error, or every one of a group, is what `connection` says of its peer."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_said_of(connection, each) for each in error.exceptions)
    return isinstance(error, OSError) and vars(error).get("stream") is connection


# The calls on a stream.


class ConnectionCall(SystemCall[R_co], frozen=True, gc=False):
    """A call that names the connection it is about."""

    record: ClassVar[type] = object
    """The class of the connections that the loop of this call keeps."""

    connection: Any

    def __post_init__(self) -> None:
        check_record(self, "connection", self.connection, self.record)


class StreamRecv(ConnectionCall[bytes], frozen=True, gc=False):
    """See `Stream.recv`."""

    bytes_max: int
    timeout_us: int = NEVER_US

    def __post_init__(self) -> None:
        bytes_max, timeout_us = self.bytes_max, self.timeout_us
        if not (
            type(bytes_max) is int
            and 0 < bytes_max <= RECV_BYTES_MAX
            and type(timeout_us) is int
            and timeout_us >= 0
            and isinstance(self.connection, self.record)
        ):
            check_record(self, "connection", self.connection, self.record)
            check_number("bytes_max", bytes_max, 1, RECV_BYTES_MAX)
            check_timeout(timeout_us)


class StreamSend(ConnectionCall[None], frozen=True, gc=False):
    """See `Stream.send` and, with `is_last`, `Stream.send_last`."""

    data: bytes
    timeout_us: int = NEVER_US
    is_last: bool = False

    def __post_init__(self) -> None:
        timeout_us = self.timeout_us
        if not (
            type(self.data) is bytes
            and type(timeout_us) is int
            and timeout_us >= 0
            and isinstance(self.connection, self.record)
        ):
            check_record(self, "connection", self.connection, self.record)
            check_timeout(timeout_us)
            msgspec.structs.force_setattr(self, "data", whole_bytes("data", self.data))


class StreamShutdown(ConnectionCall[None], frozen=True, gc=False):
    """See `Stream.shutdown`."""


class StreamClose(ConnectionCall[None], frozen=True, gc=False):
    """See `Stream.close`."""


class StreamAbort(ConnectionCall[None], frozen=True, gc=False):
    """See `Stream.abort`."""


class StreamSetOptions(ConnectionCall[None], frozen=True, gc=False):
    """See `Stream.set_options`."""

    options: SocketOptions

    def __post_init__(self) -> None:
        check_record(self, "connection", self.connection, self.record)
        check_options(self.options)


class StreamGetOptions(ConnectionCall[SocketOptions], frozen=True, gc=False):
    """See `Stream.options`."""


class StreamGetInfo(ConnectionCall[TcpInfo], frozen=True, gc=False):
    """See `Stream.info`."""


# The calls on an acceptor.


class ListenerCall(SystemCall[R_co], frozen=True, gc=False):
    """A call that names the listener it is about."""

    record: ClassVar[type] = object
    """The class of the listeners that the loop of this call keeps."""

    listener: Any

    def __post_init__(self) -> None:
        check_record(self, "listener", self.listener, self.record)


class AcceptorAccept(ListenerCall[Any], frozen=True, gc=False):
    """See `Acceptor.accept`."""


class AcceptorClose(ListenerCall[None], frozen=True, gc=False):
    """See `Acceptor.close`."""


# Opening: each stack has its own, with these arguments and these checks.


def check_opening(remote: Address, timeout_us: int, options: SocketOptions = NO_OPTIONS) -> None:
    """Raises: MisuseError for arguments of `Connector.connect` that are not allowed."""
    check_address("address", remote)
    check_timeout(timeout_us)
    check_options(options)
