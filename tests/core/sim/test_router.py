"""Packets that a router makes or breaks."""

from random import Random

from gossamer.core.sim.router import fragmentation_needed, is_pure_ack, spoiled
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.segment import ACK, FIN, SYN, Segment

FLOW = pack_flow(("10.0.0.2", 80), ("10.0.0.1", 50_001))
"""Seen from 10.0.0.1."""


def packet(flags: int = ACK, payload: bytes = b"") -> bytes:
    return build_packet(FLOW, Segment(0xFEED_BEEF, 1, flags, 100, 7, 8, payload))


def test_fragmentation_needed__is_an_error_about_the_flow_with_seq_and_mtu() -> None:
    error = parse_packet(fragmentation_needed(packet(payload=b"x" * 1_400), 1_280))
    assert isinstance(error, IcmpMessage)
    assert (error.flow, error.kind, error.code) == (FLOW, 3, 4)
    assert (error.seq, error.mtu) == (0xFEED_BEEF, 1_280)


def test_spoiled__every_wrong_bit__is_a_drop() -> None:
    random, good = Random(1), packet(payload=b"some octets")
    for _ in range(500):
        assert isinstance(parse_packet(spoiled(good, random)), DropReason)


def test_pure_ack__has_no_text_and_no_syn_or_fin() -> None:
    assert is_pure_ack(packet())
    assert not is_pure_ack(packet(payload=b"x"))
    assert not is_pure_ack(packet(ACK | FIN))
    assert not is_pure_ack(packet(SYN))
