"""The IPv6 header and the extension headers that may stand before TCP.

Source: RFC 8200 3 and 4; RFC 5095 for routing headers.
"""

import struct
from typing import Final

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.ip import LENGTH_MAX, PROTOCOL_TCP, TTL, IpPacket

HEADER_BYTES: Final = 40
EXTENSION_HEADERS_MAX: Final = 8
"""A hop-by-hop, routing and destination header, twice over; more is an attack on our time."""

ECN_SHIFT: Final = 20
"""Where the ECN field, the low bits of the traffic class, stands in the first word. Source: RFC 3168 5."""

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
DESTINATION_OPTIONS: Final = 60
EXTENSIONS: Final = frozenset((HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS))


def parse_ipv6(packet: bytes) -> IpPacket | DropReason:
    """The packet without its header and extension headers."""
    if len(packet) < HEADER_BYTES:
        return DropReason.IP_TOO_SHORT
    payload_bytes, next_header = struct.unpack_from("!HB", packet, 4)
    end = HEADER_BYTES + payload_bytes
    if end > len(packet):
        return DropReason.IP_TOO_SHORT
    found = _skip_extensions(packet[HEADER_BYTES:end], next_header)
    if isinstance(found, DropReason):
        return found
    protocol, body = found
    (first,) = struct.unpack_from("!I", packet)
    return IpPacket(packet[8:24], packet[24:40], protocol, body, first >> ECN_SHIFT & 3)


def _skip_extensions(body: bytes, next_header: int) -> tuple[int, bytes] | DropReason:
    headers = 0
    while next_header in EXTENSIONS:
        # RFC 8200 4.1: hop-by-hop options come first or not at all.
        if headers == EXTENSION_HEADERS_MAX or (next_header == HOP_BY_HOP and headers) or len(body) < 8:
            return DropReason.IP_BAD_HEADER
        length = (body[1] + 1) * 8
        # RFC 8200 4.4: with segments left the packet is not yet where it is going; RFC 5095 refuses such for
        # hosts.
        if length > len(body) or (next_header == ROUTING and body[3]):
            return DropReason.IP_BAD_HEADER
        next_header, body = body[0], body[length:]
        headers += 1
    return DropReason.IP_FRAGMENT if next_header == FRAGMENT else (next_header, body)


def build_ipv6(
    source: bytes, destination: bytes, body: bytes, protocol: int = PROTOCOL_TCP, ecn: int = 0
) -> bytes:
    """A packet without extension headers. Raises: ValueError when it would be longer than IPv6 can say."""
    if len(body) > LENGTH_MAX:
        raise ValueError(f"an IPv6 payload of {len(body)} bytes; at most {LENGTH_MAX} fit")
    first = 6 << 28 | ecn << ECN_SHIFT
    return struct.pack("!IHBB", first, len(body), protocol, TTL) + source + destination + body
