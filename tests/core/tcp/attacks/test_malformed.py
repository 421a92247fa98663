"""Packets that are not what they say: each is one counted drop at a whole host, without an answer and without
a record."""

from collections.abc import Callable

import pytest

from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.sim.fuzz.shot import Heard, Shot, packet_of
from gossamer.core.sim.network import Host, Network
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, Segment

US, THEM = ("10.0.0.2", 80), ("10.0.0.9", 4_000)
FLOW = pack_flow(THEM, US)
IPV4, TCP = 0, 20


def damaged(
    *places: tuple[int, int], options: bytes = b"", payload: int = 0, is_repaired: bool = True
) -> bytes:
    """A SYN with bytes overwritten; header checksums are right after all, unless they are not."""
    shot = Shot(flags=SYN, options=options, payload_bytes=payload, damage=places, is_repaired=is_repaired)
    return packet_of(shot, FLOW, Heard(), 0)


def land() -> bytes:
    return build_packet(pack_flow(US, US), Segment(1, 0, SYN, 1_000))


MALFORMED: dict[str, tuple[Callable[[], bytes], DropReason]] = {
    "source is destination": (land, DropReason.LAND),
    "more fragments": (lambda: damaged((IPV4 + 6, 0x20)), DropReason.IP_FRAGMENT),
    "a later fragment": (lambda: damaged((IPV4 + 7, 5)), DropReason.IP_FRAGMENT),
    "an overlapping fragment": (
        lambda: damaged((IPV4 + 6, 0x20), (IPV4 + 7, 1), payload=60),
        DropReason.IP_FRAGMENT,
    ),
    "data offset of 4": (lambda: damaged((TCP + 12, 0x40)), DropReason.TCP_BAD_OFFSET),
    "data offset over the end": (lambda: damaged((TCP + 12, 0xF0)), DropReason.TCP_BAD_OFFSET),
    "option of length 0": (lambda: damaged(options=bytes((2, 0, 0, 0))), DropReason.TCP_BAD_OPTION),
    "option of length 1": (lambda: damaged(options=bytes((3, 1, 0, 0))), DropReason.TCP_BAD_OPTION),
    "option over the header": (lambda: damaged(options=bytes((8, 10, 0, 0))), DropReason.TCP_BAD_OPTION),
    "bad TCP checksum": (lambda: damaged((TCP + 4, 77), is_repaired=False), DropReason.TCP_BAD_CHECKSUM),
    "bad IP checksum": (lambda: damaged((IPV4 + 1, 77), is_repaired=False), DropReason.IP_BAD_CHECKSUM),
    "header longer than the packet": (
        lambda: damaged((IPV4, 0x4F), is_repaired=False)[:40],
        DropReason.IP_BAD_HEADER,
    ),
    "shorter than it says": (lambda: damaged()[:-1], DropReason.IP_TOO_SHORT),
    "from a multicast address": (lambda: damaged((IPV4 + 12, 224)), DropReason.BAD_ADDRESS),
    "no packet at all": (lambda: b"", DropReason.IP_TOO_SHORT),
}


def listening() -> tuple[Network, Host]:
    network = Network()
    host = network.host(bytes((10, 0, 0, 2)))
    TcpAcceptor(host.loop, US, TcpParameters())
    network.run(for_us=1)
    return network, host


@pytest.mark.parametrize(("made", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_headers__at_a_listener__one_counted_drop_and_no_answer(
    made: Callable[[], bytes], reason: DropReason
) -> None:
    network, host = listening()
    host.source.put(made())
    network.run(for_us=1_000)
    drops = {name: count for name, count in host.statistics.items() if name.startswith("drop_") and count}
    assert drops == {f"drop_{reason.name.lower()}": 1}
    assert not network.seen
    assert not host.loop.open_connections


SCALED = {"window scale of 15": bytes((3, 3, 15, 1)), "window scale of 255": bytes((3, 3, 255, 1))}


@pytest.mark.parametrize("options", SCALED.values(), ids=SCALED.keys())
def test_malformed_headers__window_scale_over_14__taken_for_14(options: bytes) -> None:
    """RFC 7323 2.3."""
    network, host = listening()
    host.source.put(damaged(options=options))
    network.run(for_us=1)
    (connection,) = host.loop.open_connections
    assert connection.tcb is not None
    assert connection.tcb.agreed.snd_wind_shift == 14


@pytest.mark.parametrize("flags", range(64))
def test_odd_flags__at_a_closed_port_and_at_a_listener__at_most_one_answer(flags: int) -> None:
    """NULL, Xmas, SYN+FIN and all others: RFC 9293 3.10.7.1 and 3.10.7.2; a RST is never answered."""
    for port in (80, 81):
        network, host = listening()
        flow = pack_flow(THEM, ("10.0.0.2", port))
        host.source.put(packet_of(Shot(flags=flags), flow, Heard(), 0))
        network.run(for_us=1_000)
        assert len(network.seen) <= (0 if flags & RST else 1)
        is_opened = port == 80 and flags & (SYN | ACK | RST | FIN) == SYN
        assert len(host.loop.open_connections) == is_opened
        counted = host.statistics[f"drop_{SegmentDrop.NO_CONNECTION.name.lower()}"]
        assert counted == (port == 81)
