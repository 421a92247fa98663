"""How a worker is told to tell of its packets: the name under which it is handed a socket, and what socket.

The supervisor's part of a capture, which needs nothing of the TCP that is captured (`shards.tap`).
"""

import errno
import os
import socket
from typing import Final

from gossamer.core.wire.flow import pack_address, unpack_address

CAPTURE: Final = "capture"
"""Under this name a worker is handed a socket for it; its number follows, and an address whose packets alone
are wanted, if one is."""


def tap_name(worker: int, peer: str) -> str:
    """What a worker is handed a socket under; the peer "" is every one. Raises: ValueError for no address."""
    return f"{CAPTURE} {worker} {unpack_address(pack_address(peer)) if peer else ''}".rstrip()


def require_message_socket(fd: int) -> None:
    """Raises: OSError, unless it is a socket whose messages stay whole."""
    with socket.socket(fileno=os.dup(fd)) as given:
        if given.type != socket.SOCK_SEQPACKET:
            raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))
