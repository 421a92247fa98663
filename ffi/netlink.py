"""Messages of netlink and their attributes, as octets.

Owns the framing that all families of netlink share; what a message asks or says stands in `ffi.rtnetlink` and
`ffi.rulesets`.

Source: netlink(7), linux/netlink.h.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

NLM_F_REQUEST: Final = 1
NLM_F_DUMP: Final = 0x300
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
SOL_NETLINK: Final = 270
NETLINK_ADD_MEMBERSHIP: Final = 1
DATAGRAM_BYTES_MAX: Final = 65_536
ANSWER_TIMEOUT_S: Final = 1.0
TYPE_MASK: Final = 0x3FFF
"""Of an attribute's type; above it are the bits for nested and for network order."""

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")


def request(kind: int, flags: int, number: int, body: bytes) -> bytes:
    """One message."""
    return _HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, number, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(octets: bytes) -> dict[int, bytes]:
    """The attributes by type, the last of each; what is cut off is left out."""
    found = {}
    while len(octets) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(octets)
        if length < _ATTRIBUTE.size or length > len(octets):
            break
        found[kind & TYPE_MASK] = octets[_ATTRIBUTE.size : length]
        octets = octets[length + -length % 4 :]
    return found


def messages(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, number, body) of each message."""
    while len(datagram) >= _HEADER.size:
        length, kind, _, number, _ = _HEADER.unpack_from(datagram)
        if length < _HEADER.size or length > len(datagram):
            break
        yield kind, number, datagram[_HEADER.size : length]
        datagram = datagram[length + -length % 4 :]


def dump(family: int, kind: int, body: bytes, flags: int = NLM_F_DUMP) -> Iterator[bytes]:
    """The bodies of all that there is, or of what else the flags ask for; who stops early costs the kernel
    nothing more. Raises: OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as netlink:
        netlink.bind((0, 0))
        netlink.settimeout(ANSWER_TIMEOUT_S)
        netlink.send(request(kind, flags, 1, body))
        while True:
            for found, _, content in messages(netlink.recv(DATAGRAM_BYTES_MAX)):
                if found == NLMSG_DONE:
                    return
                if found == NLMSG_ERROR:
                    raise refusal(content)
                yield content


def refusal(content: bytes) -> OSError:
    """What the kernel says in a message of the type NLMSG_ERROR."""
    code = -_ERROR.unpack_from(content)[0] or errno.EPROTO
    return OSError(code, os.strerror(code))
