"""What a worker tells of its packets while somebody captures: each with what was decided, over a socket.

    observer of the core's door -> TapRecord -> one message of a SOCK_SEQPACKET socket

Owns the messages and the words of a reason. It never waits: what its reader is too slow for is counted and
lost, and once the reader has left it observes no more. Segments that no connection is asked about (RSTs of
closed ports, SYN cookies that go) pass unseen.

Source: RFC 9293 3.10, whose sections a reason names.
"""

import errno
import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gossamer.core.clock import Clock
from gossamer.core.loop.tcp.door import CookieReturns, Observer, Open, SynArrives
from gossamer.core.printable import printable
from gossamer.core.records import replace
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Abort, Close, IcmpError, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.explain import explain
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.wire.flow import Flow, pack_address
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import Segment
from gossamer.core.wire.text import Extent, TextInParts

RECORD_BYTES_MAX: Final = 1 << 17
REASON_CHARACTERS_MAX: Final = 1024

SECTIONS: Final[dict[type[Any], str]] = {
    Open: "OPEN (RFC 9293 3.10.1)",
    Send: "SEND (RFC 9293 3.10.2)",
    Receive: "RECEIVE (RFC 9293 3.10.3)",
    Close: "CLOSE (RFC 9293 3.10.4)",
    Abort: "ABORT (RFC 9293 3.10.5)",
    SynArrives: "a segment arrives in LISTEN (RFC 9293 3.10.7.2)",
    CookieReturns: "a SYN cookie returns (RFC 4987 3.6)",
    SegmentArrives: "a segment arrives (RFC 9293 3.10.7.4)",
    Timeout: "a timeout (RFC 9293 3.10.8)",
    IcmpError: "an ICMP error (RFC 9293 3.9.2.2)",
}


class TapRecord(msgspec.Struct, frozen=True, array_like=True):
    """One packet."""

    wall_us: int
    worker: int
    is_out: bool
    reason: str
    packet: bytes
    """From its IP header on; text that stands in a file as zeros."""
    lost_total: int
    """How many before it found no room."""


class Tap:
    """One capture in a worker: the observer that it hangs into the door."""

    def __init__(
        self,
        channel: socket.socket,
        worker: int,
        peer: str,
        wall_clock: Clock,
        leave: Callable[[Observer], None],
    ) -> None:
        """Begin; `leave` is called when its reader has left. Raises: ValueError when the peer is no address;
        "" is every one."""
        self._peer = pack_address(peer) if peer else None
        self._channel = channel
        self._worker = worker
        self._wall_clock = wall_clock
        self._leave = leave
        self._encoder = msgspec.msgpack.Encoder()
        self._lost_total = 0
        channel.setblocking(False)

    def __call__(self, flow: Flow, before: Any, event: Any, after: Any, actions: Actions) -> None:
        """Tell of the segment that came, if one did, and of those that go."""
        if self._peer is not None and not flow.startswith(self._peer):
            return
        reason = reason_of(before, event, after)
        if isinstance(event, (SegmentArrives, SynArrives, CookieReturns)):
            # A flow is seen from our side: what came is a packet of the flow the other way round.
            self._tell(turned(flow), event.segment, reason, is_out=False)
        for action in actions:
            if isinstance(action, Segment):
                self._tell(flow, action, reason, is_out=True)

    def _tell(self, flow: Flow, segment: Segment, reason: str, *, is_out: bool) -> None:
        packet = build_packet(flow, with_octets(segment))
        record = TapRecord(self._wall_clock(), self._worker, is_out, reason, packet, self._lost_total)
        try:
            self._channel.send(self._encoder.encode(record))
        except OSError as error:
            self._lost_total += 1
            if error.errno not in (errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE):
                self.close()

    def close(self) -> None:
        """End: the reader has left, or another takes its place."""
        self._leave(self)
        self._channel.close()


def turned(flow: Flow) -> Flow:
    """The flow as its other end sees it."""
    return flow[16:32] + flow[:16] + flow[34:36] + flow[32:34]


def with_octets(segment: Segment) -> Segment:
    """The same segment with its text in memory, and zeros for what stands in files."""
    text = segment.payload
    return replace(segment, payload=text.resolved(_zeros)) if isinstance(text, TextInParts) else segment


def _zeros(extent: Extent) -> bytes:
    return bytes(extent.length)


def reason_of(before: Tcb | TimeWait | None, event: Any, after: Tcb | TimeWait | None) -> str:
    """What happened, by which section, and what it changed of the connection."""
    kind: type[Any] = type(event)
    happened = SECTIONS.get(kind, kind.__name__)
    if before is None:
        return f"{happened}; it begins"
    change = explain(before, after) if after is not None else "it ends"
    return printable(f"{happened}\n{change}"[:REASON_CHARACTERS_MAX])
