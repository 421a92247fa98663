"""What stands between two hosts and sees packets: what it does to one that is too big, and a wrong bit.

Owns the packets that a router makes of those that it may not pass on. IPv4 only, as the virtual network is.

Source: RFC 792, RFC 1191 4.
"""

import struct
from random import Random
from typing import Final

from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.icmp import (
    QUOTED_TCP_BYTES,
    V4_FRAGMENTATION_NEEDED_CODE,
    V4_UNREACHABLE,
)
from gossamer.core.wire.ip import PROTOCOL_ICMP
from gossamer.core.wire.ipv4 import HEADER_BYTES, build_ipv4

ADDRESS: Final = bytes((198, 51, 100, 1))


def fragmentation_needed(packet: bytes, mtu_bytes: int) -> bytes:
    """The answer to the sender of a packet that may not be fragmented and does not fit the next hop.

    Source: RFC 1191 4: the next hop's MTU in the low 16 bits of what RFC 792 leaves unused, then the IP
    header and 64 bits of what it carried.
    """
    quoted = packet[: HEADER_BYTES + QUOTED_TCP_BYTES]
    message = struct.pack("!BBHHH", V4_UNREACHABLE, V4_FRAGMENTATION_NEEDED_CODE, 0, 0, mtu_bytes) + quoted
    body = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    return build_ipv4(ADDRESS, packet[12:16], body, PROTOCOL_ICMP)


def spoiled(packet: bytes, random: Random) -> bytes:
    """The packet with one wrong bit behind its IP header, whose own checksum every router looks at."""
    position = random.randrange(HEADER_BYTES * 8, len(packet) * 8)
    octet = packet[position // 8] ^ (1 << position % 8)
    return packet[: position // 8] + bytes((octet,)) + packet[position // 8 + 1 :]


def is_pure_ack(packet: bytes) -> bool:
    """Whether a packet of ours has a TCP header, no SYN or FIN, and nothing behind it."""
    return len(packet) == HEADER_BYTES + (packet[32] >> 4) * 4 and not packet[33] & 0x03
