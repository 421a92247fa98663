"""The blocks of a pcapng file: packets of IP without a link header, each with its direction and a comment.

Source: IETF draft-ietf-opsawg-pcapng, "PCAP Next Generation (pcapng) Capture File Format".
"""

import struct
from typing import Final

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
ENHANCED_PACKET: Final = 6
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
LINKTYPE_RAW: Final = 101
"""Packets begin with their IP header, of version 4 or 6."""
END_OF_OPTIONS: Final = b"\x00\x00\x00\x00"
COMMENT: Final = 1
FLAGS: Final = 2
APPLICATION: Final = 4
NAME: Final = 2
INBOUND: Final = 1
OUTBOUND: Final = 2


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def file_head(interfaces: list[str], application: str) -> bytes:
    """A section, and an interface of each name; packets name theirs by its place."""
    section = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)
    head = _block(SECTION_HEADER, section + _option(APPLICATION, application.encode()) + END_OF_OPTIONS)
    described = struct.pack("<HHI", LINKTYPE_RAW, 0, 0)
    return head + b"".join(
        _block(INTERFACE_DESCRIPTION, described + _option(NAME, name.encode()) + END_OF_OPTIONS)
        for name in interfaces
    )


def packet_block(interface: int, wall_us: int, packet: bytes, comment: str, *, is_out: bool) -> bytes:
    """One packet. Units: microseconds since 1970."""
    size = len(packet)
    fixed = struct.pack("<IIIII", interface, wall_us >> 32, wall_us & 0xFFFFFFFF, size, size)
    options = _option(COMMENT, comment.encode()) if comment else b""
    options += _option(FLAGS, struct.pack("<I", OUTBOUND if is_out else INBOUND))
    return _block(ENHANCED_PACKET, fixed + _padded(packet) + options + END_OF_OPTIONS)
