"""Unix stream sockets behind the interfaces of `core.io.stream`: connections within one machine.

Owns only what differs from TCP: addresses are paths.

Source: unix(7).
"""

import errno
import socket
from typing import ClassVar, Final

from gossamer.core.errors import misuse
from gossamer.core.io.sock import BACKLOG, BACKLOG_MAX, SockStream, address_of, open_listener
from gossamer.core.io.streambase import AcceptorBase
from gossamer.core.loop.checks import check_number
from gossamer.core.loop.sock.call import SockAccept, SockAdopt, SockListenClose
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.wire.flow import Address

RETRY_US: Final = 10_000
"""How long to wait before connecting again to a path whose backlog is full."""


class UnixStream(SockStream):
    """A `Stream` over a Unix socket; its addresses are (path, 0), and an unnamed one is ("", 0)."""

    __slots__ = ()


class UnixAcceptor(AcceptorBase[UnixStream]):
    """An `Acceptor` over a listening Unix socket; it owns the socket from now on, not the path.

    Raises: MisuseError for anything but a listening socket.
    """

    accept_call: ClassVar[type[SockAccept]] = SockAccept
    close_call: ClassVar[type[SockListenClose]] = SockListenClose

    def __init__(self, sock: socket.socket) -> None:
        self._listener = open_listener(sock, UnixStream)

    @classmethod
    def bind(cls, path: str, backlog: int = BACKLOG) -> "UnixAcceptor":
        """Listen on a path, which must not exist. Raises: OSError that names the path (EADDRINUSE)."""
        _check_path(path)
        check_number("backlog", backlog, 0, BACKLOG_MAX)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.bind(path)
            sock.listen(backlog)
        except OSError as error:
            sock.close()
            raise _named(error, path) from None
        return cls(sock)

    @property
    def local(self) -> Address:
        """The path listened on."""
        return address_of(self._listener.name)


async def connect_unix(path: str) -> UnixStream:
    """Connect to a listening path; where its backlog is full, wait until there is room.

    >>> from os.path import join
    >>> from tempfile import TemporaryDirectory
    >>> from gossamer import UnixAcceptor, connect_unix, run
    >>> async def main(path):
    ...     acceptor = UnixAcceptor.bind(path)
    ...     client = await connect_unix(path)
    ...     server = await acceptor.accept()
    ...     await client.send(b"hello, neighbour")
    ...     return await server.recv()
    >>> with TemporaryDirectory() as folder:
    ...     run(main(join(folder, "socket")))
    b'hello, neighbour'

    Raises: OSError that names the path.
    """
    _check_path(path)
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        while not _is_connected(sock, path):
            # The kernel has no event for that there is room.
            await sys_sleep(RETRY_US)
        return await adopt_unix(sock)
    except BaseException:
        sock.close()
        raise


def _is_connected(sock: socket.socket, path: str) -> bool:
    try:
        sock.connect(path)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _named(error, path) from None
    return True


def _check_path(path: object) -> None:
    """Raises: MisuseError for anything but a path."""
    if not isinstance(path, str) or "\0" in path[1:]:
        raise misuse("path", path, "the path of a socket")


def _named(error: OSError, path: str) -> OSError:
    # A path that is too long has no number of an error.
    return OSError(error.errno or errno.ENAMETOOLONG, error.strerror or str(error), path)


def adopt_unix(sock: socket.socket) -> SystemCall[UnixStream]:
    """A stream over a connected Unix socket, one of a socketpair perhaps; it owns the socket from now on.

    Raises: MisuseError for anything but an open socket.
    """
    if not isinstance(sock, socket.socket) or sock.fileno() < 0:
        raise misuse("sock", sock, "an open socket")
    sock.setblocking(False)
    return SockAdopt(sock, UnixStream)
