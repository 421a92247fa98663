"""ICMP and ICMPv6 errors about a segment that we sent.

Owns which messages are errors and how the quoted segment is found; it does not know what an error does to a
connection.

Source: RFC 792, RFC 1191 4, RFC 4443 2.4 and 3, RFC 5927.
"""

import struct
from typing import Final

import msgspec

from gossamer.core.wire.checksum import checksum, pseudo_header
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.ip import PROTOCOL_ICMPV6, PROTOCOL_TCP, IpPacket, flow_address, is_bad_address

HEADER_BYTES: Final = 8
QUOTED_TCP_BYTES: Final = 8
"""RFC 792: ports and sequence number."""

V4_UNREACHABLE: Final = 3
V4_FRAGMENTATION_NEEDED_CODE: Final = 4
V4_TIME_EXCEEDED: Final = 11
V4_PARAMETER_PROBLEM: Final = 12
V6_UNREACHABLE: Final = 1
V6_PACKET_TOO_BIG: Final = 2
V6_TIME_EXCEEDED: Final = 3
V6_PARAMETER_PROBLEM: Final = 4

# Differs: source quench is not among them; RFC 6633 3 lets TCP discard it.
V4_ERRORS: Final = frozenset((V4_UNREACHABLE, V4_TIME_EXCEEDED, V4_PARAMETER_PROBLEM))
V6_ERRORS: Final = frozenset((V6_UNREACHABLE, V6_PACKET_TOO_BIG, V6_TIME_EXCEEDED, V6_PARAMETER_PROBLEM))


class IcmpMessage(msgspec.Struct, frozen=True, gc=False):
    """An error report. `flow` is that of the quoted segment, seen from us; nothing else in it is to be
    trusted.
    """

    flow: Flow
    kind: int
    """The ICMP type."""
    code: int
    seq: int
    """The quoted sequence number."""
    mtu: int
    """Of the next hop, when the report is that the packet was too big for it and says so; else 0."""


def parse_icmp(packet: IpPacket, checksum_ready: bool = True) -> IcmpMessage | DropReason:
    """The error report, or why there is none."""
    message = packet.body
    if len(message) < HEADER_BYTES:
        return DropReason.ICMP_TOO_SHORT
    if message[0] not in (V4_ERRORS if packet.is_ipv4 else V6_ERRORS):
        return DropReason.NOT_TCP
    if checksum_ready and checksum(_summed(packet)):
        return DropReason.ICMP_BAD_CHECKSUM
    quoted = message[HEADER_BYTES:]
    reason = _quoted_fault(quoted, packet.is_ipv4)
    return reason if reason is not None else _read_error(packet, quoted)


def _summed(packet: IpPacket) -> bytes:
    if packet.is_ipv4:
        return packet.body
    return pseudo_header(packet.source, packet.destination, PROTOCOL_ICMPV6, len(packet.body)) + packet.body


def _quoted_fault(quoted: bytes, is_ipv4: bool) -> DropReason | None:
    """We send IPv4 without options and fragments, IPv6 without extension headers: no other is ours."""
    if len(quoted) < (20 if is_ipv4 else 40) + QUOTED_TCP_BYTES:
        return DropReason.ICMP_TOO_SHORT
    if is_ipv4:
        is_ours = quoted[0] == 0x45 and quoted[9] == PROTOCOL_TCP and not (quoted[6] & 0x1F or quoted[7])
    else:
        is_ours = quoted[0] >> 4 == 6 and quoted[6] == PROTOCOL_TCP
    return None if is_ours else DropReason.NOT_TCP


def _read_error(packet: IpPacket, quoted: bytes) -> IcmpMessage | DropReason:
    first, size = (12, 4) if packet.is_ipv4 else (8, 16)
    local, remote = quoted[first : first + size], quoted[first + size : first + 2 * size]
    if is_bad_address(local) or is_bad_address(remote):
        return DropReason.BAD_ADDRESS
    tcp = quoted[first + 2 * size :]
    flow = flow_address(remote) + flow_address(local) + tcp[2:4] + tcp[:2]
    kind, code = packet.body[:2]
    return IcmpMessage(flow, kind, code, int.from_bytes(tcp[4:8], "big"), _read_mtu(packet))


def _read_mtu(packet: IpPacket) -> int:
    kind, code, _, _, mtu = struct.unpack_from("!BBHHH", packet.body)
    if packet.is_ipv4:
        return int(mtu) if (kind, code) == (V4_UNREACHABLE, V4_FRAGMENTATION_NEEDED_CODE) else 0
    return int.from_bytes(packet.body[4:8], "big") if kind == V6_PACKET_TOO_BIG else 0
