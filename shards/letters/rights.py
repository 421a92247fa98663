"""Descriptors that go along with octets, over a socket between processes of a server.

Owns how: in one message each, never waited for longer than the socket itself would, and not left to programs
that a receiver executes. `socket.send_fds` and `recv_fds` drop the flags that they are given before Python
3.13.

Source: unix(7), SCM_RIGHTS; recvmsg(2), MSG_CMSG_CLOEXEC.
"""

import socket
from array import array
from collections.abc import Sequence
from typing import Final

DESCRIPTORS_MAX: Final = 253
"""SCM_MAX_FD of the kernel: so many go with one message."""
FD_BYTES: Final = array("i").itemsize


def send_rights(
    channel: socket.socket, octets: bytes | memoryview, descriptors: Sequence[int] = (), flags: int = 0
) -> int:
    """How many octets went, with all of the descriptors. Raises: OSError."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
    return channel.sendmsg([octets], rights, flags)


def receive_rights(
    channel: socket.socket, bytes_max: int, descriptors_max: int, flags: int = 0
) -> tuple[bytes, list[int], bool]:
    """What came, the descriptors with it, and whether some found no room in this process. Raises: OSError."""
    room = socket.CMSG_SPACE(FD_BYTES * descriptors_max)
    octets, rights, said, _ = channel.recvmsg(bytes_max, room, flags | socket.MSG_CMSG_CLOEXEC)
    descriptors = [fd for _, _, data in rights for fd in array("i", data[: len(data) // FD_BYTES * FD_BYTES])]
    return octets, descriptors, bool(said & socket.MSG_CTRUNC)
