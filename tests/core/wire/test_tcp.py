"""The TCP header: one packet octet by octet, and each fault."""

import pytest

from gossamer.core.records import replace
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.ip import IpPacket
from gossamer.core.wire.segment import ACK, AE, PSH, SYN, URG, Segment, SynOptions
from gossamer.core.wire.tcp import build_tcp, parse_tcp

US, PEER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
PORTS = (80).to_bytes(2, "big") + (1024).to_bytes(2, "big")
SEGMENT = Segment(0x01020304, 0x05060708, ACK | PSH, 0x1000, payload=b"hi")


def arrived(body: bytes, source: bytes = US, destination: bytes = PEER) -> IpPacket:
    return IpPacket(source, destination, 6, body)


def summed_again(body: bytes, at: int, octets: bytes) -> bytes:
    """The body with some octets replaced, and the checksum put right by its difference (RFC 1624)."""
    changed = bytearray(body)
    changed[at : at + len(octets)] = octets
    before, after = (
        sum(int.from_bytes(b[i : i + 2], "big") for i in range(0, 20, 2)) for b in (body, changed)
    )
    total = (~int.from_bytes(changed[16:18], "big") & 0xFFFF) + after - before
    changed[16:18] = (~(total % 0xFFFF) & 0xFFFF).to_bytes(2, "big")
    return bytes(changed)


def test_build_tcp__header__as_rfc9293_draws_it() -> None:
    body = build_tcp(US, PEER, PORTS, SEGMENT)
    assert body[:16].hex(" ", 4) == "00500400 01020304 05060708 50181000"
    assert body[18:] == b"\0\0hi"


def test_parse_tcp__what_was_built__flow_from_the_receiver_s_side() -> None:
    found = parse_tcp(arrived(build_tcp(US, PEER, PORTS, SEGMENT)))
    assert found == (pack_flow(("192.0.2.2", 1024), ("192.0.2.1", 80)), SEGMENT)


def test_parse_tcp__urgent_pointer_without_urg__ignored() -> None:
    body = build_tcp(US, PEER, PORTS, Segment(1, 2, ACK, 3, urgent=9))
    found = parse_tcp(arrived(body))
    assert isinstance(found, tuple)
    assert found[1].urgent == 0


def test_parse_tcp__urg__pointer_as_it_came() -> None:
    segment = Segment(1, 2, ACK | URG, 3, urgent=9)
    assert parse_tcp(arrived(build_tcp(US, PEER, PORTS, segment))) == (
        pack_flow(("192.0.2.2", 1024), ("192.0.2.1", 80)),
        segment,
    )


def test_parse_tcp__reserved_bits__ignored() -> None:
    body = build_tcp(US, PEER, PORTS, SEGMENT)
    found = parse_tcp(arrived(summed_again(body, 12, bytes((0x5E,)))))
    assert isinstance(found, tuple)
    assert found[1] == SEGMENT


def test_parse_tcp__accurate_ecn__read_and_written() -> None:
    """RFC 9768 3.1: the bit below the reserved ones."""
    marked = replace(SEGMENT, flags=SEGMENT.flags | AE)
    body = build_tcp(US, PEER, PORTS, marked)
    assert body[12] & 1
    found = parse_tcp(arrived(body))
    assert isinstance(found, tuple)
    assert found[1] == marked


def test_parse_tcp__checksum_not_ready__not_looked_at() -> None:
    body = build_tcp(US, PEER, PORTS, SEGMENT)
    unready = body[:16] + b"\x12\x34" + body[18:]
    assert parse_tcp(arrived(unready)) is DropReason.TCP_BAD_CHECKSUM
    assert isinstance(parse_tcp(arrived(unready), checksum_ready=False), tuple)


BODY = build_tcp(US, PEER, PORTS, SEGMENT)
SYN_BODY = build_tcp(US, PEER, PORTS, Segment(1, 0, SYN, 1, syn_options=SynOptions(mss=1460)))


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(arrived(BODY[:19]), DropReason.TCP_TOO_SHORT, id="shorter than a header"),
        pytest.param(
            arrived(summed_again(BODY, 12, b"\x40")), DropReason.TCP_BAD_OFFSET, id="offset of 4 words"
        ),
        pytest.param(
            arrived(summed_again(BODY, 12, b"\xf0")), DropReason.TCP_BAD_OFFSET, id="offset over the segment"
        ),
        pytest.param(arrived(BODY[:-1] + b"j"), DropReason.TCP_BAD_CHECKSUM, id="one bit of payload"),
        pytest.param(arrived(BODY, US, US), DropReason.TCP_BAD_CHECKSUM, id="other addresses than summed"),
        pytest.param(
            arrived(build_tcp(US, US, PORTS[:2] * 2, SEGMENT), US, US),
            DropReason.LAND,
            id="from itself to itself",
        ),
        pytest.param(
            arrived(build_tcp(US, PEER, PORTS, SEGMENT, options=b"\x02\x00\x01\x01")),
            DropReason.TCP_BAD_OPTION,
            id="option of length 0",
        ),
    ],
)
def test_parse_tcp__fault__its_reason(packet: IpPacket, reason: DropReason) -> None:
    assert parse_tcp(packet) is reason


def test_parse_tcp__both_ends_on_one_address__is_no_land_attack() -> None:
    assert isinstance(parse_tcp(arrived(build_tcp(US, US, PORTS, SEGMENT), US, US)), tuple)


def test_parse_tcp__syn__its_options() -> None:
    found = parse_tcp(arrived(SYN_BODY))
    assert isinstance(found, tuple)
    assert found[1].syn_options == SynOptions(mss=1460)
