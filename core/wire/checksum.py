"""The Internet checksum and the pseudo-header that TCP and ICMPv6 put before it.

Source: RFC 1071, RFC 9293 3.1, RFC 8200 8.1.
"""

import struct


def checksum(octets: bytes) -> int:
    """The complement of the ones' complement sum of 16-bit words; 0 over octets that hold a right one."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """What is summed before the upper layer's `length` octets.

    The layout is that of IPv6; over IPv4 the fields are narrower and in another order, but they sum to the
    same.
    """
    return source + destination + struct.pack("!IxxxB", length, protocol)
