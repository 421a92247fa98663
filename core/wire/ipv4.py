"""The IPv4 header.

Source: RFC 791 3.1; RFC 6864 4.1 for the identification of what is never fragmented.
"""

import struct
from typing import Final

from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.ip import LENGTH_MAX, PROTOCOL_TCP, TTL, IpPacket

HEADER_BYTES: Final = 20
DONT_FRAGMENT: Final = 0x4000
FRAGMENT_MASK: Final = 0x3FFF
"""More fragments, and the offset."""
ECN_MASK: Final = 0x03
"""The low bits of what RFC 791 calls the type of service. Source: RFC 3168 5."""


def parse_ipv4(packet: bytes) -> IpPacket | DropReason:
    """The packet without its header. Octets behind the total length are not part of it (RFC 894: padding)."""
    if len(packet) < HEADER_BYTES:
        return DropReason.IP_TOO_SHORT
    header_bytes = (packet[0] & 0x0F) * 4
    total_bytes, fragment = struct.unpack_from("!HxxH", packet, 2)
    if not HEADER_BYTES <= header_bytes <= len(packet):
        return DropReason.IP_BAD_HEADER
    if total_bytes > len(packet):
        return DropReason.IP_TOO_SHORT
    if total_bytes < header_bytes:
        return DropReason.IP_BAD_HEADER
    if checksum(packet[:header_bytes]):
        return DropReason.IP_BAD_CHECKSUM
    if fragment & FRAGMENT_MASK:
        return DropReason.IP_FRAGMENT
    body, ecn = packet[header_bytes:total_bytes], packet[1] & ECN_MASK
    return IpPacket(packet[12:16], packet[16:20], packet[9], body, ecn)


def build_ipv4(
    source: bytes, destination: bytes, body: bytes, protocol: int = PROTOCOL_TCP, ecn: int = 0
) -> bytes:
    """A packet that may not be fragmented. Raises: ValueError when it would be longer than IPv4 can say."""
    total_bytes = HEADER_BYTES + len(body)
    if total_bytes > LENGTH_MAX:
        raise ValueError(f"an IPv4 packet of {total_bytes} bytes; at most {LENGTH_MAX} fit")
    before = struct.pack("!BBHHHBB", 0x45, ecn, total_bytes, 0, DONT_FRAGMENT, TTL, protocol)
    header_sum = checksum(before + source + destination)
    return before + header_sum.to_bytes(2, "big") + source + destination + body
