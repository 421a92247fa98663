"""The connections of the functional TCP: each stepped, and what its step decided performed.

    (tcb', actions) -> emit a segment into the batch | wake a thread | count | remember | forget

Owns the records of all connections, who is blocked on which, and their deadlines. It decides nothing about
TCP: that is `core.tcp.step`. Where segments come from, and what calls there are, it does not know.

Deadlines are re-armed lazily: a connection stands in the heap at `armed_us`, and what it really waits for is
looked at when it is handed out, so that a request on a living connection costs no heap operation. When a
nearer deadline comes first (a delayed ACK before an idle timeout), the farther place is kept in `parked_us`
and taken up again, so that places in the far future never pile up.
"""

import errno
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.demux import Demux
from gossamer.core.errors import Draining
from gossamer.core.loop.streamcall import (
    NOT_CONNECTED_IN_TIME,
    NOT_RECEIVED_IN_TIME,
    NOT_SENT_IN_TIME,
    said_of,
)
from gossamer.core.loop.tcp.call import (
    Connection,
    Listener,
)
from gossamer.core.loop.tcp.failure import error_for, error_of
from gossamer.core.loop.tcp.fast_open import FastOpens
from gossamer.core.loop.tcp.paths import Paths
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.tcp.actions import (
    Accepted,
    Actions,
    Deliver,
    Dropped,
    Failed,
    Failure,
    Granted,
    PathLearned,
    Remains,
    Signal,
    SoftFailure,
    Urgent,
)
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Abort, Event, PathKnown, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSink

DEADLINES_MAX: Final = 1024
"""Connections, and TIME-WAIT records, whose deadlines are looked at in one turn."""


class Connections:
    """Performs the actions of connections.

    Bounds: `connections_max` and `time_wait_max` of the parameters, DEADLINES_MAX.
    """

    def __init__(
        self, sink: PacketSink, parameters: TcpParameters, clock: Clock, fast_opens: FastOpens
    ) -> None:
        self.sink = sink
        self.fast_opens = fast_opens
        self.demux: Demux[Connection, Listener] = Demux(parameters.connections_max, parameters.time_wait_max)
        self.drops: dict[int, int] = dict.fromkeys((*DropReason, *SegmentDrop), 0)
        self._queues = Queues(self.demux, fast_opens)
        self.accepted_count = 0
        """How many octets of the SEND just stepped found room."""
        self._clock = clock
        self.deadlines: DeadlineHeap[Connection] = DeadlineHeap()
        self.paths = Paths()
        self._packets_out_total = 0
        self._retransmits_total = 0
        self._delivery_problems_total = 0
        self._performers: dict[type[Any], Callable[[Connection, Any], None]] = {
            Deliver: self._perform_deliver,
            Accepted: self._perform_accepted,
            Urgent: self._perform_urgent,
            Remains: self._perform_remains,
            Granted: fast_opens.perform_granted,
            Dropped: self._perform_dropped,
            PathLearned: self._perform_path_learned,
            Failed: self._perform_failed,
            SoftFailure: self._perform_soft_failure,
            Signal: self._perform_signal,
        }
        self._signals: dict[Signal, Callable[[Connection], None]] = {
            Signal.ESTABLISHED: self._on_established,
            Signal.SEND_SPACE: self._on_send_space,
            Signal.END_OF_STREAM: self._on_end_of_stream,
            Signal.FIN_ACKED: self._on_fin_acked,
            Signal.PACED: self._on_paced,
            Signal.DELIVERY_PROBLEM: self._on_delivery_problem,
            Signal.RETRANSMITTED: self._on_retransmitted,
            Signal.HALF_OPEN_GONE: self._queues.on_half_open_gone,
            Signal.OPENED_EARLY: self._queues.hand_out,
            Signal.FAST_OPEN_LOST: fast_opens.on_lost,
        }

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler whose threads are woken."""
        self.scheduler = scheduler
        self._resume = scheduler.resume
        self._queues.start(scheduler)

    def turn(self, now_us: int) -> int:
        """Step the connections whose deadlines have passed, then send the batch."""
        if self.deadlines.next_at_us <= now_us:
            for connection in self.deadlines.pop_due(now_us, DEADLINES_MAX):
                if connection.armed_us <= now_us:
                    self._expire(connection, now_us)
        if self.demux.time_wait_deadline_us() <= now_us:
            self.demux.expire_time_wait(now_us, DEADLINES_MAX)
        self._packets_out_total += self.sink.flush()
        return min(self.deadlines.next_at_us, self.demux.time_wait_deadline_us())

    def close(self) -> None:
        """Reset what is still open, and send that."""
        for connection in (*self.demux.connections.values(), *self.demux.half_open.values()):
            self.step(connection, Abort(self._clock()))
        self._packets_out_total += self.sink.flush()

    def statistics(self) -> dict[str, int]:
        """Counts since the start, drops by reason, and what there is now."""
        self.drops[SegmentDrop.SEND_FAILED] = self.sink.failed_total
        counts = {
            "connections": self.demux.connections_total,
            **self._queues.statistics(),
            "time_wait": len(self.demux.time_wait),
            "packets_out_total": self._packets_out_total,
            "retransmits_total": self._retransmits_total,
            "delivery_problems_total": self._delivery_problems_total,
        }
        for reason in (*DropReason, *SegmentDrop):
            counts[f"drop_{reason.name.lower()}"] = self.drops[reason]
        return counts

    # Performing what step decided.

    def step(self, connection: Connection, event: Event) -> None:
        """One step of a connection that is not over."""
        assert connection.tcb is not None
        tcb, actions = step(connection.tcb, event)
        self.perform(connection, tcb, actions)

    def perform(self, connection: Connection, tcb: Tcb | TimeWait | None, actions: Actions) -> None:
        """Do what a step of `connection` asked for; `tcb` is the connection after it."""
        if type(tcb) is not Tcb:
            return self._perform_last(connection, tcb, actions)
        connection.tcb = tcb
        for action in actions:
            if type(action) is Segment:
                self.emit(connection.flow, action)
            elif type(action) is Deliver:
                self._perform_deliver(connection, action)
            else:
                self._performers[type(action)](connection, action)
        # A later deadline is found when the armed one is handed out; only an earlier one needs arming.
        armed_us = connection.armed_us
        if tcb.ack_at_us < armed_us or tcb.rtx_at_us < armed_us or tcb.slow_at_us < armed_us:
            self.arm(connection, deadline_us(tcb))
        return None

    def _perform_last(self, connection: Connection, tcb: Tcb | TimeWait | None, actions: Actions) -> None:
        """The last actions of a connection; those who still wait for it are told."""
        connection.tcb = None
        self.demux.remove(connection.flow)
        if connection in self.fast_opens.early:
            self.fast_opens.failed(connection)
        if isinstance(tcb, TimeWait):
            self.demux.keep_time_wait(connection.flow, tcb)
        for action in actions:
            if isinstance(action, Segment):
                self.emit(connection.flow, action)
            else:
                self._performers[type(action)](connection, action)
        if connection.recv_thread is not None:
            self._on_end_of_stream(connection)
        if connection.send_thread is not None:
            self.wake_sender(connection, BrokenPipeError(errno.EPIPE, "the connection was closed"))
        if connection.closer is not None:
            self._wake_closer(connection)
        self._disarm(connection)

    def emit(self, flow: Flow, segment: Segment) -> None:
        """Put a segment into the batch; where timestamps are its only option, the sink writes them."""
        if segment.sack or segment.syn_options is not None or segment.user_timeout_s:
            self.sink.emit(flow, segment, encode_options(segment))
        else:
            self.sink.emit(flow, segment)

    def _perform_deliver(self, connection: Connection, action: Deliver) -> None:
        thread = self.take_receiver(connection)
        if thread is None:
            # A RECEIVE that is being made just now: its handler takes the octets from here.
            connection.remains = action.data
        else:
            self._resume(thread, action.data)

    def _perform_accepted(self, _connection: Connection, action: Accepted) -> None:
        self.accepted_count = action.count

    def _perform_urgent(self, connection: Connection, action: Urgent) -> None:
        if connection.on_urgent is not None:
            connection.on_urgent(action.ahead_bytes)

    def _perform_soft_failure(self, connection: Connection, action: SoftFailure) -> None:
        if connection.on_soft_error is not None:
            connection.on_soft_error(error_of(action.failure))

    def _perform_remains(self, connection: Connection, action: Remains) -> None:
        connection.remains = action.data

    def _perform_dropped(self, _connection: Connection, action: Dropped) -> None:
        self.drops[action.reason] += 1

    def _perform_path_learned(self, connection: Connection, action: PathLearned) -> None:
        self.paths.learn(connection.flow, action.mtu, self._clock())

    def _perform_failed(self, connection: Connection, action: Failed) -> None:
        connection.failure = action.failure
        error = error_for(connection, action.failure)
        self._queues.withdraw(connection)
        thread = self.take_receiver(connection)
        if thread is not None:
            self.scheduler.throw(thread, error)
        self.wake_sender(connection, error_for(connection, action.failure))
        opener, connection.opener = connection.opener, None
        if opener is not None:
            self.scheduler.throw(opener, error_of(action.failure))

    def _perform_signal(self, connection: Connection, signal: Signal) -> None:
        self._signals[signal](connection)

    def _on_established(self, connection: Connection) -> None:
        if len(self.paths):
            self._tell_path(connection)
        opener, connection.opener = connection.opener, None
        if opener is not None:
            connection.send_deadline_us = NEVER_US
            self._resume(opener, connection)
            return
        self._queues.on_established(connection)

    def _tell_path(self, connection: Connection) -> None:
        """A new connection begins with what is known of its path."""
        now_us = self._clock()
        mtu = self.paths.find(connection.flow, now_us)
        if mtu:
            self.step(connection, PathKnown(mtu, now_us))

    def _on_send_space(self, connection: Connection) -> None:
        thread, rest = connection.send_thread, connection.send_rest
        if thread is None or rest is None or connection.tcb is None:
            return
        room = connection.tcb.agreed.parameters.send_buffer_bytes - connection.tcb.snd_buf_bytes
        data = bytes(rest[:room])
        self.accepted_count = len(data)
        is_last = connection.send_is_last and len(data) == len(rest)
        self.step(connection, Send(data, self._clock(), is_last))
        rest = rest[self.accepted_count :]
        if len(rest):
            connection.send_rest = rest
            return
        connection.send_thread = connection.send_rest = None
        connection.send_deadline_us = NEVER_US
        self._resume(thread)

    def _on_end_of_stream(self, connection: Connection) -> None:
        thread = self.take_receiver(connection)
        if thread is not None:
            data, connection.remains = connection.remains, b""
            self._resume(thread, data)

    def _on_fin_acked(self, connection: Connection) -> None:
        if connection.closer is not None:
            self._wake_closer(connection)

    def _wake_closer(self, connection: Connection) -> None:
        """A close that lingered is done, or cannot be."""
        closer, connection.closer = connection.closer, None
        assert closer is not None
        connection.send_deadline_us = NEVER_US
        if connection.failure is None:
            self._resume(closer)
        else:
            self.scheduler.throw(closer, error_for(connection, connection.failure))

    def _on_paced(self, connection: Connection) -> None:
        assert connection.tcb is not None
        self.arm(connection, connection.tcb.pace_at_us)

    def _on_delivery_problem(self, connection: Connection) -> None:
        self._delivery_problems_total += 1
        self._perform_soft_failure(connection, SoftFailure(Failure.TIMED_OUT))

    def _on_retransmitted(self, _connection: Connection) -> None:
        self._retransmits_total += 1

    def emit_and_count(self, flow: Flow, actions: Actions) -> None:
        """The actions of what has no connection: segments and drops."""
        for action in actions:
            if isinstance(action, Segment):
                self.emit(flow, action)
            elif isinstance(action, Dropped):
                self.drops[action.reason] += 1

    # Deadlines.

    def _expire(self, connection: Connection, now_us: int) -> None:
        """What is due of a connection: its own timers, and the timeouts of the calls blocked on it."""
        parked_us, connection.parked_us = connection.parked_us, NEVER_US
        connection.armed_us = parked_us if parked_us > now_us else NEVER_US
        if connection.recv_deadline_us <= now_us:
            thread = self.take_receiver(connection)
            if thread is not None:
                self.scheduler.throw(thread, said_of(connection, TimeoutError(NOT_RECEIVED_IN_TIME)))
        if connection.send_deadline_us <= now_us:
            self._expire_send(connection, now_us)
        if connection.tcb is None:
            return
        self.step(connection, Timeout(now_us))
        # `perform` does not look at pacing, which would cost every packet. What was sent has armed it, unless
        # something earlier stood in the heap; and that was it.
        paced_us = NEVER_US if connection.tcb is None else connection.tcb.pace_at_us
        self.arm(connection, min(connection.recv_deadline_us, connection.send_deadline_us, paced_us))

    def _expire_send(self, connection: Connection, now_us: int) -> None:
        """The timeout of a SEND, or of an active open, which then ends."""
        if connection.closer is not None:
            return self._expire_close(connection, now_us)
        opener, connection.opener = connection.opener, None
        if opener is None:
            self.wake_sender(connection, said_of(connection, TimeoutError(NOT_SENT_IN_TIME)))
            return None
        connection.send_deadline_us = NEVER_US
        self.scheduler.throw(opener, TimeoutError(NOT_CONNECTED_IN_TIME))
        self.step(connection, Abort(now_us))
        return None

    def _expire_close(self, connection: Connection, now_us: int) -> None:
        """A close has lingered long enough: what is not acknowledged is given up."""
        closer, connection.closer = connection.closer, None
        assert closer is not None
        connection.send_deadline_us = NEVER_US
        self.scheduler.throw(closer, TimeoutError("not all was acknowledged while close lingered"))
        self.step(connection, Abort(now_us))

    def arm(self, connection: Connection, deadline_us: int) -> None:
        """Have the connection looked at by `deadline_us`; nothing happens when that is so already."""
        armed_us = connection.armed_us
        if deadline_us < armed_us:
            if connection.parked_us == NEVER_US:
                connection.parked_us = armed_us
            connection.armed_us = deadline_us
            self.deadlines.push(deadline_us, connection)

    def _disarm(self, connection: Connection) -> None:
        """A connection that has ended need not be held until its deadlines would have come."""
        for at_us in (connection.armed_us, connection.parked_us):
            if at_us != NEVER_US:
                self.deadlines.discard(at_us, connection)
        connection.armed_us = connection.parked_us = NEVER_US

    # Waking those who are blocked.

    def interrupt(self, connection: Connection) -> None:
        """Another thread closes the connection: those blocked on it are told."""
        thread = self.take_receiver(connection)
        if thread is not None:
            self.scheduler.throw(thread, error_of(Failure.ABORTED))
        self.wake_sender(connection, error_of(Failure.ABORTED))

    def take_receiver(self, connection: Connection) -> Thread[Any] | None:
        """The thread blocked in RECEIVE, which no longer is."""
        thread = connection.recv_thread
        connection.recv_thread = None
        connection.recv_bytes_max = 0
        connection.recv_deadline_us = NEVER_US
        return thread

    def wake_sender(self, connection: Connection, error: OSError) -> None:
        """Throw an error into the thread that is blocked in SEND, if there is one."""
        thread = connection.send_thread
        if thread is not None:
            connection.send_thread = connection.send_rest = None
            connection.send_deadline_us = NEVER_US
            self.scheduler.throw(thread, error)

    def interrupt_receivers(self) -> None:
        """Throw `Draining` into every thread that is blocked in a recv."""
        for connection in self.demux.connections.values():
            thread = self.take_receiver(connection)
            if thread is not None:
                self.scheduler.throw(thread, Draining("the server is draining"))
