"""Room of a socket for what waits in it, as large as this process may have it.

Owns the two ways to ask: the one that only the first user namespace's CAP_NET_ADMIN allows, and the one that
net.core.rmem_max and wmem_max bound.

Source: socket(7), SO_RCVBUFFORCE, SO_SNDBUFFORCE.
"""

import socket
from typing import Final

SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33
DOUBLED: Final = 2
"""The kernel takes as much again for its own records, and says the sum."""


def enlarge_send_buffer(sock: socket.socket, size_bytes: int) -> None:
    """Have room for so much, or as much as is allowed. Raises: OSError."""
    _enlarge(sock, SO_SNDBUFFORCE, socket.SO_SNDBUF, size_bytes)


def enlarge_receive_buffer(sock: socket.socket, size_bytes: int) -> None:
    """The same of what comes. Raises: OSError."""
    _enlarge(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF, size_bytes)


def _enlarge(sock: socket.socket, by_force: int, as_allowed: int, size_bytes: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, by_force, size_bytes)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, as_allowed, size_bytes)


def receive_buffer_bytes(sock: socket.socket) -> int:
    """For how much there is room."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // DOUBLED
