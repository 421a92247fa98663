"""What asyncio takes for sockets where there are none: a stream, and an acceptor, of any stack.

Owns what programs ask of a transport's or a server's socket: names, family, and no descriptor.
"""

import socket
from typing import Any

from gossamer.core.io.stream import Acceptor, Stream
from gossamer.core.wire.flow import Address

Name = tuple[Any, ...]


def name_of_address(address: Address) -> Name:
    """As the socket module writes it."""
    return (*address, 0, 0) if ":" in address[0] else address


class StackSocket:
    """What both have in common."""

    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, end: Stream | Acceptor) -> None:
        self._end = end

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if ":" in self._end.local[0] else socket.AF_INET

    def getsockname(self) -> Name:
        """Our address."""
        return name_of_address(self._end.local)

    def fileno(self) -> int:
        """-1: it has none."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def gettimeout(self) -> float:
        """0: it never blocks."""
        return 0.0

    def setsockopt(self, *option: Any) -> None:
        """Options are the stack's: taken, and without effect."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._end!r}>"


class StreamSocket(StackSocket):
    """A stream, for the socket of a transport."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.stream = stream

    def getpeername(self) -> Name:
        """The other side's address."""
        return name_of_address(self.stream.peer)


class AcceptorSocket(StackSocket):
    """An acceptor, for the listening socket of a server; beside it the kernel's socket of that address, where
    the program has bound one: it belongs to the server, and does not listen."""

    def __init__(self, acceptor: Acceptor, reserved: socket.socket | None = None) -> None:
        super().__init__(acceptor)
        self.acceptor = acceptor
        self.reserved = reserved

    def listen(self, backlog: int) -> None:
        """It does so already."""
