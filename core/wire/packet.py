"""Whole packets: bytes to a flow and its segment, and back.

This is the reference codec: the C code of `ffi/src` does the same at speed, and property tests hold the two
equal. The simulator and tests use it; the server's hot path does not.

Source: RFC 9293 3.1, RFC 791, RFC 8200.
"""

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow, is_ipv4
from gossamer.core.wire.icmp import IcmpMessage, parse_icmp
from gossamer.core.wire.ip import (
    PROTOCOL_ICMP,
    PROTOCOL_ICMPV6,
    PROTOCOL_TCP,
    IpPacket,
    is_bad_address,
    wire_address,
)
from gossamer.core.wire.ipv4 import build_ipv4, parse_ipv4
from gossamer.core.wire.ipv6 import build_ipv6, parse_ipv6
from gossamer.core.wire.segment import Segment
from gossamer.core.wire.tcp import build_tcp, parse_tcp

Parsed = tuple[Flow, Segment] | IcmpMessage | DropReason
"""What became of a packet."""


def parse_packet(packet: bytes, checksum_ready: bool = True) -> Parsed:
    """A segment with its flow, an ICMP error about one of ours, or the reason to drop the packet.

    With checksum_ready false the upper layer's checksum is not looked at: a packet that never left this
    machine has none yet.
    """
    found = _parse_ip(packet)
    if isinstance(found, DropReason):
        return found
    if is_bad_address(found.source) or is_bad_address(found.destination):
        return DropReason.BAD_ADDRESS
    if found.protocol == PROTOCOL_TCP:
        return parse_tcp(found, checksum_ready)
    if found.protocol == (PROTOCOL_ICMP if found.is_ipv4 else PROTOCOL_ICMPV6):
        return parse_icmp(found, checksum_ready)
    return DropReason.NOT_TCP


def _parse_ip(packet: bytes) -> IpPacket | DropReason:
    if not packet:
        return DropReason.IP_TOO_SHORT
    version = packet[0] >> 4
    if version == 4:
        return parse_ipv4(packet)
    return parse_ipv6(packet) if version == 6 else DropReason.IP_BAD_VERSION


def build_packet(flow: Flow, segment: Segment, options: bytes | None = None) -> bytes:
    """The packet that carries a segment from our side of a flow to the peer's.

    Raises: ValueError when it would be longer than IP can say.
    """
    source, destination = wire_address(flow[16:32]), wire_address(flow[:16])
    body = build_tcp(source, destination, flow[34:36] + flow[32:34], segment, options)
    build_ip = build_ipv4 if is_ipv4(flow) else build_ipv6
    return build_ip(source, destination, body, ecn=segment.ecn)
