"""The points of a time-sequence graph: what a step has moved, and that telling of it never waits."""

import socket
from collections.abc import Iterator

import msgspec

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.tcp.door import Observer
from gossamer.core.sim import states
from gossamer.core.tcp.events import SegmentArrives, Send
from gossamer.core.tcp.step import step
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK
from gossamer.shards.seen.trace import BURST_US, Trace
from gossamer.shards.seen.tracepoints import (
    POINTS_BURST_MAX,
    PointKind,
    TraceRecord,
)

PEER = ("192.0.2.7", 5000)
FLOW = pack_flow(("192.0.2.1", 80), PEER)


class Traced:
    """A trace, and what comes out of it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(now_us=states.NOW_US)
        self.left: list[Observer] = []
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self.trace = Trace(theirs, 3, PEER, self.clock, self.left.append)

    def told(self) -> Iterator[TraceRecord]:
        while True:
            try:
                yield msgspec.msgpack.decode(self.ours.recv(1 << 16), type=TraceRecord)
            except BlockingIOError:
                return

    def points(self) -> list[tuple[PointKind, int, int]]:
        return [(each.kind, each.place, each.length) for record in self.told() for each in record.points]


def test_trace__text_both_ways__places_count_from_the_first_octet() -> None:
    traced, before = Traced(), states.established()
    out = (before.snd_nxt - before.agreed.iss - 1) % 2**32
    into = (before.rcv_nxt - before.agreed.irs - 1) % 2**32
    after, actions = step(before, Send(b"x" * 100, states.NOW_US))
    traced.trace(FLOW, before, Send(b"x" * 100, states.NOW_US), after, actions)
    assert traced.points() == [(PointKind.SENT, out, 100)]
    assert after is not None
    text = states.from_peer(before, flags=ACK, payload=b"y" * 7)
    event = SegmentArrives(text, states.NOW_US)
    last, more = step(before, event)
    traced.trace(FLOW, before, event, last, more)
    found = traced.points()
    assert found[0] == (PointKind.RECEIVED, into, 7)
    assert found[1][:2] == (PointKind.ACKED, out)


def test_trace__what_was_sent_before__is_sent_again() -> None:
    traced, before = Traced(), states.established()
    after, actions = step(before, Send(b"x" * 100, states.NOW_US))
    traced.trace(FLOW, after, None, after, actions)
    ((kind, _, length),) = traced.points()
    assert (kind, length) == (PointKind.SENT_AGAIN, 100)


def test_trace__of_another_connection_or_of_time_wait__nothing() -> None:
    traced, tcb = Traced(), states.established()
    _, actions = step(tcb, Send(b"x", states.NOW_US))
    for other in (pack_flow(("192.0.2.1", 80), (PEER[0], 5001)), pack_flow(("192.0.2.1", 80), ("::1", 5000))):
        traced.trace(other, tcb, None, tcb, actions)
    traced.trace(FLOW, None, None, None, actions)
    assert traced.points() == []


def test_trace__too_much_at_once__counted_until_the_next_tenth_of_a_second() -> None:
    traced, tcb = Traced(), states.established()
    _, actions = step(tcb, Send(b"x", states.NOW_US))
    came = 0
    for _ in range(POINTS_BURST_MAX + 20):
        traced.trace(FLOW, tcb, None, tcb, actions)
        came += sum(1 for _ in traced.told())
    assert came == POINTS_BURST_MAX
    traced.clock.advance(BURST_US)
    traced.trace(FLOW, tcb, None, tcb, actions)
    (record,) = traced.told()
    assert (record.worker, record.lost_total) == (3, 20)


def test_trace__its_reader_has_left__sees_no_more() -> None:
    traced, tcb = Traced(), states.established()
    traced.ours.close()
    _, actions = step(tcb, Send(b"x", states.NOW_US))
    traced.trace(FLOW, tcb, None, tcb, actions)
    assert traced.left == [traced.trace]
