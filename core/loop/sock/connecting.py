"""The opening side: connecting, and adopting a socket that is connected already.

Owns nothing: a thread that connects waits in `core.loop.sock.sending`. A cancelled connect closes its socket.
"""

import errno
import os
from collections.abc import Callable
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_TCP,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    TCP_NODELAY,
    SocketType,
)
from typing import Any, Final

from gossamer.core.loop.sock.call import Connection, SockAdopt, SockConnect
from gossamer.core.loop.sock.option import keep_linger, set_option
from gossamer.core.loop.sock.sending import SockSendSide
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Address

IP_BIND_ADDRESS_NO_PORT: Final = 24
"""linux/in.h; Python names it from 3.12 on."""
STREAM: Final = int(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)


class SockConnectSide:
    """Takes connects; each connection is kept in `connections`, and `release` closes one."""

    def __init__(
        self, connections: set[Connection], sending: SockSendSide, release: Callable[[Connection], None]
    ) -> None:
        self.takes: dict[type[Any], Handler] = {SockConnect: self._connect, SockAdopt: self._adopt}
        self.cancels: dict[type[Any], Canceller] = {SockConnect: self._withdraw}
        self._connections = connections
        self._sending = sending
        self._release = release

    def _adopt(self, _thread: Thread[Any], call: SockAdopt) -> Connection:
        connection = call.make_connection(call.sock)
        self._connections.add(connection)
        return connection

    def _connect(self, thread: Thread[Any], call: SockConnect) -> Any:
        sock, is_connected = begin_connect(call.address, call.options, call.source)
        connection = call.make_connection(sock)
        connection.keep_peer(call.address)
        keep_linger(connection, call.options)
        self._connections.add(connection)
        if is_connected:
            return connection
        self._sending.block(connection, thread, None, call.timeout_us)
        return BLOCKED

    def _withdraw(self, thread: Thread[Any], _call: SockConnect) -> bool:
        connection = self._sending.connecting[thread]
        self._sending.unblock(connection)
        self._release(connection)
        return True


def begin_connect(
    address: Address, options: SocketOptions = NO_OPTIONS, source: str = ""
) -> tuple[SocketType, bool]:
    """A socket on its way to `address`, and whether it is there already. Raises: OSError."""
    sock = SocketType(AF_INET6 if ":" in address[0] else AF_INET, STREAM, 0)
    try:
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        if options is not NO_OPTIONS:
            set_option(sock, options)
        if source:
            # ip(7): the port is chosen at connect, so that one port serves many destinations.
            sock.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        code = sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            # Within this machine the peer has answered by now, or refused: to ask costs less than a turn.
            code = sock.connect_ex(address)
        if code not in (0, errno.EALREADY, errno.EISCONN):
            raise OSError(code, os.strerror(code))
    except OSError:
        sock.close()
        raise
    return sock, code != errno.EALREADY
