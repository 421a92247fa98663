"""Moving: connections leave this loop as values, and come into it from another one.

    at its quiet point  ->  flow, record, where it stood  ->  another process: as if it had always been there

Quiet is a connection that no thread of ours is in the midst of: parked or blocked between two requests in a
`recv_idle` that may be dismissed, half open, not accepted yet, closed by its user, or in TIME-WAIT. What is
in flight on it, or waits to be sent, moves with it, for the record is all there is (law 2). Any other stays,
and may have come to its quiet point when it is asked for again.

Owns which connections can leave, and what becomes of one that comes. It knows no process and no socket: who
moves them where is `shards.handover`.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import chain
from typing import Any, Final

import msgspec

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.call import Connection, Dismissed, Listener, TcpRecvIdle
from gossamer.core.loop.tcp.closing import TcpCloseSide
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.parking import Parking
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.loop.tcp.receiving import TcpReceiveSide
from gossamer.core.loop.tcp.side import Side
from gossamer.core.records import replace
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import pack
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.threads.introspection import blocked_in
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.text import Extent

PARAMETERS_MAX: Final = 256
"""Sets of parameters that connections which have come share; beyond it they have their own."""


class Standing(IntEnum):
    """Where a connection stood, and will stand."""

    RESTING = 1
    """Between two requests, without a thread."""
    ACCEPTABLE = 2
    """Established, in the accept queue."""
    HALF_OPEN = 3
    CLOSED = 4
    """Closed by its user, and not over."""
    TIME_WAIT = 5


class MovedConnection(msgspec.Struct, frozen=True):
    """A connection on its way."""

    flow: bytes
    place: Standing
    record: bytes
    """As `core.tcp.codec` writes it."""
    until_us: int = NEVER_US
    """When the time of the RECEIVE is over."""


class Moving(Side):
    """Takes connections out and in. Bounds: what comes counts as any other connection; beyond
    `connections_max` it is reset."""

    def __init__(
        self,
        connections: Connections,
        queues: Queues,
        receiving: TcpReceiveSide,
        closing: TcpCloseSide,
        parking: Parking,
        clock: Clock,
    ) -> None:
        self.idle: Idle | None = None
        """How the application waits for the next request, where it can go on in another thread: only what
        waits so can rest."""
        self._connections = connections
        self._demux = connections.demux
        self._queues = queues
        self._receiving = receiving
        self._closing = closing
        self._parking = parking
        self._clock = clock
        self._parameters: dict[tuple[Any, ...], TcpParameters] = {}
        self._in_total = 0
        self._out_total = 0

    def statistics(self) -> dict[str, int]:
        """How many have come and gone."""
        return {"moved_in_total": self._in_total, "moved_out_total": self._out_total}

    # Out.

    def flows(self) -> Iterator[Flow]:
        """What there is to move, TIME-WAIT last."""
        demux = self._demux
        return chain(demux.parked, demux.connections, demux.half_open, demux.time_wait)

    def has(self, flow: Flow) -> bool:
        """Whether a segment of that flow is for us, TIME-WAIT included."""
        return self._demux.has(flow) or flow in self._demux.time_wait

    def leave(self, flow: Flow) -> MovedConnection | None:
        """A connection that is to be elsewhere from now on, and here no more; None where it cannot leave now,
        or there is none."""
        moved = self._left(flow)
        self._out_total += moved is not None
        return moved

    def _left(self, flow: Flow) -> MovedConnection | None:
        waiting = self._demux.end_time_wait(flow)
        if waiting is not None:
            return MovedConnection(flow, Standing.TIME_WAIT, encode(waiting))
        parked = self._demux.parked.get(flow)
        if parked is not None:
            return (
                self._left_parked(flow) if type(parked) is Dismissed and self._is_ours(parked.idle) else None
            )
        connection = self._demux.find(flow)
        place = None if connection is None else self._place_of(connection)
        if connection is None or place is None:
            return None
        assert connection.tcb is not None
        moved = MovedConnection(flow, place, encode(connection.tcb), connection.recv_deadline_us)
        self._let_go(connection)
        return moved

    def _left_parked(self, flow: Flow) -> MovedConnection:
        tcb, until_us = self._parking.take_out(flow)
        self._connections.sink.forget(flow)
        return MovedConnection(flow, Standing.RESTING, encode(tcb), until_us)

    def _is_ours(self, idle: Idle | None) -> bool:
        return idle is not None and idle is self.idle

    def _place_of(self, connection: Connection) -> Standing | None:
        """Where it stands; None where a thread, a file or a routine of this process has a part in it."""
        tcb, flow = connection.tcb, connection.flow
        if tcb is None or connection.send_thread is not None or connection.remains:
            return None
        if any(isinstance(chunk, Extent) for chunk in tcb.snd_buf):
            return None
        if connection in self._connections.fast_opens.early:
            return None
        if connection.on_soft_error is not None or connection.on_urgent is not None:
            return None
        if connection.listener is not None:
            return Standing.HALF_OPEN if flow in self._demux.half_open else Standing.ACCEPTABLE
        if connection.is_closed:
            return None if self._closing.is_lingering(connection) else Standing.CLOSED
        return Standing.RESTING if self._is_resting(connection) else None

    def _is_resting(self, connection: Connection) -> bool:
        thread = connection.recv_thread
        if thread is None or not thread.is_alone:
            return False
        call = blocked_in(thread)
        return type(call) is TcpRecvIdle and self._is_ours(call.idle)

    def _let_go(self, connection: Connection) -> None:
        self._receiving.dismiss(connection)
        self._queues.let_go(connection)
        self._closing.closed.discard(connection)
        self._connections.let_go(connection)

    # In.

    def adopt(self, moved: MovedConnection) -> None:
        """Have a connection that has left elsewhere. Raises: UndecodableConnection."""
        self._in_total += 1
        flow = Flow(moved.flow)
        record = decode(moved.record)
        if isinstance(record, TimeWait):
            self._demux.keep_time_wait(flow, record)
            return
        listener = self._demux.find_listener(flow)
        if listener is None or self._demux.has(flow):
            return  # Nobody listens there any more; or the peer has opened it anew.
        self._take_in(listener, flow, self._shared(record), moved)

    def _shared(self, tcb: Tcb) -> Tcb:
        """The same, with the record of parameters that others have too."""
        parameters = tcb.agreed.parameters
        values = msgspec.structs.astuple(parameters)
        shared = self._parameters.get(values)
        if shared is None:
            shared = parameters
            if len(self._parameters) < PARAMETERS_MAX:
                self._parameters[values] = parameters
        return replace(tcb, agreed=replace(tcb.agreed, parameters=shared))

    def _take_in(self, listener: Listener, flow: Flow, tcb: Tcb, moved: MovedConnection) -> None:
        idle = self.idle
        if moved.place is Standing.RESTING and idle is not None and not self._demux.is_full:
            numbers = pack(tcb)
            if numbers is not None:
                self._parking.take_in(flow, tcb, (numbers, moved.until_us), idle, listener.make)
                return
        is_half_open = moved.place is Standing.HALF_OPEN
        connection = listener.make(flow, tcb, listener if is_half_open else None)
        is_full = self._demux.is_full
        if is_half_open:
            self._queues.add_half_open(listener, flow, connection)
        else:
            self._demux.connections[flow] = connection
        self._connections.settle_in(connection)
        if is_full:
            self._connections.abort(connection, self._clock())
        elif moved.place is Standing.CLOSED:
            self._closing.take_in(connection)
        elif moved.place is Standing.RESTING and idle is not None:
            self._scheduler.spawn(idle.again(connection))
        elif moved.place is not Standing.HALF_OPEN:
            self._queues.take_in(listener, connection)
