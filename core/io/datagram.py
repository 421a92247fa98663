"""Datagram sockets: UDP over IPv4 and IPv6, and Unix datagrams.

Owns one socket as threads see it. Each datagram is sent and received whole, or not at all.

Source: udp(7), unix(7).
"""

import os
import socket
from types import TracebackType
from typing import Any, Final

from gossamer.core.errors import misuse
from gossamer.core.loop.checks import RECV_BYTES_MAX, check_address, check_number, whole_bytes
from gossamer.core.loop.fd.call import Descriptor, FdClose, FdReadable, FdWritable
from gossamer.core.wire.flow import plain_host

DATAGRAM_BYTES_MAX: Final = 65_535
"""No UDP datagram is longer."""


class DatagramSocket:
    """A bound, and perhaps connected, datagram socket; it owns the socket from now on.

    >>> from gossamer import DatagramSocket, run
    >>> async def main():
    ...     async with DatagramSocket.bind("127.0.0.1") as socket:
    ...         await socket.send_to(b"to myself", socket.local)
    ...         data, peer = await socket.recv_from()
    ...         return data, peer == socket.local
    >>> run(main())
    (b'to myself', True)
    """

    __slots__ = ("_descriptor", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        if not isinstance(sock, socket.socket) or sock.fileno() < 0:
            raise misuse("sock", sock, "an open socket")
        sock.setblocking(False)
        self._sock = sock
        # The descriptor is closed by the loop; the socket only lends its methods.
        self._descriptor = Descriptor(os.dup(sock.fileno()))

    @classmethod
    def bind(cls, host: str, port: int = 0) -> "DatagramSocket":
        """A UDP socket on an IP address. Raises: OSError; MisuseError for anything but an IP address and
        port."""
        check_address("address", (host, port))
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    @property
    def local(self) -> Any:
        """Our address: (host, port, ...), or the path of a Unix socket. Addresses have no one type: what they
        are depends on the family of the socket."""
        return _plain(self._sock.getsockname())

    async def recv_from(self, bytes_max: int = DATAGRAM_BYTES_MAX) -> tuple[bytes, Any]:
        """The next datagram, cut off after bytes_max, and who sent it: of IPv4 as 192.0.2.1, on "::" too.

        Raises: OSError; MisuseError for a wrong argument.
        """
        check_number("bytes_max", bytes_max, 1, RECV_BYTES_MAX)
        while True:
            try:
                data, sender = self._sock.recvfrom(bytes_max)
            except BlockingIOError:
                await FdReadable(self._descriptor)
            else:
                return data, _plain(sender)

    async def send_to(self, data: bytes, address: Any) -> None:
        """Send a datagram.

        Raises: OSError (EMSGSIZE, ECONNREFUSED that an earlier one met); MisuseError for anything but bytes,
        and for a destination that is not an IP address and port, or a path: resolving a name would block.
        """
        data = whole_bytes("data", data)
        self._check_address(address)
        if self._sock.family == socket.AF_INET6 and ":" not in address[0]:
            address = (f"::ffff:{address[0]}", *address[1:])
        while True:
            try:
                self._sock.sendto(data, address)
            except BlockingIOError:
                await FdWritable(self._descriptor)
            else:
                return

    def _check_address(self, address: object) -> None:
        if self._sock.family != socket.AF_UNIX:
            check_address("address", address)
        elif not isinstance(address, str | bytes):
            raise misuse("address", address, "the path of a socket")

    async def close(self) -> None:
        """Close it; a blocked call raises ConnectionAbortedError. Twice is harmless."""
        self._sock.close()
        await FdClose(self._descriptor)

    async def __aenter__(self) -> "DatagramSocket":
        return self

    def __repr__(self) -> str:
        if self._sock.fileno() < 0:
            return f"<{type(self).__name__} closed>"
        return f"<{type(self).__name__} {self.local}>"

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()


def _plain(name: Any) -> Any:
    """The name that the kernel gives, an IPv4 address on a socket of IPv6 as one of IPv4."""
    is_mapped = isinstance(name, tuple) and plain_host(name[0]) != name[0]
    return (plain_host(name[0]), name[1]) if is_mapped else name
