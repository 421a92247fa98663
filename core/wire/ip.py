"""What IPv4 and IPv6 have in common: a packet whose header was found good, and the addresses refused in
either.

Source: RFC 9293 3.9.2.3 (MUST-57, MUST-63), RFC 1122 3.2.1.3, RFC 4291 2.5.5.2.
"""

from typing import Final

import msgspec

from gossamer.core.wire.flow import MAPPED_PREFIX

PROTOCOL_ICMP: Final = 1
PROTOCOL_TCP: Final = 6
PROTOCOL_ICMPV6: Final = 58

TTL: Final = 64
"""Time to live and hop limit of what we send."""
LENGTH_MAX: Final = 65535

UNREACHABLE_V4: Final = (bytes(4), b"\xff" * 4)


class IpPacket(msgspec.Struct, frozen=True, gc=False):
    """A packet without its IP header; addresses have 4 or 16 octets, as they came."""

    source: bytes
    destination: bytes
    protocol: int
    body: bytes
    ecn: int = 0
    """The ECN field. Source: RFC 3168 5."""

    @property
    def is_ipv4(self) -> bool:
        """Whether it came over IPv4."""
        return len(self.source) == 4


def is_bad_address(address: bytes) -> bool:
    """Whether no TCP connection can have this address as one of its ends.

    Multicast, broadcast and unspecified; and an IPv4-mapped one on an IPv6 wire, which in a flow would be
    taken for IPv4.
    """
    if len(address) == 4:
        return address[0] >> 4 == 0xE or address in UNREACHABLE_V4
    return address[0] == 0xFF or address == bytes(16) or address.startswith(MAPPED_PREFIX)


def flow_address(address: bytes) -> bytes:
    """The 16 octets that stand for an address in a flow."""
    return address if len(address) == 16 else MAPPED_PREFIX + address


def wire_address(address: bytes) -> bytes:
    """The 4 or 16 octets on the wire of an address of a flow."""
    return address[12:] if address.startswith(MAPPED_PREFIX) else address
