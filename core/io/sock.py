"""SockIO: kernel sockets behind the interfaces of `core.io.stream`.

Owns the streams, acceptors and connectors over kernel sockets as threads see them. Every method only builds a
system call; `core.loop.sock` performs it.
"""

import socket
from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.sockcall import (
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
    SockSend,
    SockSendFile,
    SockSetOptions,
    SockShutdown,
)
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.wire.flow import Address, pack_address

PORT_MAX: Final = 65535

BACKLOG: Final = 128
"""Connections that wait to be accepted, where nothing else is asked for."""


class SockStream(Connection):
    """A `Stream` over a kernel socket."""

    __slots__ = ()

    @property
    def local(self) -> Address:
        """Our socket."""
        host, port = self.sock.getsockname()[:2]
        return host, port

    @property
    def peer(self) -> Address:
        """The other side's socket."""
        host, port = self.sock.getpeername()[:2]
        return host, port

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent its FIN and all was read."""
        return SockRecv(self, bytes_max, timeout_us)

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when the kernel has taken all of `data`."""
        return SockSend(self, data, timeout_us)

    def send_file(self, fd: int, offset: int, length: int, timeout_us: int = NEVER_US) -> SystemCall[int]:
        """Send a part of an open file; returns how many bytes were sent, fewer only if it has shrunk."""
        return SockSendFile(self, fd, offset, length, timeout_us)

    def send_last(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Send; the FIN follows with the close that the caller owes."""
        return SockSend(self, data, timeout_us)

    def shutdown(self) -> SystemCall[None]:
        """Half-close: a FIN after what was sent; receiving goes on."""
        return SockShutdown(self)

    def close(self) -> SystemCall[None]:
        """Close both ways, orderly; what was sent is still delivered. Closing twice is harmless."""
        return SockClose(self)

    def abort(self) -> SystemCall[None]:
        """Close at once with a RST; what was not delivered is dropped."""
        return SockAbort(self)

    def set_options(self, options: SocketOptions) -> SystemCall[None]:
        """Change options of this connection; they hold from now on."""
        return SockSetOptions(self, options)

    def options(self) -> SystemCall[SocketOptions]:
        """All options as they are."""
        return SockGetOptions(self)

    def info(self) -> SystemCall[TcpInfo]:
        """The state of the connection, its timers, windows and counters, as TCP_INFO names them."""
        return SockGetInfo(self)


class SockAcceptor:
    """An `Acceptor` over a listening kernel socket, inherited or not; it owns the socket from now on."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        # Linux copies the option to every socket accepted from this one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listener = Listener(sock, SockStream)

    @property
    def local(self) -> Address:
        """The socket listened on."""
        host, port = self._listener.sock.getsockname()[:2]
        return host, port

    def accept(self) -> SystemCall[SockStream]:
        """The next connection."""
        return SockAccept(self._listener)

    def close(self) -> SystemCall[None]:
        """Stop listening; a blocked accept raises ConnectionAbortedError."""
        return SockListenClose(self._listener)


def listen(address: Address, backlog: int = BACKLOG, *, reuse_port: bool = False) -> SockAcceptor:
    """Open a listening socket on an IP address and a port; of port 0 the kernel makes a free one.

    >>> from gossamer.core.io.sock import SockConnector, listen
    >>> from gossamer.core.loop.program import run
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
    "::" listens to IPv4 too, with peers as ::ffff:192.0.2.1; every other IPv6 address to IPv6 alone.

    Raises: OSError that names the address (EADDRINUSE, EADDRNOTAVAIL, EACCES); ValueError for no IP address.

    Source: listen(2); socket(7), SO_REUSEPORT; ipv6(7), IPV6_V6ONLY.
    """
    _check_address(address)
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


def _check_address(address: Address) -> None:
    """Raises: ValueError for what is no IP address and port: to resolve a name would block."""
    pack_address(address[0])
    if not 0 <= address[1] <= PORT_MAX:
        raise ValueError(f"port {address[1]}: a port is a number from 0 to {PORT_MAX}")


class SockConnector:
    """A `Connector` that opens kernel sockets."""

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS
    ) -> SystemCall[SockStream]:
        """Raises: ConnectionRefusedError, TimeoutError, OSError; ValueError at once for no IP address."""
        _check_address(address)
        return SockConnect(address, timeout_us, SockStream, options)
