"""What listeners do with segments: the SYN queue, the accept queue, and what happens when they are full.

    SYN -> room in the SYN queue:  half open, a SYN-ACK that is repeated
        -> none, or always:        a SYN-ACK with a cookie, and nothing kept
    ACK -> half open:              established, into the accept queue
        -> a listener's:           a valid cookie makes the connection; else a RST

The bounds are `syn_backlog` and `accept_backlog`. As Linux does, a full accept queue drops SYNs, and drops
the ACK that would end a handshake: the SYN-ACK is repeated, and the peer's next ACK may find room. Owns
which secrets of cookies hold, and the policy of the queues, which are `core.loop.tcp.queues`; the rules of
LISTEN are in `core.tcp.listen`, the form of a cookie in `core.tcp.syn_cookie`.

Source: RFC 9293 3.10.7.2, RFC 4987 3.4 and 3.6.
"""

from gossamer.core.loop.tcp.call import Connection, Listener
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.door import CookieReturns, SynArrives, begin
from gossamer.core.loop.tcp.opening import Openings
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.records import replace
from gossamer.core.tcp import listen, syn_cookie
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Opening, SegmentArrives
from gossamer.core.tcp.syn_cookie import CookieSecrets
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.segment import ACK, RST, SYN, Segment


class Listening:
    """Takes the segments of listeners and of their half-open connections.

    Bounds: `syn_backlog` and `accept_backlog` of each listener's parameters.
    """

    def __init__(self, connections: Connections, queues: Queues, openings: Openings, secret: bytes) -> None:
        """Who has the same `secret` knows the same cookies."""
        self._connections = connections
        self._ask = connections.door.ask
        self._queues = queues
        self._demux = connections.demux
        self._openings = openings
        self._secret = secret
        self._secrets = CookieSecrets()
        self._cookies_sent_total = 0
        self._cookies_taken_total = 0

    @property
    def secrets(self) -> CookieSecrets:
        """Those of the cookies that are out."""
        return self._secrets

    def take_secrets(self, secrets: CookieSecrets) -> None:
        """Take cookies that another process has sent, unless some of ours are out."""
        if self._secrets.current is None:
            self._secrets = secrets

    def expect_cookies(self, now_us: int) -> None:
        """Take cookies that a process has sent which is no more, for as long as they hold."""
        period = syn_cookie.rolled(self._secrets, now_us).period
        both = (syn_cookie.secret_of(each, self._secret) for each in (period, max(period - 1, 0)))
        self._secrets = CookieSecrets(period, *both)

    def statistics(self) -> dict[str, int]:
        """Counts since the start."""
        return {
            "syn_cookies_sent_total": self._cookies_sent_total,
            "syn_cookies_taken_total": self._cookies_taken_total,
        }

    def take(
        self, listener: Listener, flow: Flow, segment: Segment, before: TimeWait | None, now_us: int
    ) -> None:
        """A segment for a listener; `before` is what its flow left in TIME-WAIT."""
        if listen.is_opening(segment):
            refusal = self._refusal(listener)
            if refusal is not None:
                self._connections.drops[refusal] += 1
                return
            self._take_syn(listener, flow, segment, before, now_us)
        elif segment.flags & (SYN | ACK | RST) == ACK and self._are_cookies_out(now_us):
            self._take_cookie(listener, flow, segment, now_us)
        else:
            self._connections.emit_and_count(flow, listen.refusal(segment))

    def take_half_open(self, connection: Connection, segment: Segment, now_us: int) -> None:
        """A segment for a connection in the SYN queue."""
        listener = connection.listener
        assert listener is not None
        if (
            len(listener.accepted) >= listener.tcp.parameters.accept_backlog
            and segment.flags & (ACK | RST) == ACK
        ):
            self._connections.drops[SegmentDrop.ACCEPT_QUEUE_FULL] += 1
            return
        self._connections.step(connection, SegmentArrives(segment, now_us))

    def _refusal(self, listener: Listener) -> SegmentDrop | None:
        """Why a SYN is not even answered."""
        if len(listener.accepted) >= listener.tcp.parameters.accept_backlog:
            return SegmentDrop.ACCEPT_QUEUE_FULL
        return SegmentDrop.CONNECTIONS_FULL if self._demux.is_full else None

    # SYNs.

    def _take_syn(
        self, listener: Listener, flow: Flow, syn: Segment, before: TimeWait | None, now_us: int
    ) -> None:
        opening = self._openings.passive(flow, before, now_us)
        if syn.syn_options is not None and syn.syn_options.cookie is not None:
            opening = self._connections.fast_opens.judged(flow, syn.syn_options.cookie, opening)
            if opening.takes_text:
                self._open_early(listener, flow, syn, opening)
                return
        parameters = listener.tcp.parameters
        cookies, is_full = parameters.syn_cookies, len(listener.half_open) >= parameters.syn_backlog
        if cookies == "always" or (is_full and cookies == "auto"):
            self._send_cookie(listener, flow, syn, opening)
            return
        if is_full:
            if not listener.is_oldest_unanswered:
                self._connections.drops[SegmentDrop.BACKLOG_FULL] += 1
                return
            self._connections.drops[SegmentDrop.BACKLOG_FULL] += 1
            self._queues.forget_oldest(listener)
        tcb, actions = self._opened(listener, flow, syn, opening)
        connection = listener.make(flow, tcb, listener)
        self._queues.add_half_open(listener, flow, connection)
        self._connections.perform(connection, tcb, actions)

    def _open_early(self, listener: Listener, flow: Flow, syn: Segment, opening: Opening) -> None:
        """A Fast Open: the connection goes into the accept queue at once (RFC 7413 4.2.2)."""
        tcb, actions = self._opened(listener, flow, syn, opening)
        connection = listener.make(flow, tcb, listener)
        self._demux.add(flow, connection)
        self._connections.fast_opens.begun(connection)
        self._connections.perform(connection, tcb, actions)

    def _opened(self, listener: Listener, flow: Flow, syn: Segment, opening: Opening) -> tuple[Tcb, Actions]:
        """The connection of a SYN that is taken: only such a one ends TIME-WAIT."""
        self._demux.end_time_wait(flow)
        tcb, actions = self._ask(begin, flow, None, SynArrives(listener.tcp, syn, opening))
        assert type(tcb) is Tcb
        return tcb, actions

    # Cookies.

    def _send_cookie(self, listener: Listener, flow: Flow, syn: Segment, opening: Opening) -> None:
        """Answer a SYN and forget it."""
        self._demux.end_time_wait(flow)
        secrets = self._secrets = syn_cookie.rolled(self._secrets, opening.now_us)
        if secrets.current is None:
            secrets = replace(secrets, current=syn_cookie.secret_of(secrets.period, self._secret))
            self._secrets = secrets
        assert secrets.current is not None
        self._cookies_sent_total += 1
        answer = syn_cookie.answer(listener.tcp, flow, syn, opening, secrets.current)
        self._connections.emit_and_count(flow, (answer,))

    def _are_cookies_out(self, now_us: int) -> bool:
        """Whether any was sent that may still come back: else an ACK is refused without a hash."""
        secrets = self._secrets = syn_cookie.rolled(self._secrets, now_us)
        return secrets.current is not None or secrets.previous is not None

    def _take_cookie(self, listener: Listener, flow: Flow, ack: Segment, now_us: int) -> None:
        """The ACK of a SYN-ACK that was forgotten, or of none."""
        returned = syn_cookie.returned(self._secrets, flow, ack, listener.tcp.parameters.timestamps)
        if returned is None:
            self._connections.drops[SegmentDrop.COOKIE_INVALID] += 1
            self._connections.emit_and_count(flow, listen.refusal(ack)[1:])
            return
        if not returned.is_first:
            # What follows the ACK has overtaken it, or the ACK was lost: the peer is real, and sends again.
            self._connections.drops[SegmentDrop.COOKIE_EARLY] += 1
            return
        refusal = self._refusal(listener)
        if refusal is not None:
            # The peer takes its connection for open, and tries again with what it sends.
            self._connections.drops[refusal] += 1
            return
        self._cookies_taken_total += 1
        opening = self._openings.passive(flow, None, now_us)
        tcb, _ = self._ask(begin, flow, None, CookieReturns(listener.tcp, ack, opening, returned.mss))
        assert type(tcb) is Tcb
        connection = listener.make(flow, tcb, listener)
        self._queues.add_half_open(listener, flow, connection)
        self._connections.step(connection, SegmentArrives(ack, now_us))
