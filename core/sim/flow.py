"""One connection on a virtual wire: a client that opens actively, a server that listens, a link each way.

Owns who gets which segment and when the timers of the ends are looked at. Both ends are stepped by the same
`step` that serves real packets. Links may be shared with other flows; they are given.
"""

from typing import Final

import msgspec
from gossamer.core.clock import NEVER_US
from gossamer.core.seq import Seq
from gossamer.core.sim.agenda import Agenda
from gossamer.core.sim.end import End, Observer, User
from gossamer.core.sim.link import PERFECT, PLAIN, Faults, Line, Link
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.listen import segment_arrives as listener_hears
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.tcb import Listener
from gossamer.core.wire.segment import FIN, SYN, Segment, SynOptions

HEADERS_BYTES: Final = 40
"""IPv4 and TCP without options."""
TIMESTAMPS_BYTES: Final = 12


class Setting(msgspec.Struct, frozen=True, gc=False):
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
    size = HEADERS_BYTES + len(segment.payload)
    if segment.ts_val >= 0:
        size += TIMESTAMPS_BYTES
    if segment.sack:
        size += 4 + 8 * len(segment.sack)
    if segment.syn_options is not None:
        size += _syn_options_bytes(segment.syn_options)
    return size


def _syn_options_bytes(options: SynOptions) -> int:
    """MSS takes 4, window scale 3 and a NOP, SACK permitted 2 and two NOPs."""
    return 4 * bool(options.mss) + 4 * (options.window_scale >= 0) + 4 * options.sack_permitted


class Side:
    """One end, the link away from it, and its timer."""

    def __init__(self, end: End, link: Link) -> None:
        self.end = end
        self.link = link
        self.armed_at_us = NEVER_US


class Flow:
    """A client and its server."""

    def __init__(
        self,
        agenda: Agenda,
        client: Setting,
        server: Setting,
        links: tuple[Link, Link],
        observer: Observer | None = None,
    ) -> None:
        self._agenda = agenda
        self._observer = observer
        self._links = links
        self._server_setting = server
        self._server: Side | None = None
        tcb, actions = open_active(client.parameters, _opening(client, agenda.now_us))
        self._client = Side(End(tcb, client.user, actions, agenda.now_us, observer), links[0])
        self._went(self._client)

    @property
    def client(self) -> End:
        """The end that opened."""
        return self._client.end

    @property
    def server(self) -> End | None:
        """The end that listened, once it has heard a SYN."""
        return None if self._server is None else self._server.end

    def _to_server(self, segment: Segment) -> None:
        if self._server is None:
            if segment.flags & SYN and not self._links[0].spoils():
                self._accept(segment)
        elif not self._links[0].spoils():
            self._server.end.arrives(segment, self._agenda.now_us)
            self._went(self._server)

    def _to_client(self, segment: Segment) -> None:
        if not self._links[1].spoils():
            self._client.end.arrives(segment, self._agenda.now_us)
            self._went(self._client)

    def _accept(self, syn: Segment) -> None:
        setting, now_us = self._server_setting, self._agenda.now_us
        tcb, actions = listener_hears(Listener(setting.parameters), syn, _opening(setting, now_us))
        if tcb is not None:
            self._server = Side(End(tcb, setting.user, actions, now_us, self._observer), self._links[1])
            self._went(self._server)

    def _went(self, side: Side) -> None:
        """An end has done something: put what it emitted on the wire, and see when its timer runs out."""
        end = side.end
        if end.outbox:
            self._carry(side)
        deadline_us = end.deadline_us()
        if deadline_us < side.armed_at_us:
            side.armed_at_us = deadline_us
            self._agenda.at(deadline_us, self._look, side)

    def _carry(self, side: Side) -> None:
        agenda, link, outbox = self._agenda, side.link, side.end.outbox
        arrives = self._to_server if side is self._client else self._to_client
        for segment in outbox:
            is_ack = not segment.payload and not segment.flags & (SYN | FIN)
            for at_us in link.arrivals_us(agenda.now_us, wire_bytes(segment), is_ack):
                agenda.at(at_us, arrives, segment)
        outbox.clear()

    def _look(self, side: Side) -> None:
        """A timer was to run out now, unless it has moved: timers are re-armed lazily, as in the server."""
        now_us = self._agenda.now_us
        if side.armed_at_us > now_us:
            return
        side.armed_at_us = NEVER_US
        if side.end.deadline_us() <= now_us:
            side.end.expire(now_us)
        self._went(side)


def _opening(setting: Setting, now_us: int) -> Opening:
    return Opening(now_us=now_us, iss=setting.iss, ts_offset=setting.ts_offset, mss=setting.mss)
