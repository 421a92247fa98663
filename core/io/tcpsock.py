"""TCPSockIO: the functional TCP behind the interfaces of `core.io.stream`.

Owns the streams, acceptors and connectors over the functional TCP as threads see them. Every method only
builds a system call; `core.loop.tcp.loop` performs it.
"""

import errno
import socket
from collections.abc import Iterator
from typing import ClassVar

from gossamer.core.clock import NEVER_US
from gossamer.core.io.streambase import AcceptorBase, StreamBase
from gossamer.core.loop.checks import check_address, check_opening, whole_bytes
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.call import (
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
    TcpRecvIdle,
    TcpSend,
    TcpSendFile,
    TcpSetOptions,
    TcpShutdown,
)
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.loop.tcp.ports import LocalPorts
from gossamer.core.tcp import tcb as records
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.wire.flow import Address, local_address, remote_address


class TcpStream(StreamBase, Connection):
    """A `Stream` over the functional TCP."""

    __slots__ = ()

    send_call: ClassVar[type[TcpSend]] = TcpSend
    send_file_call: ClassVar[type[TcpSendFile]] = TcpSendFile
    file_pieces = 2
    shutdown_call: ClassVar[type[TcpShutdown]] = TcpShutdown
    close_call: ClassVar[type[TcpClose]] = TcpClose
    abort_call: ClassVar[type[TcpAbort]] = TcpAbort
    set_options_call: ClassVar[type[TcpSetOptions]] = TcpSetOptions
    get_options_call: ClassVar[type[TcpGetOptions]] = TcpGetOptions
    get_info_call: ClassVar[type[TcpGetInfo]] = TcpGetInfo

    @property
    def local(self) -> Address:
        """Our socket."""
        return local_address(self.announced or self.flow)

    @property
    def peer(self) -> Address:
        """The other side's socket; once it is closed, what it was."""
        return remote_address(self.announced or self.flow)

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent its FIN and all was read."""
        return TcpRecv(self, bytes_max, timeout_us)

    def recv_idle(self, idle: Idle) -> SystemCall[bytes]:
        """As `recv`; a thread that has waited for `tcp.park_after` is ended here, and `idle.again(stream)`
        takes its place when there is something to receive."""
        return TcpRecvIdle(self, idle.bytes_max, idle.timeout_us, idle)

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when all of `data` stands in the (bounded) send buffer."""
        return TcpSend(self, data if type(data) is bytes else whole_bytes("data", data), timeout_us)


class TcpAcceptor(AcceptorBase[TcpStream]):
    """An `Acceptor` on the functional TCP.

    Raises: OSError when the address is listened on already; MisuseError for anything but an IP address.
    """

    accept_call: ClassVar[type[TcpAccept]] = TcpAccept
    close_call: ClassVar[type[TcpListenClose]] = TcpListenClose

    def __init__(self, loop: TcpLoop, address: Address, parameters: TcpParameters) -> None:
        check_address("address", address)
        self._listener = Listener(address, records.Listener(parameters), TcpStream)
        loop.listen(self._listener)

    @property
    def local(self) -> Address:
        """The socket listened on; once it is closed, what it was."""
        address: Address = self._listener.address
        return address

    def refuse_new(self) -> None:
        """Refuse SYNs from now on; handshakes that have begun come to their end, and can be accepted."""
        self._listener.takes_new = False


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
        given us a cookie. It must do no harm if it arrives twice.

        Raises: ConnectionRefusedError, TimeoutError, OSError; at once when no local port is free; MisuseError
        for anything but an IP address, or for more data than the send buffer takes.
        """
        check_opening(address, timeout_us, options)
        data = whole_bytes("data", data)
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
