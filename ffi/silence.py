"""A socket that stands in the kernel's tables and hears nothing: all that comes for it is dropped in silence.

Owns the filter that does it, one instruction of classic BPF. A listening socket with it keeps the kernel's
TCP from answering on a port that somebody else serves: neither a SYN-ACK nor a RST leaves, and nothing waits
in a backlog. Source: socket(7), SO_ATTACH_FILTER and SO_LOCK_FILTER; linux/filter.h.
"""

import array
import socket
import struct
from typing import Final

SO_ATTACH_FILTER: Final = 26
SO_LOCK_FILTER: Final = 44

BPF_RET_K: Final = 0x06
RETURN_NOTHING: Final = struct.pack("=HBBI", BPF_RET_K, 0, 0, 0)
"""struct sock_filter: keep 0 octets of the packet, which is to drop it."""


def drop_all_received(deaf: socket.socket) -> None:
    """Have the kernel drop whatever comes for the socket, for good: do it before the socket listens.

    Raises: OSError.
    """
    program = array.array("B", RETURN_NOTHING)
    address, _ = program.buffer_info()
    # struct sock_fprog: how many instructions, and where they stand.
    deaf.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, address))
    deaf.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
