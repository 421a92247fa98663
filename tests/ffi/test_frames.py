"""Frames on a real link: what the peer's TCP would see, whole or cut, of either family."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gossamer.core.wire.cutting import cut
from gossamer.core.wire.flow import local_port, pack_flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.segment import ACK, CWR, ECT_0, FIN, PSH, Segment
from gossamer.ffi.frames import Frames, open_frame_socket
from gossamer.ffi.packets import TooLong
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest.namespaces import LEFT_V4, LEFT_V6, RIGHT_V4, RIGHT_V6, Namespace

pytestmark = pytest.mark.needs("namespaces", "raw-sockets")

PEER_PORT = 40_009
ETH_P_ALL = 3
OCTETS = bytes(range(256)) * 60
FAMILIES = pytest.mark.parametrize(
    ("ours", "peer"), [(LEFT_V4, RIGHT_V4), (LEFT_V6, RIGHT_V6)], ids=["IPv4", "IPv6"]
)


@pytest.fixture
def new_sink(
    joined_namespaces: tuple[Namespace, Namespace], kept: Callable[..., Any]
) -> Callable[[], RawSink]:
    """Makes a sink on the left that may send frames, to neighbours that are known."""
    left, right = joined_namespaces
    lladdr = f"lladdr {right.hardware_address('eth0').hex(':')} dev eth0"
    left.ip(*(f"neigh replace {peer} {lladdr}" for peer in (RIGHT_V4, RIGHT_V6)))

    def make() -> RawSink:
        with left.entered():
            v4, v6 = (kept(raw) for raw in open_raw_sockets())
            frames = kept(open_frame_socket())
            made: RawSink = kept(RawSink(v4.fileno(), v6.fileno(), frames=Frames(frames.fileno())))
        return made

    return make


@pytest.fixture
def sink(
    joined_namespaces: tuple[Namespace, Namespace], new_sink: Callable[[], RawSink]
) -> Iterator[RawSink]:
    """One, while this thread is on the left."""
    with joined_namespaces[0].entered():
        yield new_sink()


@pytest.fixture
def wire(joined_namespaces: tuple[Namespace, Namespace], kept: Callable[..., Any]) -> socket.socket:
    """Sees what comes in on the right."""
    _, right = joined_namespaces
    with right.entered():
        tap: socket.socket = kept(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
    tap.bind(("eth0", ETH_P_ALL))
    tap.settimeout(5)
    return tap


def arrived(wire: socket.socket, text_bytes: int) -> list[Segment]:
    """What came in of ours, until it has so much text."""
    found: list[Segment] = []
    while sum(len(each.payload) for each in found) < text_bytes:
        packet, (_, _, kind, *_) = wire.recvfrom(70_000)
        value = parse_packet(packet) if kind == socket.PACKET_HOST else None
        if isinstance(value, tuple) and local_port(value[0]) == PEER_PORT:
            assert isinstance(value[1], Segment)
            found.append(value[1])
    return found


def cut_before_the_device(left: Namespace) -> None:
    """A veth hands on what is not cut, with checksums that are not complete: the tap would see that."""
    left.run(["ethtool", "-K", "eth0", "tso", "off", "gso", "off", "tx", "off"])


@FAMILIES
def test_super_segment__without_offloads__comes_in_as_its_packets(
    joined_namespaces: tuple[Namespace, Namespace], sink: RawSink, wire: socket.socket, ours: str, peer: str
) -> None:
    """Right checksums among them: what has a wrong one is not parsed."""
    cut_before_the_device(joined_namespaces[0])
    whole = Segment(2**32 - 99, 6, ACK | PSH | FIN | CWR, 7, 8, 9, OCTETS, ecn=ECT_0, cut_bytes=1_000)
    sink.emit(pack_flow((ours, 7701), (peer, PEER_PORT)), whole)
    assert sink.flush() == len(cut(whole))
    assert sink.frames_total == 1
    assert arrived(wire, len(OCTETS)) == list(cut(whole))


@FAMILIES
def test_flow__that_leaves_as_frames__all_of_it_does_and_in_order(
    joined_namespaces: tuple[Namespace, Namespace],
    sink: RawSink,
    wire: socket.socket,
    ours: str,
    peer: str,
) -> None:
    cut_before_the_device(joined_namespaces[0])
    flow = pack_flow((ours, 7701), (peer, PEER_PORT))
    sacked = Segment(4, 6, ACK, 7, 8, 9, b"sack", ((1, 2), (3, 4)))
    sink.emit(flow, Segment(1, 6, ACK, 7, 8, 9, b"raw"))
    sink.emit(flow, Segment(4, 6, ACK, 7, 8, 9, b"0123456789", cut_bytes=4))
    sink.emit(flow, sacked, encode_options(sacked))
    sink.emit(flow, Segment(14, 6, ACK, 7, payload=b"frame"))
    assert sink.flush() == 1 + 3 + 1 + 1
    assert sink.frames_total == 3
    found = arrived(wire, 22)
    assert (
        b"".join(each.payload for each in found if each.seq != 4 or each.sack == ()) == b"raw0123456789frame"
    )
    assert sacked in found
    sink.forget(flow)
    sink.emit(flow, Segment(19, 6, ACK, 7, payload=b"again"))
    sink.flush()
    assert sink.frames_total == 3


@FAMILIES
def test_piece_that_is_longer_than_the_link_takes__is_the_raw_sockets_to_refuse(
    joined_namespaces: tuple[Namespace, Namespace], sink: RawSink, ours: str, peer: str
) -> None:
    del joined_namespaces
    sink.emit(
        pack_flow((ours, 7701), (peer, PEER_PORT)), Segment(1, 6, ACK, 7, 8, 9, OCTETS, cut_bytes=1_500)
    )
    assert sink.flush() < 11
    assert sink.failed_total > 0
    assert sink.frames_total == 0
    assert sink.take_too_long() == [TooLong(pack_flow((ours, 7701), (peer, PEER_PORT)), 1, 1_500)]
    assert sink.take_too_long() == [], "asked once"


def test_neighbour_that_moves__what_waited_goes_where_it_was_to_go(
    joined_namespaces: tuple[Namespace, Namespace], sink: RawSink, wire: socket.socket
) -> None:
    """The number of a hop is used again, and never for what was meant for another."""
    left, _ = joined_namespaces
    cut_before_the_device(left)
    flow, other = (pack_flow((LEFT_V4, 7701), (host, PEER_PORT)) for host in (RIGHT_V4, "10.77.0.9"))
    left.run(["ip", "neigh", "replace", "10.77.0.9", "lladdr", "02:00:00:00:00:09", "dev", "eth0"])
    sink.emit(flow, Segment(1, 6, ACK, 7, 8, 9, b"0123", cut_bytes=2))
    sink.doubt(flow)
    sink.emit(other, Segment(1, 6, ACK, 7, 8, 9, b"abcd", cut_bytes=2))
    assert sink.flush() == 4
    assert b"".join(each.payload for each in arrived(wire, 4)) == b"0123"


def test_close__twice__harmless(sink: RawSink) -> None:
    sink.close()
    sink.close()
    sink.take_changes(0)
