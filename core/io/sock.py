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


class SockConnector:
    """A `Connector` that opens kernel sockets."""

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS
    ) -> SystemCall[SockStream]:
        """Raises: ConnectionRefusedError, TimeoutError, OSError; ValueError at once for no IP address."""
        # Refused here, in the caller's thread: the loop would have to resolve a name, which blocks.
        pack_address(address[0])
        if not 0 <= address[1] <= PORT_MAX:
            raise ValueError(f"port {address[1]}: a port is a number from 0 to {PORT_MAX}")
        return SockConnect(address, timeout_us, SockStream, options)
