"""The IPv4 header: what is built parses, and each fault has its reason."""

from collections.abc import Callable

import pytest

from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.ip import IpPacket
from gossamer.core.wire.ipv4 import build_ipv4, parse_ipv4

SOURCE, DESTINATION = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
BODY = b"twenty octets of TCP"


def with_field(at: int, octets: bytes, packet: bytes | None = None) -> bytes:
    """A packet with some octets of its header replaced and its header checksum made right again."""
    whole = bytearray(build_ipv4(SOURCE, DESTINATION, BODY) if packet is None else packet)
    whole[at : at + len(octets)] = octets
    whole[10:12] = b"\0\0"
    header_bytes = (whole[0] & 15) * 4
    whole[10:12] = checksum(bytes(whole[:header_bytes])).to_bytes(2, "big")
    return bytes(whole)


def test_build_ipv4__parsed__what_was_put_in() -> None:
    packet = build_ipv4(SOURCE, DESTINATION, BODY)
    assert parse_ipv4(packet) == IpPacket(SOURCE, DESTINATION, 6, BODY)


def test_build_ipv4__header__as_rfc791_draws_it() -> None:
    header = build_ipv4(SOURCE, DESTINATION, b"")
    assert header.hex(" ", 4) == "45000014 00004000 4006b6e0 c0000201 c0000202"


@pytest.mark.parametrize("ecn", range(4))
def test_build_ipv4__ecn__in_the_low_bits_of_the_type_of_service(ecn: int) -> None:
    packet = build_ipv4(SOURCE, DESTINATION, BODY, ecn=ecn)
    assert packet[1] == ecn
    assert parse_ipv4(with_field(1, bytes((0xFC | ecn,)), packet)) == IpPacket(
        SOURCE, DESTINATION, 6, BODY, ecn
    )


def test_build_ipv4__too_long__value_error() -> None:
    with pytest.raises(ValueError, match="65536"):
        build_ipv4(SOURCE, DESTINATION, bytes(65516))


def test_parse_ipv4__octets_behind_the_total_length__are_not_payload() -> None:
    found = parse_ipv4(build_ipv4(SOURCE, DESTINATION, BODY) + b"padding")
    assert isinstance(found, IpPacket)
    assert found.body == BODY


def test_parse_ipv4__header_with_options__skipped() -> None:
    plain = build_ipv4(SOURCE, DESTINATION, BODY)
    longer = plain[:20] + b"\x01\x01\x01\x00" + plain[20:]
    packet = with_field(0, bytes((0x46, 0, 0, len(longer))), longer)
    assert parse_ipv4(packet) == IpPacket(SOURCE, DESTINATION, 6, BODY)


FAULTS: list[tuple[str, Callable[[], bytes], DropReason]] = [
    ("shorter than a header", lambda: with_field(0, b"")[:19], DropReason.IP_TOO_SHORT),
    ("total length over the packet", lambda: with_field(2, b"\x00\x29"), DropReason.IP_TOO_SHORT),
    ("header length of 16", lambda: with_field(0, b"\x44"), DropReason.IP_BAD_HEADER),
    ("header length over the packet", lambda: with_field(0, b"\x4f"), DropReason.IP_BAD_HEADER),
    ("total length under the header", lambda: with_field(2, b"\x00\x13"), DropReason.IP_BAD_HEADER),
    ("total length of zero", lambda: with_field(2, b"\x00\x00"), DropReason.IP_BAD_HEADER),
    (
        "checksum",
        lambda: with_field(8, b"\x40").replace(b"\x40\x06", b"\x41\x06"),
        DropReason.IP_BAD_CHECKSUM,
    ),
    ("more fragments", lambda: with_field(6, b"\x20\x00"), DropReason.IP_FRAGMENT),
    ("fragment offset", lambda: with_field(6, b"\x00\x01"), DropReason.IP_FRAGMENT),
]


@pytest.mark.parametrize(
    ("packet", "reason"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_parse_ipv4__fault__its_reason(packet: Callable[[], bytes], reason: DropReason) -> None:
    assert parse_ipv4(packet()) is reason
