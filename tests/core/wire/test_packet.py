"""Whole packets: what is built parses to the same, and a packet that our TCP does not take says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.ip import is_bad_address
from gossamer.core.wire.ipv4 import build_ipv4
from gossamer.core.wire.ipv6 import build_ipv6
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.segment import ACK, NO_TIMESTAMP, Segment

U32 = st.integers(0, 2**32 - 1)
PORTS = st.integers(0, 65535)
HOSTS_V4 = st.ip_addresses(v=4).filter(lambda host: not is_bad_address(host.packed)).map(str)
HOSTS_V6 = st.ip_addresses(v=6).filter(lambda host: not is_bad_address(host.packed)).map(str)
PLAIN = st.builds(
    Segment,
    seq=U32,
    ack=U32,
    flags=st.integers(0, 255).map(lambda flags: flags & ~0x20),
    window=st.integers(0, 65535),
    ts_val=U32,
    ts_ecr=U32,
    payload=st.binary(max_size=200),
)
FLOW = pack_flow(("192.0.2.1", 80), ("192.0.2.2", 1024))


@given(st.sampled_from((HOSTS_V4, HOSTS_V6)).flatmap(lambda host: st.tuples(host, PORTS, host, PORTS)), PLAIN)
def test_parse_packet__what_was_built__flow_turned_and_segment(
    sockets: tuple[str, int, str, int], segment: Segment
) -> None:
    us, peer = sockets[:2], sockets[2:]
    if us == peer:
        return
    assert parse_packet(build_packet(pack_flow(us, peer), segment)) == (pack_flow(peer, us), segment)


@given(st.binary(max_size=120), st.booleans())
def test_parse_packet__any_octets__a_value(octets: bytes, checksum_ready: bool) -> None:
    assert isinstance(parse_packet(octets, checksum_ready), (tuple, IcmpMessage, DropReason))


SOURCE, DESTINATION = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
SOURCE_V6 = bytes.fromhex("20010db8") + bytes(11) + b"\1"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(b"", DropReason.IP_TOO_SHORT, id="nothing"),
        pytest.param(b"\x55" + bytes(40), DropReason.IP_BAD_VERSION, id="version 5"),
        pytest.param(build_ipv4(SOURCE, DESTINATION, bytes(20), 17), DropReason.NOT_TCP, id="UDP"),
        pytest.param(
            build_ipv4(SOURCE, DESTINATION, bytes(20), 58), DropReason.NOT_TCP, id="ICMPv6 over IPv4"
        ),
        pytest.param(build_ipv6(SOURCE_V6, SOURCE_V6, bytes(20), 1), DropReason.NOT_TCP, id="ICMP over IPv6"),
        pytest.param(build_ipv4(bytes(4), DESTINATION, bytes(20)), DropReason.BAD_ADDRESS, id="from nowhere"),
        pytest.param(build_ipv4(SOURCE, b"\xe0\0\0\1", bytes(20)), DropReason.BAD_ADDRESS, id="to a group"),
    ],
)
def test_parse_packet__fault__its_reason(packet: bytes, reason: DropReason) -> None:
    assert parse_packet(packet) is reason


def test_build_packet__given_options__in_place_of_the_segment_s() -> None:
    segment = Segment(1, 2, ACK, 3, ts_val=7)
    found = parse_packet(build_packet(FLOW, segment, options=b"\1\1\1\1"))
    assert isinstance(found, tuple)
    assert found[1].ts_val == NO_TIMESTAMP


def test_build_packet__longer_than_ip_can_say__value_error() -> None:
    with pytest.raises(ValueError, match="at most"):
        build_packet(FLOW, Segment(1, 2, ACK, 3, payload=bytes(65520)))
