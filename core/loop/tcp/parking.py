"""Parking: what an idle connection is while nothing happens on it.

    blocked in a recv, quiet for `park_after`  ->  its numbers (`core.tcp.parked`), and who waits
    a segment, a timer, a call, the end        ->  the connection again, and the step that it is for

Who waits is the stream, with its thread blocked in recv; or, where the thread said by its call that it can be
dismissed (`recv_idle`), only what is to be started when there is something to receive. Such a connection is
no object any more: a key, numbers, and two places in tables.

Owns when a connection is parked, and what ends its rest. Nothing is looked for: a connection is looked at
when it comes up in the heap of deadlines, where it stands for this too; one on which something happens costs
nothing for it. Bounds: as the deadlines, DEADLINES_MAX in a turn.
"""

from collections.abc import Callable
from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import Draining
from gossamer.core.loop.streamcall import NOT_RECEIVED_IN_TIME, Idle, draining, said_of
from gossamer.core.loop.tcp.call import Asleep, Connection, Dismissed, Parked, maker_of
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.receiving import TcpReceiveSide
from gossamer.core.loop.tcp.side import Side
from gossamer.core.records import replace
from gossamer.core.tcp.events import Event, SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import pack, records, unpack
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.segment import Segment

RESOLUTION_US: Final = 250_000
"""Ticks of the parked: coarse ones are shared by many. The timeout of one is late by so much at most."""

WOKEN_MAX: Final = 64
"""Parked connections whose time has come that are woken in one turn: as many threads as run in the next."""


class Parking(Side):
    """Parks connections, and wakes them. Bounds: DEADLINES_MAX are parked and WOKEN_MAX woken by their timers
    in a turn."""

    def __init__(
        self, connections: Connections, receiving: TcpReceiveSide, parameters: TcpParameters
    ) -> None:
        self._connections = connections
        self._demux = connections.demux
        self._receiving = receiving
        self._park_after_us = parameters.park_after_us
        self._deadlines: DeadlineHeap[Flow] = DeadlineHeap(RESOLUTION_US)
        self._tick_us = NEVER_US
        self._ending: list[tuple[Thread[None], Connection, OSError | Draining]] = []
        """Threads that were started to hear that the RECEIVE, which they are about to make, is over."""
        self._parked_total = 0

    @property
    def next_at_us(self) -> int:
        """When `turn` has something to do; 0 while threads that it has started have not run."""
        return 0 if self._ending else self._deadlines.next_at_us

    def statistics(self) -> dict[str, int]:
        """How many are parked, and how often one was."""
        return {"parked": len(self._demux.parked), "parked_total": self._parked_total}

    # Into the parking place.

    def due_us(self, connection: Connection) -> int:
        """When to look whether a connection can be parked."""
        tcb = connection.tcb
        if tcb is None or tcb.state is not State.ESTABLISHED or self._park_after_us >= NEVER_US:
            return NEVER_US
        now_us = self._scheduler.now_us()
        idle_us = self._last_us(tcb) + self._park_after_us
        return idle_us if idle_us > now_us else now_us + self._park_after_us

    @staticmethod
    def _last_us(tcb: Tcb) -> int:
        """When something last happened."""
        return max(tcb.rcv_at_us, tcb.snd_at_us)

    def park(self, connection: Connection, now_us: int) -> bool:
        """Park a connection if it is idle; whether it was."""
        tcb = connection.tcb
        if (
            tcb is None
            or connection.recv_thread is None
            or connection.send_thread is not None
            or self._connections.memory.is_small(connection)
            or now_us - self._last_us(tcb) < self._park_after_us
        ):
            return False
        numbers = pack(tcb)
        if numbers is None:
            return False
        self._parked_total += 1
        self._connections.lay_down(connection)
        self._put(connection.flow, tcb, self._record(connection, tcb, numbers))
        return True

    def _record(self, connection: Connection, tcb: Tcb, numbers: bytes) -> Parked:
        """What is kept, and by whom it is waited for."""
        assert connection.recv_thread is not None
        until_us = self._ticked(connection.recv_deadline_us)
        kept = (numbers, records(tcb), tcb.agreed.parameters, until_us)
        idle = connection.idle
        is_named = connection.on_soft_error is not None or connection.on_urgent is not None
        if idle is None or is_named or not connection.recv_thread.is_alone:
            return Asleep(*kept, connection)
        self._receiving.dismiss(connection)
        return Dismissed(*kept, idle, maker_of(type(connection), connection.announced))

    def _ticked(self, at_us: int) -> int:
        """The end of its tick, the same int for all who follow each other in one."""
        tick_us = min(-(-at_us // RESOLUTION_US) * RESOLUTION_US, NEVER_US)
        if tick_us != self._tick_us:
            self._tick_us = tick_us
        return self._tick_us

    def _put(self, flow: Flow, tcb: Tcb, record: Parked) -> None:
        self._demux.park(flow, record)
        self._arm(flow, tcb, record)

    def take_in(
        self,
        flow: Flow,
        tcb: Tcb,
        kept: tuple[bytes, int],
        idle: Idle,
        kind: Callable[..., Connection],
    ) -> None:
        """Park one that rested elsewhere, by its numbers and until when; the caller has asked `is_full`."""
        numbers, until_us = kept
        parameters = tcb.agreed.parameters
        record = Dismissed(numbers, records(tcb), parameters, self._ticked(until_us), idle, kind)
        self._demux.put_parked(flow, record)
        self._arm(flow, tcb, record)

    def _arm(self, flow: Flow, tcb: Tcb, record: Parked) -> None:
        due_us = min(record.until_us, deadline_us(tcb))
        if due_us < NEVER_US:
            self._deadlines.push(due_us, flow)

    # Out of it.

    def look_at(self, flow: Flow) -> tuple[Tcb, int]:
        """One that stays: as it is, and until when it waits."""
        parked = self._demux.parked[flow]
        return unpack(parked.numbers, parked.records, parked.parameters), parked.until_us

    def take_out(self, flow: Flow) -> tuple[Tcb, int]:
        """One that is elsewhere from now on: as it was, and until when it waits."""
        tcb, until_us = self.look_at(flow)
        self._demux.remove_parked(flow)
        self._deadlines.discard(min(until_us, deadline_us(tcb)), flow)
        return tcb, until_us

    def wake(self, flow: Flow) -> Connection:
        """The connection of a flow that is parked, which no longer is."""
        parked = self._demux.parked[flow]
        tcb = unpack(parked.numbers, parked.records, parked.parameters)
        self._deadlines.discard(min(parked.until_us, deadline_us(tcb)), flow)
        if type(parked) is Asleep:
            connection = parked.connection
        else:
            assert type(parked) is Dismissed
            connection = parked.kind(flow, tcb, None)
        self._connections.take_up(connection, tcb)
        return connection

    def rouse(self, connection: Connection) -> Tcb | None:
        """What a call finds of a connection: it is woken for it. None once the connection is over."""
        parked = self._demux.parked.get(connection.flow)
        if type(parked) is Asleep and parked.connection is connection:
            self.wake(connection.flow)
        return connection.tcb

    def segment_arrives(self, flow: Flow, segment: Segment, now_us: int) -> None:
        """A segment for a flow that is parked."""
        parked = self._demux.parked[flow]
        bytes_max = parked.connection.recv_bytes_max if type(parked) is Asleep else 0
        self.happens(flow, SegmentArrives(segment, now_us, bytes_max))

    def happens(self, flow: Flow, event: Event) -> None:
        """An event for a flow that is parked."""
        parked = self._demux.parked[flow]
        connection = self.wake(flow)
        self._connections.step(connection, event)
        self._go_on(connection, parked)

    def _go_on(self, connection: Connection, parked: Parked) -> None:
        """Where a thread was dismissed, start one once there is something to receive; else the rest goes
        on."""
        tcb = connection.tcb
        if type(parked) is not Dismissed or tcb is None:
            return
        numbers = pack(tcb)
        if numbers is None:
            self._scheduler.spawn(parked.idle.again(connection))
            return
        self._connections.lay_down(connection)
        kept = replace(parked, numbers=numbers, records=records(tcb), parameters=tcb.agreed.parameters)
        self._put(connection.flow, tcb, kept)

    def turn(self, now_us: int) -> None:
        """Wake those whose time has come: a timer of the connection, or the timeout of the RECEIVE."""
        if self._ending:
            self._end_receives()
        if self._ending:
            return
        for flow in self._deadlines.pop_due(now_us, WOKEN_MAX):
            parked = self._demux.parked[flow]
            connection = self.wake(flow)
            if type(parked) is Dismissed and parked.until_us <= now_us:
                self._end(connection, parked, said_of(connection, TimeoutError(NOT_RECEIVED_IN_TIME)))
            else:
                self._connections.expire(connection, now_us)
                self._go_on(connection, parked)

    def drain(self, flow: Flow) -> None:
        """The server drains: whoever is, or would be, blocked in a RECEIVE hears of it."""
        parked = self._demux.parked.get(flow)
        connection = self._demux.connections.get(flow) if parked is None else self.wake(flow)
        if type(parked) is Dismissed and connection is not None:
            self._end(connection, parked, draining())
        elif connection is not None:
            self._receiving.throw(connection, draining())

    def _end(self, connection: Connection, parked: Dismissed, error: OSError | Draining) -> None:
        """Start the thread that was dismissed, and have its RECEIVE end as it would have."""
        thread = self._scheduler.spawn(parked.idle.again(connection))
        self._ending.append((thread, connection, error))

    def _end_receives(self) -> None:
        ending, self._ending = self._ending, []
        for thread, connection, error in ending:
            if thread.inbox is None and not thread.has_ended:
                self._ending.append((thread, connection, error))  # it has not run yet
            elif connection.recv_thread is thread:
                self._receiving.throw(connection, error)
