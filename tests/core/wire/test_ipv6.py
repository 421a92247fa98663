"""The IPv6 header and the extension headers before TCP."""

import pytest

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.ip import IpPacket
from gossamer.core.wire.ipv6 import EXTENSION_HEADERS_MAX, build_ipv6, parse_ipv6

SOURCE, DESTINATION = (
    bytes.fromhex("20010db8" + "00" * 11 + "01"),
    bytes.fromhex("20010db8" + "00" * 11 + "02"),
)
BODY = b"twenty octets of TCP"
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS, TCP = 0, 43, 44, 60, 6


def extended(kinds: list[int], body: bytes = BODY, extension: bytes = bytes(7)) -> bytes:
    """A packet with a chain of eight-octet extension headers; `extension` is all but their first octet."""
    chain = [*kinds, TCP]
    headers = b"".join(bytes((following,)) + extension for following in chain[1:])
    return build_ipv6(SOURCE, DESTINATION, headers + body, protocol=chain[0])


def test_build_ipv6__parsed__what_was_put_in() -> None:
    assert parse_ipv6(build_ipv6(SOURCE, DESTINATION, BODY)) == IpPacket(SOURCE, DESTINATION, TCP, BODY)


def test_build_ipv6__header__as_rfc8200_draws_it() -> None:
    header = build_ipv6(SOURCE, DESTINATION, b"ab")[:40]
    assert header == bytes.fromhex("6000000000020640") + SOURCE + DESTINATION


@pytest.mark.parametrize("ecn", range(4))
def test_build_ipv6__ecn__in_the_low_bits_of_the_traffic_class(ecn: int) -> None:
    packet = build_ipv6(SOURCE, DESTINATION, BODY, ecn=ecn)
    assert packet[:2] == bytes((0x60, ecn << 4))
    labelled = bytes((0x6F, 0xC0 | ecn << 4 | 0xF)) + packet[2:]
    assert parse_ipv6(labelled) == IpPacket(SOURCE, DESTINATION, TCP, BODY, ecn)


def test_build_ipv6__too_long__value_error() -> None:
    with pytest.raises(ValueError, match="65536"):
        build_ipv6(SOURCE, DESTINATION, bytes(65536))


@pytest.mark.parametrize(
    "kinds",
    [
        [HOP_BY_HOP],
        [ROUTING],
        [DESTINATION_OPTIONS],
        [HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING, DESTINATION_OPTIONS],
        [DESTINATION_OPTIONS] * EXTENSION_HEADERS_MAX,
    ],
)
def test_parse_ipv6__extension_headers__skipped(kinds: list[int]) -> None:
    assert parse_ipv6(extended(kinds)) == IpPacket(SOURCE, DESTINATION, TCP, BODY)


def test_parse_ipv6__long_extension_header__skipped_whole() -> None:
    body = bytes((TCP, 2)) + bytes(22) + BODY
    packet = build_ipv6(SOURCE, DESTINATION, body, protocol=DESTINATION_OPTIONS)
    assert parse_ipv6(packet) == IpPacket(SOURCE, DESTINATION, TCP, BODY)


def test_parse_ipv6__octets_behind_the_payload_length__are_not_payload() -> None:
    assert parse_ipv6(build_ipv6(SOURCE, DESTINATION, BODY) + b"x") == IpPacket(
        SOURCE, DESTINATION, TCP, BODY
    )


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(extended([])[:39], DropReason.IP_TOO_SHORT, id="shorter than a header"),
        pytest.param(extended([])[:-1], DropReason.IP_TOO_SHORT, id="payload length over the packet"),
        pytest.param(extended([FRAGMENT]), DropReason.IP_FRAGMENT, id="fragment header"),
        pytest.param(extended([HOP_BY_HOP, FRAGMENT]), DropReason.IP_FRAGMENT, id="fragment behind another"),
        pytest.param(extended([ROUTING, HOP_BY_HOP]), DropReason.IP_BAD_HEADER, id="hop-by-hop not first"),
        pytest.param(
            extended([DESTINATION_OPTIONS] * (EXTENSION_HEADERS_MAX + 1)),
            DropReason.IP_BAD_HEADER,
            id="too many extension headers",
        ),
        pytest.param(
            extended([DESTINATION_OPTIONS], b"", bytes((1,)) + bytes(6)),
            DropReason.IP_BAD_HEADER,
            id="extension header over the packet",
        ),
        pytest.param(
            extended([ROUTING], extension=b"\0\0\1" + bytes(4)), DropReason.IP_BAD_HEADER, id="segments left"
        ),
        pytest.param(
            build_ipv6(SOURCE, DESTINATION, bytes(7), protocol=ROUTING),
            DropReason.IP_BAD_HEADER,
            id="extension header cut short",
        ),
    ],
)
def test_parse_ipv6__fault__its_reason(packet: bytes, reason: DropReason) -> None:
    assert parse_ipv6(packet) is reason
