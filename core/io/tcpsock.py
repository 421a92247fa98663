"""TCPSockIO: the functional TCP behind the interfaces of `core.io.stream`.

Owns the streams, acceptors and connectors over the functional TCP as threads see them. Every method only
builds a system call; `core.loop.tcp` performs it.
"""

import errno
import socket
from collections.abc import Iterator

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.tcp import TcpLoop
from gossamer.core.loop.tcpcall import (
    Connection,
    Listener,
    TcpAbort,
    TcpAccept,
    TcpClose,
    TcpConnect,
    TcpGetInfo,
    TcpGetOptions,
    TcpListenClose,
    TcpRecv,
    TcpSend,
    TcpSetOptions,
    TcpShutdown,
)
from gossamer.core.loop.tcpports import LocalPorts
from gossamer.core.tcp import tcb as records
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.wire.flow import Address, local_address, remote_address


class TcpStream(Connection):
    """A `Stream` over the functional TCP."""

    __slots__ = ()

    @property
    def local(self) -> Address:
        """Our socket."""
        return local_address(self.flow)

    @property
    def peer(self) -> Address:
        """The other side's socket."""
        return remote_address(self.flow)

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent its FIN and all was read."""
        return TcpRecv(self, bytes_max, timeout_us)

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when all of `data` stands in the (bounded) send buffer."""
        return TcpSend(self, data, timeout_us)

    def send_last(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Send, and half-close: the FIN rides on the last segment."""
        return TcpSend(self, data, timeout_us, is_last=True)

    def shutdown(self) -> SystemCall[None]:
        """Half-close: a FIN after what was sent; receiving goes on."""
        return TcpShutdown(self)

    def close(self) -> SystemCall[None]:
        """Close both ways, orderly; what was sent is still delivered. Closing twice is harmless."""
        return TcpClose(self)

    def abort(self) -> SystemCall[None]:
        """Close at once with a RST; what was not delivered is dropped."""
        return TcpAbort(self)

    def set_options(self, options: SocketOptions) -> SystemCall[None]:
        """Change options of this connection; they hold from now on."""
        return TcpSetOptions(self, options)

    def options(self) -> SystemCall[SocketOptions]:
        """All options as they are."""
        return TcpGetOptions(self)

    def info(self) -> SystemCall[TcpInfo]:
        """The state of the connection, its timers, windows and counters, as TCP_INFO names them."""
        return TcpGetInfo(self)


class TcpAcceptor:
    """An `Acceptor` on the functional TCP. Raises: OSError when the address is listened on already."""

    def __init__(self, loop: TcpLoop, address: Address, parameters: TcpParameters) -> None:
        self._listener = Listener(address, records.Listener(parameters), TcpStream)
        loop.listen(self._listener)

    @property
    def local(self) -> Address:
        """The socket listened on."""
        return self._listener.address

    def accept(self) -> SystemCall[TcpStream]:
        """The next connection."""
        return TcpAccept(self._listener)

    def refuse_new(self) -> None:
        """Refuse SYNs from now on; handshakes that have begun come to their end, and can be accepted."""
        self._listener.takes_new = False

    def close(self) -> SystemCall[None]:
        """Stop listening; a blocked accept raises ConnectionAbortedError."""
        return TcpListenClose(self._listener)


class TcpConnector:
    """A `Connector` on the functional TCP, opening from a range of local ports that this process alone
    owns."""

    def __init__(self, loop: TcpLoop, ports: range, secret: bytes) -> None:
        self._loop = loop
        self._ports = LocalPorts(ports, secret)
        self._local_hosts: dict[str, str] = {}

    def connect(
        self,
        address: Address,
        timeout_us: int = NEVER_US,
        options: SocketOptions = NO_OPTIONS,
        data: bytes = b"",
    ) -> SystemCall[TcpStream]:
        """`data` is sent as soon as may be: with the SYN, where tcp.fast_open allows it and the server has
        given us a cookie. It must bear to arrive twice.

        Raises: ConnectionRefusedError, TimeoutError, OSError; at once when no local port is free; ValueError
        for more data than the send buffer takes.
        """
        self._loop.check_early_data(data)
        host = self._local_host(address)
        for port in self._candidates(host, address):
            if not self._loop.has_connection((host, port), address):
                return TcpConnect((host, port), address, timeout_us, TcpStream, options, data)
        raise OSError(
            errno.EADDRNOTAVAIL,
            f"every local port of this process is in use towards {address[0]} port {address[1]}",
        )

    def _candidates(self, host: str, address: Address) -> Iterator[int]:
        return self._ports.candidates(host, address)

    def _local_host(self, address: Address) -> str:
        """The address that the kernel would send from. Raises: OSError when there is no route."""
        known = self._local_hosts.get(address[0])
        if known is None:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                # Connecting a datagram socket sends nothing: it only asks the routing table.
                probe.connect(address)
                known = str(probe.getsockname()[0])
            self._local_hosts[address[0]] = known
        return known
