"""SockIO: kernel sockets behind the interfaces of `core.io.stream`.

Owns the streams, acceptors and connectors over kernel sockets as threads see them. Every method only makes a
system call, most of them in `core.io.streambase`; `core.loop.sock.loop` performs it.
"""

import socket
from typing import Any, ClassVar, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import misuse
from gossamer.core.io.streambase import AcceptorBase, StreamBase
from gossamer.core.loop.checks import check_address, check_number, whole_bytes
from gossamer.core.loop.sock.call import (
    Connection,
    Listener,
    SockAbort,
    SockAccept,
    SockClose,
    SockConnect,
    SockGetInfo,
    SockGetOptions,
    SockListenClose,
    SockRecv,
    SockRecvIdle,
    SockSend,
    SockSendFile,
    SockSetOptions,
    SockShutdown,
)
from gossamer.core.loop.streamcall import Idle
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.wire.flow import Address, plain_host
from gossamer.ffi.accept import read_name

BACKLOG: Final = 128
"""Connections that wait to be accepted, where nothing else is asked for."""

BACKLOG_MAX: Final = (1 << 31) - 1


class SockStream(StreamBase, Connection):
    """A `Stream` over a kernel socket."""

    __slots__ = ()

    send_call: ClassVar[type[SockSend]] = SockSend
    send_file_call: ClassVar[type[SockSendFile]] = SockSendFile
    shutdown_call: ClassVar[type[SockShutdown]] = SockShutdown
    close_call: ClassVar[type[SockClose]] = SockClose
    abort_call: ClassVar[type[SockAbort]] = SockAbort
    set_options_call: ClassVar[type[SockSetOptions]] = SockSetOptions
    get_options_call: ClassVar[type[SockGetOptions]] = SockGetOptions
    get_info_call: ClassVar[type[SockGetInfo]] = SockGetInfo

    @property
    def local(self) -> Address:
        """Our socket."""
        return address_of(self.sock.getsockname() if self.local_name is None else self.local_name)

    @property
    def peer(self) -> Address:
        """The other side's socket; once it is closed, what it was."""
        if type(self.peer_name) is bytes:
            self.keep_peer(read_name(self.peer_name))
        return address_of(self.sock.getpeername() if self.peer_name is None else self.peer_name)

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent its FIN and all was read."""
        return SockRecv(self, bytes_max, timeout_us)

    def recv_idle(self, idle: Idle) -> SystemCall[bytes]:
        """As `recv`; where the connection goes to another worker its thread is ended here, and
        `idle.again(stream)` takes its place there."""
        return SockRecvIdle(self, idle.bytes_max, idle.timeout_us, idle)

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when all of `data` stands in the (bounded) send buffer."""
        return SockSend(self, data if type(data) is bytes else whole_bytes("data", data), timeout_us)


def address_of(name: Any) -> Address:
    """The address in what the kernel calls a socket: (host, port, ...), or the path of a Unix socket."""
    if isinstance(name, tuple):
        return plain_host(name[0]), name[1]
    return str(name), 0


class SockAcceptor(AcceptorBase[SockStream]):
    """An `Acceptor` over a listening kernel socket, inherited or not; it owns the socket from now on.

    Raises: MisuseError for anything but a listening socket.
    """

    accept_call: ClassVar[type[SockAccept]] = SockAccept
    close_call: ClassVar[type[SockListenClose]] = SockListenClose

    def __init__(self, sock: socket.socket) -> None:
        self._listener = open_listener(sock, SockStream)
        # Linux copies the option to every socket accepted from this one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def local(self) -> Address:
        """The socket listened on; once it is closed, what it was."""
        return address_of(self._listener.name)


def open_listener(sock: socket.socket, make: type[Connection]) -> Listener:
    """The record of a listening socket. Raises: MisuseError for anything else."""
    if not isinstance(sock, socket.socket) or sock.fileno() < 0:
        raise misuse("sock", sock, "an open listening socket")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise misuse("sock", sock, "a socket that listens: call its listen() first")
    sock.setblocking(False)
    return Listener(sock, make)


def listen(address: Address, backlog: int = BACKLOG, *, reuse_port: bool = False) -> SockAcceptor:
    """Open a listening socket on an IP address and a port; for port 0 the kernel picks a free one.

    >>> from gossamer import SockConnector, listen, run
    >>> async def main():
    ...     acceptor = listen(("127.0.0.1", 0))
    ...     client = await SockConnector().connect(acceptor.local)
    ...     server = await acceptor.accept()
    ...     await server.send(b"welcome")
    ...     return await client.recv()
    >>> run(main())
    b'welcome'

    `backlog` connections are kept until they are accepted, at most net.core.somaxconn. With `reuse_port`
    several sockets, of several processes of one user, share the port when all of them say so; the kernel
    deals out connections by a hash of their addresses, and those that wait at one are lost when it closes.
    "::" listens to IPv4 too, whose peers are 192.0.2.1 and not ::ffff:192.0.2.1; every other IPv6 address to
    IPv6 alone.

    Raises: OSError that names the address (EADDRINUSE, EADDRNOTAVAIL, EACCES); MisuseError for anything but
    an IP address. Source: listen(2); socket(7), SO_REUSEPORT; ipv6(7), IPV6_V6ONLY.
    """
    check_address("address", address)
    check_number("backlog", backlog, 0, BACKLOG_MAX)
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # in spite of an earlier one's TIME-WAIT
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno, f"cannot listen on {address[0]} port {address[1]}: {error.strerror}"
        ) from None
    return SockAcceptor(sock)


class SockConnector:
    """A `Connector` that opens kernel sockets, from a local IP address if one is named."""

    makes: ClassVar[type[SockStream]] = SockStream
    """What is made of a socket."""

    def __init__(self, source: str = "") -> None:
        self._source = source

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS
    ) -> SystemCall[SockStream]:
        """Raises: ConnectionRefusedError, TimeoutError, OSError; MisuseError at once for anything but an IP
        address."""
        return SockConnect(address, timeout_us, self.makes, options, self._source)
