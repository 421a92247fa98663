"""accept4 with SOCK_NONBLOCK: one system call where the standard library makes two.

Owns the one call, and the buffer for the peer's address, which it returns too.

Source: accept(2), ip(7), ipv6(7).
"""

import socket
import sys
from typing import Final

from gossamer.ffi._system import ffi, lib

NAME_BYTES: Final = 28
"""A sockaddr_in6; a sockaddr_in is shorter."""

IPV4_MAPPED: Final = b"\0" * 10 + b"\xff\xff"

LINK_LOCAL: Final = b"\xfe\x80"
"""Such an address means nothing without the name of its interface, which a sockaddr has as a number."""


class PeerName:
    """Room for the address of the peer that was accepted last."""

    __slots__ = ("_octets", "room")

    def __init__(self) -> None:
        self.room = ffi.new("unsigned char[]", NAME_BYTES)
        self._octets = ffi.buffer(self.room)

    def take(self) -> bytes:
        """The sockaddr, as `read_name` reads it."""
        octets: bytes = self._octets[:]
        return octets


def accept_nonblocking(fd: int, name: PeerName) -> int:
    """The descriptor of the next connection, non-blocking and closed on exec; -errno where there is none."""
    return lib.gossamer_accept(fd, name.room, NAME_BYTES)


def read_name(octets: bytes) -> tuple[str, int] | None:
    """The address and port of a sockaddr; None where the kernel has to be asked: a link-local address, or of
    another family."""
    family, port = int.from_bytes(octets[:2], sys.byteorder), int.from_bytes(octets[2:4], "big")
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, octets[4:8]), port
    if family == socket.AF_INET6 and not octets.startswith(LINK_LOCAL, 8):
        return socket.inet_ntop(socket.AF_INET6, octets[8:24]), port
    return None


def read_address(octets: bytes) -> bytes:
    """The 16 bytes of a sockaddr's address, an IPv4 one IPv4-mapped; b"" where it is of another family."""
    family = int.from_bytes(octets[:2], sys.byteorder)
    if family == socket.AF_INET:
        return IPV4_MAPPED + octets[4:8]
    return octets[8:24] if family == socket.AF_INET6 else b""
