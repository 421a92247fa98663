"""One connection on a virtual wire: a client that opens actively, a server that listens, a link each way.

Owns who gets which segment and when the timers of the ends are checked. Both ends are stepped by the same
`step` that serves real packets. Links are passed in, as other flows may share them.
"""

from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.records import replace
from gossamer.core.seq import HALF, MASK, Seq
from gossamer.core.sim.agenda import Agenda
from gossamer.core.sim.end import End, Observer, Stepper, User
from gossamer.core.sim.link import PERFECT, PLAIN, Faults, Line, Link
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.listen import segment_arrives as listener_hears
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Listener, Tcb
from gossamer.core.wire.segment import CE, FIN, SYN, Segment, SynOptions

HEADERS_BYTES: Final = 40
"""IPv4 and TCP without options."""
TIMESTAMPS_BYTES: Final = 12
TIMESTAMPED_BYTES: Final = HEADERS_BYTES + TIMESTAMPS_BYTES
RECOVERIES_MAX: Final = 1000


class EndSetting(msgspec.Struct, frozen=True, gc=False):
    """One end of a run."""

    user: User = User()
    parameters: TcpParameters = DEFAULT_PARAMETERS
    iss: Seq = Seq(0x1000)
    ts_offset: int = 7
    mss: int = 1460
    faults: Faults = PERFECT
    """Of the wire away from this end."""
    line: Line = PLAIN
    """The same."""


def wire_bytes(segment: Segment) -> int:
    """The length of the packet that carries a segment."""
    size = len(segment.payload) + (TIMESTAMPED_BYTES if segment.ts_val >= 0 else HEADERS_BYTES)
    if segment.sack:
        size += 4 + 8 * len(segment.sack)
    if segment.syn_options is not None:
        size += _syn_options_bytes(segment.syn_options)
    return size


def _syn_options_bytes(options: SynOptions) -> int:
    """MSS takes 4, window scale 3 and a NOP, SACK permitted 2 and two NOPs."""
    return 4 * bool(options.mss) + 4 * (options.window_scale >= 0) + 4 * options.sack_permitted


class Sent:
    """What one end has put on the wire, as somebody sees it who watches the wire."""

    __slots__ = (
        "began_us",
        "payload_bytes",
        "recover",
        "recoveries_us",
        "retransmitted",
        "retransmitted_bytes",
        "segments",
        "snd_max",
    )

    def __init__(self) -> None:
        self.segments = 0
        self.payload_bytes = 0
        self.retransmitted = 0
        self.retransmitted_bytes = 0
        self.snd_max = -1
        """The sequence number after the last octet that was sent; -1 before the SYN."""
        self.recover = -1
        """What was sent when the first retransmission of the present recovery was; -1 when there is none."""
        self.began_us = 0
        self.recoveries_us: list[int] = []
        """How long each recovery took, at most RECOVERIES_MAX."""

    def note(self, segment: Segment, now_us: int) -> None:
        """A segment leaves."""
        self.segments += 1
        size, flags = len(segment.payload), segment.flags
        if not size and not flags & (SYN | FIN):
            return
        self.payload_bytes += size
        end = (segment.seq + size + (flags & FIN) + (flags & SYN == SYN)) & MASK
        if self.snd_max < 0 or 0 < (end - self.snd_max) & MASK < HALF:
            self.snd_max = end
            return
        self.retransmitted += 1
        self.retransmitted_bytes += size
        if self.recover < 0:
            self.recover, self.began_us = self.snd_max, now_us

    def acknowledged(self, snd_una: int, now_us: int) -> None:
        """SND.UNA while there is a recovery: it is over when it covers what was sent at its begin."""
        if (snd_una - self.recover) & MASK < HALF:
            self.recover = -1
            if len(self.recoveries_us) < RECOVERIES_MAX:
                self.recoveries_us.append(now_us - self.began_us)


class FlowSide:
    """One end, the link away from it, its timer, and what it sent."""

    def __init__(self, end: End, link: Link, extra_us: int) -> None:
        self.end = end
        self.link = link
        self.extra_us = extra_us
        self.armed_at_us = NEVER_US
        self.sent = Sent()


class SimulatedFlow:
    """A client and its server."""

    def __init__(
        self,
        agenda: Agenda,
        client: EndSetting,
        server: EndSetting,
        links: tuple[Link, Link],
        observer: Observer | None = None,
        extra_us: int = 0,
        stepper: Stepper = step,
    ) -> None:
        """`extra_us` is delay of this flow's own, beside the links', each way."""
        self._agenda = agenda
        self._observer = observer
        self._links = links
        self._extra_us = extra_us
        self._stepper = stepper
        self._server_setting = server
        self._server: FlowSide | None = None
        tcb, actions = open_active(client.parameters, _opening(client, agenda.now_us))
        end = End(tcb, client.user, actions, agenda.now_us, observer, stepper)
        self._client = FlowSide(end, links[0], extra_us)
        self._went(self._client)

    @property
    def client(self) -> End:
        """The end that opened."""
        return self._client.end

    @property
    def server(self) -> End | None:
        """The end that listened, once it has heard a SYN."""
        return None if self._server is None else self._server.end

    @property
    def sent(self) -> Sent:
        """What the client has put on the wire."""
        return self._client.sent

    @property
    def sent_back(self) -> Sent:
        """What the server has."""
        return Sent() if self._server is None else self._server.sent

    @property
    def delivered_bytes(self) -> int:
        """Octets that have reached the server's user."""
        return 0 if self._server is None else self._server.end.received_bytes

    @property
    def arrived_bytes(self) -> int:
        """Octets that have reached the server, in order or not, each once."""
        if self._server is None:
            return 0
        connection, delivered = self._server.end.connection, self._server.end.received_bytes
        if not isinstance(connection, Tcb):
            return delivered
        held = connection.reassembly.blocks if connection.reassembly is not None else ()
        behind_gaps = sum((block.right - block.left) & MASK for block in held)
        return delivered + connection.rcv_buf_bytes + behind_gaps

    @property
    def is_over(self) -> bool:
        """Whether neither end has a connection any more, TIME-WAIT apart."""
        ends = (self.client, self.server)
        return not any(end is None or isinstance(end.connection, Tcb) for end in ends)

    @property
    def is_complete(self) -> bool:
        """Whether it is over, and both ends came to an orderly close."""
        ends = [end for end in (self.client, self.server) if end is not None]
        return self.is_over and all(end.failure is None and end.is_sent for end in ends)

    def _to_server(self, segment: Segment) -> None:
        server = self._server
        if server is not None:
            server.end.arrives(segment, self._agenda.now_us)
            self._went(server)
        elif segment.flags & SYN:
            self._accept(segment)

    def _to_client(self, segment: Segment) -> None:
        self._client.end.arrives(segment, self._agenda.now_us)
        self._went(self._client)

    def _accept(self, syn: Segment) -> None:
        setting, now_us = self._server_setting, self._agenda.now_us
        tcb, actions = listener_hears(Listener(setting.parameters), syn, _opening(setting, now_us))
        if tcb is not None:
            end = End(tcb, setting.user, actions, now_us, self._observer, self._stepper)
            self._server = FlowSide(end, self._links[1], self._extra_us)
            self._went(self._server)

    def _went(self, side: FlowSide) -> None:
        """An end has done something: put what it emitted on the wire, and see when its timer runs out."""
        end = side.end
        if end.outbox:
            self._carry(side)
        if side.sent.recover >= 0 and isinstance(end.connection, Tcb):
            side.sent.acknowledged(end.connection.snd_una, self._agenda.now_us)
        deadline_us = end.deadline_us()
        if deadline_us < side.armed_at_us:
            side.armed_at_us = deadline_us
            self._agenda.at(deadline_us, self._look, side)

    def _carry(self, side: FlowSide) -> None:
        agenda, link, outbox, note = self._agenda, side.link, side.end.outbox, side.sent.note
        now_us, extra_us = agenda.now_us, side.extra_us
        arrives = self._to_server if side is self._client else self._to_client
        for segment in outbox:
            note(segment, now_us)
            if link.line.mtu_changes and self._is_too_big(segment, side):
                continue
            is_ack = not segment.payload and not segment.flags & (SYN | FIN)
            arrivals_us = link.arrivals_us(now_us, wire_bytes(segment), is_ack)
            if segment.ecn & CE and link.marks(now_us):
                segment = replace(segment, ecn=segment.ecn | CE)
            for at_us in arrivals_us:
                # A segment with a wrong bit fails its checksum: it is counted, and nobody sees it.
                if not (link.has_noise and link.spoils()):
                    agenda.at(at_us + extra_us, arrives, segment)
        outbox.clear()

    def _is_too_big(self, segment: Segment, side: FlowSide) -> bool:
        """Whether the line cannot carry a segment; whoever sent it may hear of it."""
        agenda, link = self._agenda, side.link
        mtu_bytes = link.mtu_bytes(agenda.now_us)
        if not mtu_bytes or wire_bytes(segment) <= mtu_bytes:
            return False
        link.counts.too_big += 1
        if link.line.tells_mtu:
            agenda.at(agenda.now_us + link.delay_us, self._hears_of_mtu, (side, segment.seq, mtu_bytes))
        return True

    def _hears_of_mtu(self, report: tuple[FlowSide, int, int]) -> None:
        side, seq, mtu_bytes = report
        side.end.hears_of_mtu(seq, mtu_bytes, self._agenda.now_us)
        self._went(side)

    def _look(self, side: FlowSide) -> None:
        """A timer was to run out now, unless it has moved: timers are re-armed lazily, as in the server."""
        now_us = self._agenda.now_us
        if side.armed_at_us > now_us:
            return
        side.armed_at_us = NEVER_US
        if side.end.deadline_us() <= now_us:
            side.end.expire(now_us)
        self._went(side)


def _opening(setting: EndSetting, now_us: int) -> Opening:
    return Opening(now_us=now_us, iss=setting.iss, ts_offset=setting.ts_offset, mss=setting.mss)
