"""The time-sequence graph of one connection as a worker tells it: points, over a socket, as they arise.

    observer of the core's door -> points -> one message of a SOCK_SEQPACKET socket

Owns the points and how many there are at most. Of the text itself nothing is told. It never waits: what its
reader is too slow for, or what is too much in a tenth of a second, is counted and lost.

Source: tcptrace's time-sequence graph, whose lines these are.
"""

import errno
import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gossamer.core.clock import Clock
from gossamer.core.loop.tcp.door import Observer
from gossamer.core.seq import MASK, Seq, seq_lt
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.flow import Flow, pack_address
from gossamer.core.wire.segment import Segment
from gossamer.shards.seen.tracepoints import POINTS_BURST_MAX, PointKind, TracePoint, TraceRecord

BURST_US: Final = 100_000


def flow_start(host: str, port: int) -> tuple[bytes, bytes]:
    """The parts of a flow that name its peer. Raises: ValueError for no address."""
    return pack_address(host), port.to_bytes(2, "big")


class Trace:
    """One trace in a worker: the observer that it hangs into the door."""

    def __init__(
        self,
        channel: socket.socket,
        worker: int,
        peer: tuple[str, int],
        clock: Clock,
        leave: Callable[[Observer], None],
    ) -> None:
        """Begin; `leave` is called when its reader has left. Raises: ValueError when the peer is no
        address."""
        self._host, self._port = flow_start(*peer)
        self._channel = channel
        self._worker = worker
        self._clock = clock
        self._leave = leave
        self._encoder = msgspec.msgpack.Encoder()
        self._lost_total = 0
        self._burst_ends_us = 0
        self._burst_points = 0
        channel.setblocking(False)

    def __call__(self, flow: Flow, before: Any, event: Any, after: Any, actions: Actions) -> None:
        """Tell what a step has moved."""
        if flow[32:34] != self._port or not flow.startswith(self._host):
            return
        tcb = after if isinstance(after, Tcb) else before
        if not isinstance(tcb, Tcb):
            return
        points = points_of(self._clock(), tcb, before, event, actions)
        if points:
            self._tell(points)

    def _tell(self, points: tuple[TracePoint, ...]) -> None:
        now_us = points[0].at_us
        if now_us >= self._burst_ends_us:
            self._burst_ends_us, self._burst_points = now_us + BURST_US, 0
        self._burst_points += len(points)
        if self._burst_points > POINTS_BURST_MAX:
            self._lost_total += len(points)
            return
        record = TraceRecord(self._worker, points, self._lost_total)
        try:
            self._channel.send(self._encoder.encode(record))
        except OSError as error:
            self._lost_total += len(points)
            if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                self.close()

    def close(self) -> None:
        """End: the reader has left, or another takes its place."""
        self._leave(self)
        self._channel.close()


def points_of(at_us: int, tcb: Tcb, before: Any, event: Any, actions: Actions) -> tuple[TracePoint, ...]:
    """What a step has moved; sequence numbers count from the first octet of text, modulo 2^32."""
    out, into = tcb.agreed.iss + 1, tcb.agreed.irs + 1
    sent_to = before.snd_nxt if isinstance(before, Tcb) else tcb.agreed.iss
    points: list[TracePoint] = []
    if isinstance(event, SegmentArrives):
        text = len(event.segment.payload)
        if text:
            points.append(TracePoint(at_us, PointKind.RECEIVED, (event.segment.seq - into) & MASK, text))
        acked = (tcb.snd_una - out) & MASK
        points.append(TracePoint(at_us, PointKind.ACKED, acked, tcb.snd_wnd, tcb.congestion.cwnd))
    for action in actions:
        if not isinstance(action, Segment):
            continue
        text = len(action.payload)
        if text:
            is_again = seq_lt(Seq(action.seq), sent_to)
            kind = PointKind.SENT_AGAIN if is_again else PointKind.SENT
            points.append(TracePoint(at_us, kind, (action.seq - out) & MASK, text))
        else:
            points.append(TracePoint(at_us, PointKind.ACKS, (tcb.rcv_nxt - into) & MASK, tcb.rcv_wnd))
    return tuple(points)
