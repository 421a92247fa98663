"""The TCP header.

Owns the way from an IP packet's body to a Segment and back, with the checksum over both.

Source: RFC 9293 3.1.
"""

import struct
from typing import Final

from gossamer.core.wire.checksum import checksum, pseudo_header
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.ip import PROTOCOL_TCP, IpPacket, flow_address
from gossamer.core.wire.options import decode_options, encode_options
from gossamer.core.wire.segment import SYN, URG, Segment
from gossamer.core.wire.text import octets_of

HEADER_BYTES: Final = 20
_HEADER: Final = struct.Struct("!HHIIBBHHH")


def parse_tcp(packet: IpPacket, checksum_ready: bool = True) -> tuple[Flow, Segment] | DropReason:
    """The flow and the segment, or why there is none."""
    body = packet.body
    if len(body) < HEADER_BYTES:
        return DropReason.TCP_TOO_SHORT
    header_bytes = (body[12] >> 4) * 4
    if not HEADER_BYTES <= header_bytes <= len(body):
        return DropReason.TCP_BAD_OFFSET
    pseudo = pseudo_header(packet.source, packet.destination, PROTOCOL_TCP, len(body))
    if checksum_ready and checksum(pseudo + body):
        return DropReason.TCP_BAD_CHECKSUM
    if packet.source == packet.destination and body[:2] == body[2:4]:
        return DropReason.LAND
    segment = _read_segment(body, header_bytes, packet.ecn)
    if segment is None:
        return DropReason.TCP_BAD_OPTION
    return flow_address(packet.source) + flow_address(packet.destination) + body[:4], segment


def _read_segment(body: bytes, header_bytes: int, ecn: int) -> Segment | None:
    _, _, seq, ack, offset, flags, window, _, urgent = _HEADER.unpack_from(body)
    flags |= (offset & 1) << 8
    options = decode_options(body[HEADER_BYTES:header_bytes], bool(flags & SYN))
    if options is None:
        return None
    return Segment(
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        ts_val=options.ts_val,
        ts_ecr=options.ts_ecr,
        payload=body[header_bytes:],
        sack=options.sack,
        ecn_bytes=options.ecn_bytes,
        syn_options=options.syn_options,
        urgent=urgent if flags & URG else 0,
        ecn=ecn,
        user_timeout_s=options.user_timeout_s,
    )


def build_tcp(
    source: bytes, destination: bytes, ports: bytes, segment: Segment, options: bytes | None = None
) -> bytes:
    """Header, options and payload with their checksum; `ports` are ours and the peer's, two octets each.

    `options`, when given, stand in place of those that the segment names.
    """
    octets = encode_options(segment) if options is None else options
    offset = (HEADER_BYTES + len(octets)) // 4 << 4
    # AE is the lowest bit of the octet that holds the data offset.
    flags = offset << 8 | segment.flags
    numbers = struct.pack("!IIHH", segment.seq, segment.ack, flags, segment.window)
    before, behind = ports + numbers, struct.pack("!H", segment.urgent) + octets + octets_of(segment.payload)
    length = len(before) + 2 + len(behind)
    total = checksum(pseudo_header(source, destination, PROTOCOL_TCP, length) + before + b"\0\0" + behind)
    return before + total.to_bytes(2, "big") + behind
