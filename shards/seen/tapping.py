"""How a worker is told to tell of its packets and connections: the name under which it is handed a socket,
and what socket.

The supervisor's part of that, which needs nothing of the TCP that is told of (`shards.worker.telling`).
"""

import errno
import os
import socket
from typing import Final

import msgspec

from gossamer.core.wire.flow import PORT_MAX, pack_address, unpack_address
from gossamer.shards.seen.connectiontable import ROWS_MAX, ConnectionsWanted

CAPTURE: Final = "capture"
"""Under this name a worker is handed a socket for it; its number follows, and an address whose packets alone
are wanted, if one is."""
TRACE: Final = "trace"
"""The same for the time-sequence graph of one connection; a worker's number, an address and a port follow."""
ROWS: Final = "rows"
"""The same for a table of connections; a worker's number, order, rows and an address follow, if one is
wanted."""


def tap_name(worker: int, peer: str) -> str:
    """What a worker is handed a socket under; the peer "" is every one. Raises: ValueError for no address."""
    return f"{CAPTURE} {worker} {unpack_address(pack_address(peer)) if peer else ''}".rstrip()


def trace_name(worker: int, peer: str, port: int) -> str:
    """The same for the time-sequence graph of a connection with that peer. Raises: ValueError."""
    if not 0 < port <= PORT_MAX:
        raise ValueError(f"found port {port}; allowed: 1 to {PORT_MAX}")
    return f"{TRACE} {worker} {unpack_address(pack_address(peer))} {port}"


def rows_name(worker: int, wanted: ConnectionsWanted) -> str:
    """The same for a table of connections. Raises: ValueError."""
    if not 0 < wanted.rows_max <= ROWS_MAX:
        raise ValueError(f"found {wanted.rows_max} rows; allowed: 1 to {ROWS_MAX}")
    peer = unpack_address(pack_address(wanted.peer)) if wanted.peer else ""
    return f"{ROWS} {worker} {msgspec.structs.replace(wanted, peer=peer).encode()}"


def require_message_socket(fd: int) -> None:
    """Raises: OSError, unless it is a socket whose messages stay whole."""
    with socket.socket(fileno=os.dup(fd)) as given:
        if given.type != socket.SOCK_SEQPACKET:
            raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))
