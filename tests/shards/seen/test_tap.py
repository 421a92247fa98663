"""A tap in the core's door: what it tells, and that it never waits."""

import socket
from collections.abc import Iterator

import msgspec

from gossamer.core.loop.tcp.door import Observer
from gossamer.core.sim import states
from gossamer.core.tcp.events import Close, SegmentArrives, Send
from gossamer.core.tcp.step import step
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.segment import ACK, FIN, Segment
from gossamer.core.wire.text import Extent, TextInParts
from gossamer.shards.seen.tap import Tap, TapRecord

PEER = "192.0.2.7"
FLOW = pack_flow(("192.0.2.1", 80), (PEER, 5000))
BACK = pack_flow((PEER, 5000), ("192.0.2.1", 80))


class Tapped:
    """A tap, what it observes by, and what comes out."""

    def __init__(self, peer: str = "") -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        self.observer: Observer | None = Tap(theirs, 3, peer, lambda: 77, self.leave)

    def leave(self, observer: Observer) -> None:
        assert observer is self.observer
        self.observer = None

    def step(self, event: Send | Close | SegmentArrives) -> None:
        """A step of an established connection."""
        assert self.observer is not None
        before = states.established()
        after, actions = step(before, event)
        self.observer(FLOW, before, event, after, actions)

    def told(self) -> Iterator[TapRecord]:
        while True:
            try:
                yield msgspec.msgpack.decode(self.ours.recv(1 << 17), type=TapRecord)
            except BlockingIOError:
                return


def test_tap__what_comes_and_what_goes__each_by_its_rule() -> None:
    tapped = Tapped()
    fin = states.from_peer(states.established(), flags=FIN | ACK)
    tapped.step(SegmentArrives(fin, states.NOW_US))
    came, went = tapped.told()
    assert (came.is_out, went.is_out, came.worker, came.wall_us) == (False, True, 3, 77)
    # A packet is parsed as its receiver sees it.
    assert parse_packet(came.packet) == (FLOW, fin)
    found = parse_packet(went.packet)
    assert isinstance(found, tuple)
    assert found[0] == BACK
    assert went.reason.startswith("a segment arrives (RFC 9293 3.10.7.4)\nESTABLISHED -> CLOSE-WAIT\n")
    assert "rcv_nxt" in went.reason


def test_tap__of_one_peer__nothing_of_others() -> None:
    for peer, count in ((PEER, 1), ("192.0.2.8", 0)):
        tapped = Tapped(peer)
        tapped.step(Close(states.NOW_US, receives=True))
        assert len(list(tapped.told())) == count


def test_tap__text_of_a_file__as_zeros() -> None:
    tapped = Tapped()
    assert tapped.observer is not None
    tcb = states.established()
    segment = Segment(1, 2, ACK, 3, payload=TextInParts((Extent(9, 0, 5),), 5))
    tapped.observer(FLOW, tcb, Close(states.NOW_US), tcb, (segment,))
    (record,) = tapped.told()
    assert record.packet.endswith(bytes(5))


def test_tap__nobody_reads__counted_and_not_waited_for() -> None:
    tapped = Tapped()
    for _ in range(200):
        tapped.step(Close(states.NOW_US, receives=True))
    records = list(tapped.told())
    assert 0 < len(records) < 200
    tapped.step(Close(states.NOW_US, receives=True))
    (last,) = tapped.told()
    assert last.lost_total == 200 - len(records)


def test_tap__a_packet_too_large_for_the_socket__lost_and_the_next_one_told() -> None:
    tapped, tcb = Tapped(), states.established()
    assert tapped.observer is not None
    for text in (bytes(60_000), b"small"):
        tapped.observer(FLOW, tcb, Close(states.NOW_US), tcb, (Segment(1, 2, ACK, 3, payload=text),))
    (record,) = tapped.told()
    assert (record.packet[-5:], record.lost_total) == (b"small", 1)


def test_tap__its_reader_has_left__observes_no_more() -> None:
    tapped = Tapped()
    tapped.ours.close()
    tapped.step(Close(states.NOW_US, receives=True))
    assert tapped.observer is None
