"""What the socket loop does with the kernel to send and to connect, one try at a time.

Owns no state: each function tries once, without blocking, and notes in the record what the kernel answered.
"""

import errno
import os
import socket
from typing import Final

from gossamer.core.loop.sock.call import Connection, FileRest
from gossamer.core.loop.sock.option import set_option
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.wire.flow import Address

SENDFILE_BYTES_MAX: Final = 1 << 20
"""Bytes of a file sent in one try, so that one thread's file starves no other thread."""


def send_rest(connection: Connection, rest: memoryview) -> bool:
    """Send what fits; whether that was all. Raises: OSError."""
    try:
        sent = connection.sock.send(rest)
    except BlockingIOError:
        sent = 0
    if sent == len(rest):
        return True
    connection.can_send = False
    connection.send_rest = rest[sent:]
    return False


def send_file_rest(connection: Connection, rest: FileRest) -> bool:
    """Send what fits, at most SENDFILE_BYTES_MAX; whether that was all (or the file ended early).

    Where it was not, `can_send` tells whether the socket would take more. Raises: OSError.
    """
    budget_bytes = SENDFILE_BYTES_MAX
    while rest.length > 0 and budget_bytes > 0:
        length = min(rest.length, budget_bytes)
        try:
            sent = os.sendfile(connection.sock.fileno(), rest.fd, rest.offset, length)
        except BlockingIOError:
            connection.can_send = False
            return False
        if sent == 0:
            return True
        rest.advance(sent)
        budget_bytes -= sent
    return rest.length == 0


def begin_connect(address: Address, options: SocketOptions = NO_OPTIONS) -> tuple[socket.SocketType, bool]:
    """A socket on its way to `address`, and whether it is there already. Raises: OSError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if options is not NO_OPTIONS:
            set_option(sock, options)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except OSError:
        sock.close()
        raise
    return sock, code == 0


def check_connected(sock: socket.SocketType) -> None:
    """Learn how connecting went. Raises: OSError (ConnectionRefusedError and its kin)."""
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code != 0:
        raise OSError(code, os.strerror(code))
