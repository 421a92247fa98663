"""ICMP errors: which are taken, what is read from the quoted segment, and each fault."""

import struct

import pytest

from gossamer.core.wire.checksum import checksum, pseudo_header
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow, pack_flow
from gossamer.core.wire.icmp import IcmpMessage, parse_icmp
from gossamer.core.wire.ip import IpPacket, wire_address
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import ACK, Segment

V4 = pack_flow(("192.0.2.1", 80), ("192.0.2.2", 1024))
V6 = pack_flow(("2001:db8::1", 80), ("2001:db8::2", 1024))
SENT = Segment(0x01020304, 5, ACK, 6, payload=b"data")


def report(flow: Flow, kind: int, code: int, rest: int = 0, quoted: bytes | None = None) -> IpPacket:
    """An error from the peer of a flow about a segment that we sent on it."""
    body = build_packet(flow, SENT) if quoted is None else quoted
    source, destination = wire_address(flow[:16]), wire_address(flow[16:32])
    protocol = 1 if len(source) == 4 else 58
    message = struct.pack("!BBHI", kind, code, 0, rest) + body
    summed = message if len(source) == 4 else pseudo_header(source, destination, 58, len(message)) + message
    total = checksum(summed).to_bytes(2, "big")
    return IpPacket(source, destination, protocol, message[:2] + total + message[4:])


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(report(V4, 3, 1), IcmpMessage(V4, 3, 1, 0x01020304, 0), id="v4 host unreachable"),
        pytest.param(
            report(V4, 3, 4, 1400), IcmpMessage(V4, 3, 4, 0x01020304, 1400), id="v4 fragmentation needed"
        ),
        pytest.param(
            report(V4, 3, 1, 1400), IcmpMessage(V4, 3, 1, 0x01020304, 0), id="v4 mtu only with its code"
        ),
        pytest.param(report(V4, 11, 0), IcmpMessage(V4, 11, 0, 0x01020304, 0), id="v4 time exceeded"),
        pytest.param(report(V4, 12, 0), IcmpMessage(V4, 12, 0, 0x01020304, 0), id="v4 parameter problem"),
        pytest.param(report(V6, 1, 4), IcmpMessage(V6, 1, 4, 0x01020304, 0), id="v6 unreachable"),
        pytest.param(
            report(V6, 2, 0, 2**32 - 1), IcmpMessage(V6, 2, 0, 0x01020304, 2**32 - 1), id="v6 too big"
        ),
        pytest.param(report(V6, 3, 0), IcmpMessage(V6, 3, 0, 0x01020304, 0), id="v6 time exceeded"),
        pytest.param(
            report(V4, 3, 1, quoted=build_packet(V4, SENT)[:28]),
            IcmpMessage(V4, 3, 1, 0x01020304, 0),
            id="v4 the least that is quoted",
        ),
    ],
)
def test_parse_icmp__error_about_our_segment__read(packet: IpPacket, expected: IcmpMessage) -> None:
    assert parse_icmp(packet) == expected


SENT_V4, SENT_V6 = build_packet(V4, SENT), build_packet(V6, SENT)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(IpPacket(b"1234", b"5678", 1, bytes(7)), DropReason.ICMP_TOO_SHORT, id="no header"),
        pytest.param(
            report(V4, 3, 1, quoted=SENT_V4[:27]), DropReason.ICMP_TOO_SHORT, id="v4 quotes too little"
        ),
        pytest.param(
            report(V6, 1, 4, quoted=SENT_V6[:47]), DropReason.ICMP_TOO_SHORT, id="v6 quotes too little"
        ),
        pytest.param(report(V4, 8, 0), DropReason.NOT_TCP, id="v4 echo"),
        pytest.param(report(V4, 4, 0), DropReason.NOT_TCP, id="v4 source quench"),
        pytest.param(report(V6, 128, 0), DropReason.NOT_TCP, id="v6 echo"),
        pytest.param(report(V6, 0, 0), DropReason.NOT_TCP, id="v6 type 0"),
        pytest.param(
            report(V4, 3, 1, quoted=SENT_V4[:9] + b"\x11" + SENT_V4[10:]), DropReason.NOT_TCP, id="quotes UDP"
        ),
        pytest.param(
            report(V4, 3, 1, quoted=SENT_V4[:6] + b"\x40\x01" + SENT_V4[8:]),
            DropReason.NOT_TCP,
            id="quotes a fragment",
        ),
        pytest.param(
            report(V4, 3, 1, quoted=b"\x46" + SENT_V4[1:]),
            DropReason.NOT_TCP,
            id="quotes options we never send",
        ),
        pytest.param(
            report(V6, 1, 4, quoted=SENT_V4 + bytes(40)), DropReason.NOT_TCP, id="quotes the other family"
        ),
        pytest.param(
            report(V6, 1, 4, quoted=SENT_V6[:8] + V4[:16] + SENT_V6[24:]),
            DropReason.BAD_ADDRESS,
            id="quotes an IPv4-mapped address",
        ),
    ],
)
def test_parse_icmp__fault__its_reason(packet: IpPacket, reason: DropReason) -> None:
    assert parse_icmp(packet) is reason


@pytest.mark.parametrize("flow", [V4, V6])
def test_parse_icmp__checksum__verified_unless_not_ready(flow: Flow) -> None:
    good = report(flow, 3, 1)
    bad = IpPacket(good.source, good.destination, good.protocol, good.body + b"x")
    assert parse_icmp(bad) is DropReason.ICMP_BAD_CHECKSUM
    assert isinstance(parse_icmp(bad, checksum_ready=False), IcmpMessage)
