"""The kernel sockets of a run, which need less than others.

Owns the stream, and what opens it. Nothing comes on it before it has asked; and once it is closed, nobody
asks for its address, or for input that stood unread in it. Each of the three is a system call less, which
counts where every request has a connection of its own.
"""

from socket import SocketType

from gossamer.core.io.sock import SockConnector, SockStream
from gossamer.core.loop.sock.call import Connection


class CallerStream(SockStream):
    """A connection of a run."""

    __slots__ = ()

    def __init__(self, sock: SocketType) -> None:
        Connection.__init__(self, sock)
        self.can_recv = False
        self.linger_us = 0

    def keep_names(self) -> None:
        """None is asked for."""
        self.local_name = ""


class CallerConnector(SockConnector):
    """Opens them."""

    makes = CallerStream
