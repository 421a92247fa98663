"""The connections of the functional TCP: each stepped, and what its step decided performed.

    (tcb', actions) -> emit a segment into the batch | a side wakes a thread | count | remember | forget

Owns the tables of connections, and `tcb` and `failure` of a connection's record. It decides nothing about
TCP: that is `core.tcp.step`. The sides know who is blocked on a connection (`core.loop.tcp.side`). It does
not know where segments come from, nor which calls there are.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import chain, islice
from typing import Any, Final

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.demux import Demux
from gossamer.core.loop.interrupting import Interruption
from gossamer.core.loop.tcp.call import Connection, Listener, Parked
from gossamer.core.loop.tcp.deadlines import DEADLINES_MAX, TcpDeadlines
from gossamer.core.loop.tcp.door import Door
from gossamer.core.loop.tcp.emission import emit
from gossamer.core.loop.tcp.fast_open import FastOpens
from gossamer.core.loop.tcp.files import HeldFiles
from gossamer.core.loop.tcp.memory import MemoryAccount
from gossamer.core.loop.tcp.notices import Notices
from gossamer.core.loop.tcp.paths import Paths
from gossamer.core.loop.tcp.side import ParkingPlace, Side
from gossamer.core.tcp.actions import (
    Actions,
    Deliver,
    Dropped,
    Failed,
    Failure,
    Granted,
    PathLearned,
    Signal,
)
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Abort, Event, IcmpError, PathKnown, Report, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSink, TooLong

CLOSED_MAX: Final = 16_384
"""Connections that are reset when the loop is closed: a fraction of a second of work, whatever there is."""


def nothing(_at_hand: object = None) -> None:
    """Nothing is to be done before a batch is sent."""


class Connections:
    """Performs the actions of connections.

    Bounds: `connections_max` and `time_wait_max` of the parameters, DEADLINES_MAX, CLOSED_MAX.
    """

    def __init__(
        self, sink: PacketSink, parameters: TcpParameters, clock: Clock, fast_opens: FastOpens
    ) -> None:
        self.sink = sink
        self.fast_opens = fast_opens
        self.demux: Demux[Connection, Listener, Parked] = Demux(
            parameters.connections_max, parameters.time_wait_max
        )
        self.drops: dict[int, int] = dict.fromkeys((*DropReason, *SegmentDrop), 0)
        self.door: Door = Door()
        self.deadlines: TcpDeadlines = TcpDeadlines()
        self._stepped: list[Connection] | None = None
        self._performed: list[Actions] = []
        """Where each step is noted for checkpoints; None where there are none."""
        self._before_sending: Callable[[], None] = nothing
        self._before_sending_early: Callable[[Connection | None], None] = nothing
        self._unarmed: list[Connection] = []
        """Connections whose next deadline was earlier than what they are armed for, when they were stepped
        since the last turn. Bounds: as many as steps of a turn."""
        self.files: HeldFiles = HeldFiles(sink.forget_file)
        sink.read_from(self.files.descriptors)
        self._holding = self.files.held
        self.memory: MemoryAccount = MemoryAccount(parameters, self.step, self._holding, clock)
        self._holders = self.memory.holders
        self._clock = clock
        self._paths = Paths()
        self._sides: tuple[Side, ...] = ()
        self._packets_out_total = 0
        self._notices = Notices(sink)
        self._performers: dict[type[Any], Callable[[Connection, Any], None]] = {
            **self._notices.performs,
            Granted: fast_opens.perform_granted,
            Dropped: self._perform_dropped,
            PathLearned: self._perform_path_learned,
            Failed: self._perform_failed,
            Signal: self._perform_signal,
        }
        self._signals: dict[Signal, Callable[[Connection], None]] = {
            Signal.PACED: self._on_paced,
            **self._notices.signals,
            Signal.FAST_OPEN_LOST: fast_opens.on_lost,
        }

    def join(self, *sides: Side, parking: ParkingPlace, interruption: Interruption[Flow]) -> None:
        """Perform from now on what these perform, and ask them in this order; have each turn go on with what
        is parked and with the interruption."""
        self._sides = sides
        self._parking = parking
        self._interruption = interruption
        self.rouse: Callable[[Connection], Tcb | None] = parking.rouse
        for side in sides:
            self._performers.update(side.performs)
            self._signals.update(side.signals)
        self._deliver = self._performers[Deliver]

    def note_steps(
        self,
        stepped: list[Connection],
        performed: list[Actions],
        before_sending: Callable[[], None],
        before_sending_early: Callable[[Connection | None], None],
        before_sending_amid: Callable[[], None],
    ) -> None:
        """Note every step from now on, whose and what it asked for, in two lists; and have one of these
        called before what they say is sent: at the end of a turn; early, with the connection that is at hand;
        in the midst of a step."""
        self._stepped, self._performed = stepped, performed
        self._before_sending, self._before_sending_early = before_sending, before_sending_early
        self.sink.call_before_sending(before_sending_amid)

    def turn(self, now_us: int) -> int:
        """Step the connections whose deadlines have passed, then send the batch."""
        if self.deadlines.next_at_us <= now_us:
            for connection in self.deadlines.due(now_us):
                self.expire(connection, now_us)
        if self._parking.next_at_us <= now_us:
            self._parking.turn(now_us)
        due_us = self.memory.turn() if self.memory.due else NEVER_US
        if self._interruption.left and self._parking.next_at_us:  # else those of the turn before come first
            due_us = min(due_us, self._interruption.go_on())
        if self.demux.time_wait_deadline_us() <= now_us:
            self.demux.expire_time_wait(now_us, DEADLINES_MAX)
        if self._stepped:
            self._before_sending()
        self._packets_out_total += self.sink.flush()
        too_long = self.sink.take_too_long()
        if too_long:
            self._send_smaller(too_long)
        unreadable = self.sink.take_unreadable()
        if unreadable:
            self._end_unreadable(unreadable, now_us)
        if self.files.expires_at_us <= now_us:
            self.files.expire(now_us)
        if self._unarmed:
            self._arm()
        due_us = min(due_us, self.deadlines.next_at_us, self._parking.next_at_us, self.files.expires_at_us)
        return min(due_us, self.demux.time_wait_deadline_us())

    def _arm(self) -> None:
        """Arm what was stepped in this turn and still needs it: an answer that has left took with it the ACK
        that the request had made due."""
        for connection in self._unarmed:
            tcb, armed_us = connection.tcb, connection.armed_us
            if tcb is None or (
                tcb.ack_at_us >= armed_us and tcb.rtx_at_us >= armed_us and tcb.slow_at_us >= armed_us
            ):
                continue
            self.deadlines.arm(connection, deadline_us(tcb))
        self._unarmed.clear()

    def _send_smaller(self, too_long: Sequence[TooLong]) -> None:
        """What our own links did not take goes again at once. RFC 1191 3: an estimate of the path's MTU is
        never above that of the first hop."""
        for flow, seq, mtu in too_long:
            connection = self.demux.find(flow)
            if connection is not None:
                self.step(connection, IcmpError(seq, Report.TOO_BIG_HERE, self._clock(), mtu=mtu))
        self._packets_out_total += self.sink.flush()

    def _end_unreadable(self, unreadable: Collection[Flow], now_us: int) -> None:
        """Reset the connections that have promised what their file has no more."""
        for flow in unreadable:
            connection = self.demux.connections.get(flow)
            if connection is not None and connection.tcb is not None:
                self._perform_failed(connection, Failed(Failure.FILE_CUT))
                self.step(connection, Abort(now_us))
        self._packets_out_total += self.sink.flush()

    def expire(self, connection: Connection, now_us: int) -> None:
        """What is due of a connection: the timeouts of the calls blocked on it, and its own timers. An idle
        one is parked."""
        for side in self._sides:
            side.expire(connection, now_us)
        before = connection.tcb
        if before is None:
            return
        if deadline_us(before) <= now_us:  # else it has moved since it was armed, as it mostly does
            self.step(connection, Timeout(now_us))
        after = connection.tcb
        if after is not None and not self._parking.park(connection, now_us):
            self.deadlines.arm(connection, min(self._due_us(connection), deadline_us(after)))

    def _due_us(self, connection: Connection) -> int:
        """When the first of the sides wants it looked at."""
        due_us = NEVER_US
        for side in self._sides:
            side_due_us = side.due_us(connection)
            if side_due_us < due_us:
                due_us = side_due_us
        return due_us

    def look_after(self, connection: Connection) -> None:
        """Have a new connection looked at, if no timer will."""
        if connection.armed_us >= NEVER_US:
            self.deadlines.arm(connection, self._due_us(connection))

    def lay_down(self, connection: Connection) -> None:
        """A connection is parked."""
        connection.tcb = None
        self.memory.forget(connection)
        self.deadlines.disarm(connection)

    def take_up(self, connection: Connection, tcb: Tcb) -> None:
        """A connection is parked no longer."""
        connection.tcb = tcb
        self.demux.unpark(connection.flow, connection)
        self.deadlines.arm(connection, self._due_us(connection))

    def let_go(self, connection: Connection) -> None:
        """A connection is elsewhere from now on."""
        self.lay_down(connection)
        self.demux.remove(connection.flow)
        self.files.settle(connection, self._clock())
        self.sink.forget(connection.flow)

    def settle_in(self, connection: Connection, tcb: Tcb) -> None:
        """A connection has come from elsewhere, and is this: its timers run here."""
        connection.tcb = tcb
        self.deadlines.arm(connection, min(deadline_us(tcb), tcb.pace_at_us, self._due_us(connection)))
        self.memory.welcome(connection)

    def close(self) -> None:
        """Reset what is still open, the first CLOSED_MAX, and send that. The others' peers hear of it from
        whoever answers for the port when they next send."""
        demux, now_us = self.demux, self._clock()
        for flow in tuple(islice(chain(demux.connections, demux.half_open, demux.parked), CLOSED_MAX)):
            self.step(demux.find(flow) or self._parking.wake(flow), Abort(now_us))
        self._packets_out_total += self.sink.flush()
        self.files.close()

    def statistics(self) -> dict[str, int]:
        """Counts since the start, drops by reason, and what there is now."""
        self.drops[SegmentDrop.SEND_FAILED] = self.sink.failed_total
        counts = {
            "connections": self.demux.connections_total,
            "time_wait": len(self.demux.time_wait),
            "packets_out_total": self._packets_out_total,
            "frames_out_total": self.sink.frames_total,
            **self._notices.statistics(),
            **self.memory.statistics(),
        }
        for reason in (*DropReason, *SegmentDrop):
            counts[f"drop_{reason.name.lower()}"] = self.drops[reason]
        return counts

    # One connection.

    def step(self, connection: Connection, event: Event) -> None:
        """One step of a connection that is not over."""
        tcb, actions = self.door.ask(step, connection.flow, connection.tcb, event)
        self.perform(connection, tcb, actions)

    def abort(self, connection: Connection, now_us: int) -> None:
        """Its user gives it up."""
        connection.failure = Failure.ABORTED
        if connection.tcb is not None:
            self.step(connection, Abort(now_us))

    def forget(self, connection: Connection) -> None:
        """A half-open connection goes; its peer hears so when it answers."""
        self._perform_last(connection, None, ())

    def make_path_known(self, connection: Connection) -> None:
        """A new connection begins with what is known of its path."""
        if len(self._paths):
            now_us = self._clock()
            mtu = self._paths.find(connection.flow, now_us)
            if mtu:
                self.step(connection, PathKnown(mtu, now_us))

    # Performing what was decided.

    def make_room(self, at_hand: Connection | None) -> None:
        """Where steps are noted, send what the batch has before the next one, of this connection, may fill
        it: were it full in the midst of that, nothing true could be said of the connection before the end of
        the turn."""
        if self._stepped and self.sink.is_filling:
            self._before_sending_early(at_hand)
            self._packets_out_total += self.sink.flush()

    def note(self, connection: Connection, actions: Actions) -> None:
        """Somebody else has performed these."""
        if self._stepped is not None:
            self._stepped.append(connection)
            self._performed.append(actions)

    def perform(self, connection: Connection, tcb: Tcb | TimeWait | None, actions: Actions) -> None:
        """Do what a step of `connection` asked for; `tcb` is the connection after it."""
        if type(tcb) is not Tcb:
            return self._perform_last(connection, tcb, actions)
        if self._stepped is not None:
            # Only for what emits: of three steps of a request it is one.
            if actions and type(actions[0]) is Segment:
                self.make_room(connection)
            self._stepped.append(connection)
            self._performed.append(actions)
        connection.tcb = tcb
        for action in actions:
            if type(action) is Segment:
                emit(self.sink, connection.flow, action)
            elif type(action) is Deliver:
                self._deliver(connection, action)
            else:
                self._performers[type(action)](connection, action)
        # A later deadline is found when the armed one is handed out; only an earlier one needs arming.
        armed_us = connection.armed_us
        if tcb.ack_at_us < armed_us or tcb.rtx_at_us < armed_us or tcb.slow_at_us < armed_us:
            self._unarmed.append(connection)
        if self._holders and connection in self._holders:
            self.memory.count(connection, tcb)
        if self._holding and connection in self._holding:
            self.files.settle(connection, self._clock())
        return None

    def _perform_last(self, connection: Connection, tcb: Tcb | TimeWait | None, actions: Actions) -> None:
        """The last actions of a connection; those who still wait for it are answered."""
        if self._stepped is not None:
            self.make_room(connection)
            self._stepped.append(connection)
            self._performed.append(actions)
        connection.tcb = None
        self.demux.remove(connection.flow)
        if connection in self.fast_opens.early:
            self.fast_opens.failed(connection)
        if isinstance(tcb, TimeWait):
            self.demux.keep_time_wait(connection.flow, tcb)
        for action in actions:
            if isinstance(action, Segment):
                emit(self.sink, connection.flow, action)
            else:
                self._performers[type(action)](connection, action)
        for side in self._sides:
            side.ended(connection)
        if connection in self._holding:
            self.files.settle(connection, self._clock())
        self.memory.forget(connection)
        self.deadlines.disarm(connection)
        self.sink.forget(connection.flow)

    def emit_and_count(self, flow: Flow, actions: Actions) -> None:
        """The actions of what has no connection: segments and drops."""
        self.make_room(None)
        for action in actions:
            if isinstance(action, Segment):
                emit(self.sink, flow, action)
            elif isinstance(action, Dropped):
                self.drops[action.reason] += 1

    def _perform_failed(self, connection: Connection, action: Failed) -> None:
        connection.failure = action.failure
        for side in self._sides:
            side.failed(connection, action.failure)

    def _perform_dropped(self, _connection: Connection, action: Dropped) -> None:
        self.drops[action.reason] += 1

    def _perform_path_learned(self, connection: Connection, action: PathLearned) -> None:
        self._paths.learn(connection.flow, action.mtu, self._clock())

    def _perform_signal(self, connection: Connection, signal: Signal) -> None:
        self._signals[signal](connection)

    def _on_paced(self, connection: Connection) -> None:
        assert connection.tcb is not None
        self.deadlines.arm(connection, connection.tcb.pace_at_us)
