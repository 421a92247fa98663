"""One end of a simulated connection: the record, and the user above it.

Owns what a doer owns: it steps the connection, and performs the actions. The user is a plan: octets to send,
how much it writes and reads at a time, when it closes. It must never decide anything about TCP.
"""

from collections.abc import Callable

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.sim.octets import Pattern
from gossamer.core.tcp.actions import (
    Accepted,
    Action,
    Actions,
    Deliver,
    Dropped,
    Failed,
    Failure,
    Remains,
    Signal,
)
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Close, Event, IcmpError, Receive, Report, SegmentArrives, Send, Timeout
from gossamer.core.tcp.step import Connection, Outcome, step
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import Segment

Observer = Callable[[Connection, Event, Connection | None, Actions], None]
"""Called with every step: the connection before, the event, the connection after, the actions."""

Stepper = Callable[[Connection, Event], Outcome]
"""What moves a connection: `step`, or what stands in for it in an experiment."""

SENDING = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})


Stream = bytes | Pattern


class User(msgspec.Struct, frozen=True, gc=False):
    """What the user of one end does once the connection is established."""

    sends: Stream = b""
    write_bytes: int = 65_536
    """Octets of one SEND."""
    read_bytes: int = 65_536
    """Octets that one RECEIVE asks for."""
    reads_every_us: int = 0
    """0: a RECEIVE is always queued. Otherwise one is made at this interval, of what is there."""
    closes: bool = True
    """Whether it half-closes once all is sent."""
    waits: bool = False
    """Whether it sends and half-closes only after the other user has half-closed."""
    expects: Stream | None = None
    """What the other user sends: what comes is compared with it at once, and not kept."""


class End:
    """A connection and its user."""

    def __init__(
        self,
        connection: Connection,
        user: User,
        first: Actions,
        now_us: int,
        observer: Observer | None = None,
        stepper: Stepper = step,
    ) -> None:
        self.connection: Connection | None = connection
        self.received: bytearray = bytearray()
        self.received_bytes: int = 0
        self.ended_at_us: int = NEVER_US
        """When all that the peer had to send was here, or the connection was gone."""
        self.failure: Failure | None = None
        self.drops: dict[SegmentDrop, int] = {}
        self.retransmitted_total: int = 0
        self.timeouts_total: int = 0
        """Expiries of the retransmission timer, window and keepalive probes among them."""
        self.outbox: list[Segment] = []
        """Emitted and not yet taken by the wire."""
        self._user = user
        self._observer = observer
        self._stepper = stepper
        self._queued_bytes = 0 if user.reads_every_us else user.read_bytes
        self._sent_bytes = 0
        self._is_sent = not len(user.sends)
        self._waits = user.waits
        self._is_closed = False
        self._is_full = False
        self._reads_at_us = now_us + user.reads_every_us if user.reads_every_us else NEVER_US
        for action in first:
            self._perform(action, None)

    @property
    def has_ended(self) -> bool:
        """Whether the peer's FIN was reached, or there is nothing more to ask for."""
        return self.ended_at_us != NEVER_US

    @property
    def is_sent(self) -> bool:
        """Whether the user has handed over all that it has to send."""
        return self._is_sent

    def deadline_us(self) -> int:
        """When `expire` must be called: the connection's timers, and the user's next read."""
        connection = self.connection
        if connection is None:
            return NEVER_US
        timer_us = deadline_us(connection) if isinstance(connection, Tcb) else connection.expires_at_us
        return timer_us if self.ended_at_us != NEVER_US else min(timer_us, self._reads_at_us)

    def expire(self, now_us: int) -> None:
        """What is due now."""
        if self._reads_at_us <= now_us:
            self._reads_at_us = now_us + self._user.reads_every_us
            self._step(Receive(self._user.read_bytes, now_us))
        if isinstance(self.connection, TimeWait):
            if self.connection.expires_at_us <= now_us:
                self.connection = None
        elif self.connection is not None and deadline_us(self.connection) <= now_us:
            backoff = self.connection.backoff
            self._step(Timeout(now_us))
            if isinstance(self.connection, Tcb) and self.connection.backoff > backoff:
                self.timeouts_total += 1
        self._go_on(now_us)

    def arrives(self, segment: Segment, now_us: int) -> None:
        """A segment comes out of the wire. One for a connection that is gone is refused, as hosts do it."""
        if self.connection is None:
            reply = reset_reply(segment)
            self.outbox += [] if reply is None else [reply]
            return
        self._step(SegmentArrives(segment, now_us, self._queued_bytes))
        self._go_on(now_us)

    def hears_of_mtu(self, seq: int, mtu_bytes: int, now_us: int) -> None:
        """A router says that the segment at `seq` was too big."""
        self._step(IcmpError(seq, Report.TOO_BIG, now_us, mtu=mtu_bytes))
        self._go_on(now_us)

    def _go_on(self, now_us: int) -> None:
        """The user's next calls, as far as the connection lets it make them."""
        while self._queued_bytes and isinstance(self.connection, Tcb) and self.connection.rcv_buf_bytes:
            self._step(Receive(self._queued_bytes, now_us))
        if self._is_closed or self._is_full or (self._waits and self.ended_at_us == NEVER_US):
            return
        while not self._is_sent and not self._is_full and self._is_open():
            self._send(now_us)
        if self._is_sent and self._user.closes and self._is_open():
            self._is_closed = True
            self._step(Close(now_us, receives=True))

    def _send(self, now_us: int) -> None:
        data = self._user.sends[self._sent_bytes : self._sent_bytes + self._user.write_bytes]
        self._sent_bytes += len(data)
        self._step(Send(data, now_us))
        self._is_sent = self._sent_bytes == len(self._user.sends)

    def _is_open(self) -> bool:
        return isinstance(self.connection, Tcb) and self.connection.state in SENDING

    def _step(self, event: Event) -> None:
        before = self.connection
        if before is None or (isinstance(before, TimeWait) and not isinstance(event, SegmentArrives)):
            return
        after, actions = self._stepper(before, event)
        self.connection = after
        if not isinstance(after, Tcb):
            # What was not received comes with Remains; there is nothing to ask for any more.
            self._ends(event.now_us)
        if self._observer is not None:
            self._observer(before, event, after, actions)
        for action in actions:
            if isinstance(action, Segment):
                self.outbox.append(action)
            elif isinstance(action, Deliver):
                self._take(action.data)
            elif not (isinstance(action, Failed) and _is_over(before)):
                self._perform(action, event)

    def _perform(self, action: Action, event: Event | None) -> None:
        if isinstance(action, Deliver | Remains):
            self._take(action.data)
        elif isinstance(action, Segment):
            self.outbox.append(action)
        elif isinstance(action, Accepted):
            assert isinstance(event, Send)
            self._sent_bytes -= len(event.data) - action.count
            self._is_full = True
        elif isinstance(action, Dropped):
            self.drops[action.reason] = self.drops.get(action.reason, 0) + 1
        elif isinstance(action, Failed):
            self.failure = action.failure
        elif action is Signal.SEND_SPACE:
            self._is_full = False
        elif action is Signal.END_OF_STREAM and event is not None:
            self._ends(event.now_us)
        elif action is Signal.RETRANSMITTED:
            self.retransmitted_total += 1

    def _take(self, data: bytes) -> None:
        """Octets reach the user: they must be the next ones of what the peer's user sends."""
        before, self.received_bytes = self.received_bytes, self.received_bytes + len(data)
        expected = self._user.expects
        if expected is None:
            self.received += data
        else:
            assert data == expected[before : self.received_bytes], "what is delivered is not what was sent"

    def _ends(self, now_us: int) -> None:
        self.ended_at_us = min(self.ended_at_us, now_us)


def _is_over(connection: Connection) -> bool:
    """Whether nothing of it is left but an ACK of its FIN, for which its peer has waited long enough: a RST
    ends it, and nobody is told (RFC 9293 3.10.7.4)."""
    return isinstance(connection, Tcb) and connection.state is State.LAST_ACK and not connection.snd_buf_bytes
