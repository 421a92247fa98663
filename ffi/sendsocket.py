"""Sockets that only send: raw ones for packets, packet sockets for frames.

Owns how one is opened. What is sent through it is the sink's (`ffi.rawout`).

Source: raw(7), ipv6(7), packet(7), socket(7).
"""

import socket
from typing import Final

from gossamer.ffi.socketbuffers import enlarge_send_buffer

SEND_BUFFER_BYTES: Final = 4 << 20
"""Room of a raw socket for what the device has not taken yet: what finds none is lost."""
FRAME_BUFFER_BYTES: Final = 512 << 10
"""The same of the packet socket, whose sink holds what finds none. The kernel doubles it: 8 ms of a gigabit,
for which all else of the host that leaves there waits."""
IPV6_HDRINCL: Final = 36
IPV6_FREEBIND: Final = 78


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


def open_raw_sockets() -> tuple[socket.socket, socket.socket | None]:
    """The IPv4 and the IPv6 socket to send from; no IPv6 one where the kernel has no IPv6. Needs CAP_NET_RAW.

    Raises: PermissionError, OSError.
    """
    v4 = open_send_socket(socket.AF_INET, socket.IPPROTO_RAW, socket.IPPROTO_IP, socket.IP_HDRINCL)
    try:
        v6 = open_send_socket(socket.AF_INET6, socket.IPPROTO_RAW, socket.IPPROTO_IPV6, IPV6_HDRINCL)
    except PermissionError:
        v4.close()
        raise
    except OSError:
        return v4, None
    # IPv4 lets whoever writes the header name any source to route by. IPv6 has to be asked for it, or an
    # address that was taken away while its connections live would be an error of each packet.
    v6.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    return v4, v6
