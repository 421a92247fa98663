"""Sockets that only send: raw ones for packets, packet sockets for frames.

Owns how one is opened. What is sent through it is the sink's (`ffi.rawout`).

Source: raw(7), packet(7), socket(7).
"""

import socket
from typing import Final

from gossamer.ffi.socketbuffers import enlarge_send_buffer

SEND_BUFFER_BYTES: Final = 4 << 20
"""Room of a raw socket for what the device has not taken yet: what finds none is lost."""
FRAME_BUFFER_BYTES: Final = 512 << 10
"""The same of the packet socket, whose sink holds what finds none. The kernel doubles it: 8 ms of a gigabit,
for which all else of the host that leaves there waits."""


def open_send_socket(
    family: int, protocol: int, level: int, option: int, buffer_bytes: int = SEND_BUFFER_BYTES
) -> socket.socket:
    """A raw socket, not blocking, with one option of its family switched on. Needs CAP_NET_RAW. `protocol` is
    one for which no packet is ever queued to be read.

    Raises: PermissionError, OSError.
    """
    sending = socket.socket(family, socket.SOCK_RAW, protocol)
    try:
        sending.setsockopt(level, option, 1)
        enlarge_send_buffer(sending, buffer_bytes)
        sending.setblocking(False)
    except BaseException:
        sending.close()
        raise
    return sending
