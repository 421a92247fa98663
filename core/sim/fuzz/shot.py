"""One packet of an attacker, described by how it differs from the packet that would be right just then.

Numbers are relative to what the victim last said on the flow, so that a volley means the same whatever the
victim's initial sequence numbers are. Damage comes last: bytes overwritten, the end cut off, header checksums
made right again or not.
"""

import struct
from typing import Final

import msgspec

from gossamer.core.seq import MASK
from gossamer.core.wire.checksum import checksum, pseudo_header
from gossamer.core.wire.flow import Flow, is_ipv4
from gossamer.core.wire.icmp import V4_UNREACHABLE, V6_PACKET_TOO_BIG
from gossamer.core.wire.ip import PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, wire_address
from gossamer.core.wire.ipv4 import build_ipv4
from gossamer.core.wire.ipv6 import build_ipv6
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import ACK, SYN, Segment

IPV4_SUM, TCP_SUM = slice(10, 12), slice(16, 18)
PAYLOAD: Final = bytes(range(256)) * 257


class Shot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A packet, and the wait before it."""

    wait_us: int = 0
    port: int = 80
    """The victim's port."""
    peer_port: int = 40_000
    is_ipv6: bool = False
    flags: int = ACK
    seq: int = 0
    """From what the victim expects next."""
    ack: int = 0
    """From the end of what the victim has sent."""
    window: int = 65_535
    ts: int | None = None
    """From the attacker's clock in milliseconds; None: no timestamps."""
    echo: int = 0
    """From the victim's latest timestamp."""
    sack: tuple[tuple[int, int], ...] = ()
    """Blocks, from the end of what the victim has sent."""
    options: bytes = b""
    """Octets of further options, as they are."""
    payload_bytes: int = 0
    urgent: int = 0
    ecn: int = 0
    icmp: tuple[int, int, int] | None = None
    """Type, code and MTU of an ICMP error that quotes the victim's latest packet instead of all this."""
    damage: tuple[tuple[int, int], ...] = ()
    """(place, value) of bytes overwritten."""
    cut_bytes: int = 0
    """Taken off the end."""
    is_repaired: bool = True
    """Whether header checksums are right after all."""


class Heard(msgspec.Struct, frozen=True):
    """What the victim last said on a flow."""

    seq_end: int = 0
    ack: int = 1_000
    """The attacker's own ISS before there was anything."""
    ts_val: int = 0
    packet: bytes = b""


def packet_of(shot: Shot, flow: Flow, heard: Heard, now_us: int) -> bytes:
    """The bytes of a shot; `flow` is the attacker's view of it."""
    if shot.icmp is not None:
        packet = _icmp(shot.icmp, flow, heard)
    else:
        packet = build_packet(flow, _segment(shot, heard), _options(shot, heard, now_us))
    return _damaged(packet, shot)


def _segment(shot: Shot, heard: Heard) -> Segment:
    return Segment(
        seq=(heard.ack + shot.seq) & MASK,
        ack=(heard.seq_end + shot.ack) & MASK,
        flags=shot.flags & 0xFF,
        window=shot.window & 0xFFFF,
        payload=PAYLOAD[: shot.payload_bytes],
        urgent=shot.urgent & 0xFFFF,
        ecn=shot.ecn & 3,
    )


def _options(shot: Shot, heard: Heard, now_us: int) -> bytes:
    octets = shot.options
    if shot.ts is not None:
        ts_val, ts_ecr = (now_us // 1000 + shot.ts) & MASK, (heard.ts_val + shot.echo) & MASK
        octets = struct.pack("!BBBBII", 1, 1, 8, 10, ts_val, ts_ecr) + octets
    if shot.sack:
        edges = [(heard.seq_end + edge) & MASK for block in shot.sack[:4] for edge in block]
        octets += struct.pack(f"!BBBB{len(edges)}I", 1, 1, 5, 2 + 4 * len(edges), *edges)
    octets = octets[:40]
    return octets + bytes(-len(octets) % 4)


def _icmp(error: tuple[int, int, int], flow: Flow, heard: Heard) -> bytes:
    """An ICMP error from somewhere on the way, about the victim's latest packet."""
    kind, code, mtu = error
    source, destination = wire_address(flow[16:32]), wire_address(flow[:16])
    rest = struct.pack("!I", mtu & MASK) if not is_ipv4(flow) else struct.pack("!HH", 0, mtu & 0xFFFF)
    quoted = heard.packet[: 28 if is_ipv4(flow) else 48]
    if is_ipv4(flow):
        body = bytes((kind & 0xFF, code & 0xFF))
        total = checksum(body + bytes(2) + rest + quoted)
        return build_ipv4(source, destination, body + total.to_bytes(2, "big") + rest + quoted, PROTOCOL_ICMP)
    kind = V6_PACKET_TOO_BIG if kind == V4_UNREACHABLE else kind
    body = bytes((kind & 0xFF, code & 0xFF))
    length = 4 + len(rest) + len(quoted)
    total = checksum(
        pseudo_header(source, destination, PROTOCOL_ICMPV6, length) + body + bytes(2) + rest + quoted
    )
    return build_ipv6(source, destination, body + total.to_bytes(2, "big") + rest + quoted, PROTOCOL_ICMPV6)


def _damaged(packet: bytes, shot: Shot) -> bytes:
    if not shot.damage and not shot.cut_bytes:
        return packet
    octets = bytearray(packet)
    for place, value in shot.damage:
        octets[place % len(octets)] = value & 0xFF
    del octets[max(len(octets) - shot.cut_bytes, 0) :]
    return _repaired(octets) if shot.is_repaired else bytes(octets)


def _repaired(octets: bytearray) -> bytes:
    """IPv4's length and checksum and TCP's made right, where there is a header to put them into."""
    if len(octets) < 40 or octets[0] != 0x45:
        return bytes(octets)
    octets[2:4] = len(octets).to_bytes(2, "big")
    octets[IPV4_SUM] = bytes(2)
    octets[IPV4_SUM] = checksum(bytes(octets[:20])).to_bytes(2, "big")
    if octets[9] == PROTOCOL_TCP:
        body = octets[20:]
        body[TCP_SUM] = bytes(2)
        pseudo = pseudo_header(bytes(octets[12:16]), bytes(octets[16:20]), PROTOCOL_TCP, len(body))
        body[TCP_SUM] = checksum(pseudo + bytes(body)).to_bytes(2, "big")
        octets[20:] = body
    return bytes(octets)


def after_answer(heard: Heard, segment: Segment, packet: bytes) -> Heard:
    """What the attacker knows once it has seen an answer."""
    length = len(segment.payload) + bin(segment.flags & (SYN | 1)).count("1")
    return Heard(
        seq_end=(segment.seq + length) & MASK,
        ack=segment.ack if segment.flags & ACK else heard.ack,
        ts_val=max(segment.ts_val, 0),
        packet=packet,
    )
