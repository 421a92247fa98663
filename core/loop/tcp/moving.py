"""Moving: connections leave this loop as values, and come into it from another one.

    at its quiet point  ->  flow, record, where it stood  ->  another process: as if it had always been there

Which can leave, and as what value, is `core.loop.tcp.saving`; any other stays, and may have come to its quiet
point when it is asked for again.

Owns what becomes of one that leaves, and of one that comes. It knows no process and no socket: who moves them
where is `shards.moving.handover`. Where a file is not the same any more the connection is reset:
no octet of another file is ever sent.
"""

import os
from collections.abc import Coroutine, Iterator
from contextvars import copy_context
from itertools import chain
from typing import Any, Final, Protocol

import msgspec

from gossamer.core.clock import Clock
from gossamer.core.loop.continuing import (
    Announce,
    CannotGoOnError,
    NamedFile,
    is_same,
    opens_none,
    unannounced,
)
from gossamer.core.loop.handed_files import HandedFiles
from gossamer.core.loop.tcp.call import Connection, Listener, maker_of
from gossamer.core.loop.tcp.closing import TcpCloseSide
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.loop.tcp.parking import Parking
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.loop.tcp.receiving import TcpReceiveSide
from gossamer.core.loop.tcp.saving import Saving
from gossamer.core.loop.tcp.sending import TcpSendSide
from gossamer.core.loop.tcp.side import Side
from gossamer.core.records import replace
from gossamer.core.tcp.checkpoint import restored
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import pack
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.text import Extent

PARAMETERS_MAX: Final = 256
"""Sets of parameters that connections which have come share; beyond it they have their own."""


class CheckpointKeeper(Protocol):
    """What is asked of `core.loop.tcp.checkpoints`."""

    def take_in_moved(self, moved: MovedConnection, tcb: Tcb, *, is_restored: bool = False) -> None:
        """A connection has come, and is this by now: have a row say so, where that can be said."""

    def forget(self, flow: Flow) -> None:
        """A connection is elsewhere from now on."""


class Moving(Side):
    """Takes connections out and in. Bounds: what comes counts as any other connection; beyond
    `connections_max` it is reset."""

    def __init__(
        self,
        connections: Connections,
        queues: Queues,
        receiving: TcpReceiveSide,
        sending: TcpSendSide,
        closing: TcpCloseSide,
        parking: Parking,
        saving: Saving,
        clock: Clock,
    ) -> None:
        self.checkpoints: CheckpointKeeper | None = None
        """Where what comes is written down, for the case that this process is killed."""
        self._connections = connections
        self._demux = connections.demux
        self._queues = queues
        self._receiving = receiving
        self._sending = sending
        self._closing = closing
        self._parking = parking
        self._saving = saving
        self._clock = clock
        self._parameters: dict[tuple[Any, ...], TcpParameters] = {}
        self._files = connections.files
        self.handed: HandedFiles = HandedFiles()
        self._in_total = 0
        self._out_total = 0
        self._lost_total = 0
        self._restored_total = 0

    def statistics(self) -> dict[str, int]:
        """How many have come and gone, were a killed process's, and were reset since they could not go on
        here."""
        return {
            "moved_in_total": self._in_total,
            "moved_out_total": self._out_total,
            "moved_lost_total": self._lost_total,
            "restored_total": self._restored_total,
        }

    # Out.

    def flows(self) -> Iterator[Flow]:
        """What there is to move, TIME-WAIT last."""
        demux = self._demux
        return chain(demux.parked, demux.connections, demux.half_open, demux.time_wait)

    def has(self, flow: Flow) -> bool:
        """Whether a segment of that flow is for us, TIME-WAIT included."""
        return self._demux.has(flow) or flow in self._demux.time_wait

    def leave(self, flow: Flow, announce: Announce = unannounced) -> MovedConnection | None:
        """A connection that is to be elsewhere from now on, and here no more; None where it cannot leave now,
        or there is none."""
        connection = self._demux.find(flow)
        if connection is None:
            moved = self._left_at_rest(flow)
        else:
            moved = self._left(connection, announce)
        self._out_total += moved is not None
        if moved is not None and self.checkpoints is not None:
            self.checkpoints.forget(flow)
        return moved

    def _left_at_rest(self, flow: Flow) -> MovedConnection | None:
        """One in TIME-WAIT, or parked."""
        waiting = self._demux.end_time_wait(flow)
        if waiting is not None:
            return MovedConnection(flow, Standing.TIME_WAIT, encode(waiting))
        if not self._saving.is_dismissed(flow):
            return None
        announced = self._saving.announced(flow)
        moved = self._saving.resting(flow, announced, *self._parking.take_out(flow))
        self._connections.sink.forget(flow)
        return moved

    def _left(self, connection: Connection, announce: Announce) -> MovedConnection | None:
        if self._sending.ready_thread(connection) is not None:
            return None  # Only what waits can be dismissed.
        moved, saved = self._saving.saved(connection)
        if moved is None:
            return None
        for number, named in moved.files:
            announce(named, self._files.descriptors[number])
        if saved is not None and self._saving.continuing is not None:
            for named, fd in saved.files:
                announce(named, fd)
            self._saving.continuing.leave(connection)
        self._let_go(connection)
        return moved

    def _let_go(self, connection: Connection) -> None:
        self._receiving.dismiss(connection)
        self._sending.dismiss(connection)
        self._queues.let_go(connection)
        self._closing.closed.discard(connection)
        self._connections.let_go(connection)

    # In.

    def adopt(self, moved: MovedConnection) -> None:
        """Have a connection that has left elsewhere. Raises: UndecodableConnection; CannotGoOnError once it
        is reset."""
        self._in_total += 1
        flow = Flow(moved.flow)
        record = decode(moved.record)
        if isinstance(record, TimeWait):
            self._demux.keep_time_wait(flow, record)
            return
        listener = self._demux.find_listener(flow)
        if listener is None or self._demux.has(flow):
            return  # Nobody listens there any more; or the peer has opened it anew.
        tcb = self._shared(record)
        if self.checkpoints is not None:
            self.checkpoints.take_in_moved(moved, tcb)
        self._take_in(listener, flow, tcb, moved)

    def restore(self, moved: MovedConnection, tcb: Tcb) -> None:
        """Have a connection of a process that was killed, as its checkpoint says it was. Raises:
        CannotGoOnError once it is reset."""
        flow = Flow(moved.flow)
        listener = self._demux.find_listener(flow)
        if listener is None or self._demux.has(flow):
            return
        self._restored_total += 1
        tcb = restored(self._shared(tcb), self._clock())
        if self.checkpoints is not None:
            self.checkpoints.take_in_moved(moved, tcb, is_restored=True)
        self._take_in(listener, flow, tcb, moved)

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
        idle = self._saving.idle
        is_small = not self._connections.memory.has_configured(tcb)
        if moved.place is Standing.RESTING and idle is not None and not (self._demux.is_full or is_small):
            numbers = pack(tcb)
            if numbers is not None:
                make = maker_of(listener.make, moved.announced)
                self._parking.take_in(flow, tcb, (numbers, moved.until_us), idle, make)
                return
        is_full = self._demux.is_full
        connection = self._placed(listener, flow, tcb, moved.place)
        connection.announce(moved.announced)
        if is_full:
            self._reset(connection, tcb)
            return
        try:
            tcb = self._with_files(connection, tcb, moved.files)
            self._go_on(listener, connection, tcb, moved)
        except CannotGoOnError:
            self._lost_total += 1
            self._reset(connection, tcb)
            raise

    def _placed(self, listener: Listener, flow: Flow, tcb: Tcb, place: Standing) -> Connection:
        """A connection in its table."""
        is_half_open = place is Standing.HALF_OPEN
        connection = listener.make(flow, tcb, listener if is_half_open else None)
        if is_half_open:
            self._queues.add_half_open(listener, flow, connection)
        else:
            self._demux.put(flow, connection)
        return connection

    def _reset(self, connection: Connection, tcb: Tcb) -> None:
        self._connections.settle_in(connection, tcb)
        self._connections.abort(connection, self._clock())

    def _with_files(self, connection: Connection, tcb: Tcb, files: tuple[tuple[int, NamedFile], ...]) -> Tcb:
        """The record with the numbers that its files have here. Raises: CannotGoOnError."""
        if not files:
            return tcb
        numbers = {number: self._held(connection, named) for number, named in files}
        chunks = tuple(
            Extent(numbers[chunk.file], chunk.offset, chunk.length) if isinstance(chunk, Extent) else chunk
            for chunk in tcb.snd_buf
        )
        return replace(tcb, snd_buf=chunks)

    def _held(self, connection: Connection, named: NamedFile) -> int:
        """The number of a file, open for a connection. Raises: CannotGoOnError."""
        fd = self._open(named)
        try:
            if not is_same(named.identity, os.fstat(fd)):
                raise CannotGoOnError(f"{named.name!r} has changed")
            number, _ = self._files.hold(connection, fd)
        except OSError as error:
            raise CannotGoOnError(f"{named.name!r} cannot be sent from: {error.strerror}") from error
        finally:
            os.close(fd)
        return number

    def _open(self, named: NamedFile) -> int:
        """A file's descriptor, which is the caller's. Raises: CannotGoOnError."""
        return self.handed.open(
            named, opens_none if self._saving.continuing is None else self._saving.continuing.open_file
        )

    def _go_on(self, listener: Listener, connection: Connection, tcb: Tcb, moved: MovedConnection) -> None:
        """Have it stand where it stood. Raises: CannotGoOnError."""
        thread = self._restored(connection, moved.state) if moved.place is Standing.BUSY else None
        self._connections.settle_in(connection, tcb)
        if thread is not None:
            isolates = self._saving.continuing is not None and self._saving.continuing.isolates
            self._scheduler.spawn(thread, context=copy_context() if isolates else None)
        elif moved.place is Standing.CLOSED:
            self._closing.take_in(connection)
        elif moved.place is Standing.RESTING and self._saving.idle is not None:
            self._scheduler.spawn(self._saving.idle.again(connection))
        elif moved.place is not Standing.HALF_OPEN:
            self._queues.take_in(listener, connection)

    def _restored(self, connection: Connection, state: bytes) -> Coroutine[Any, Any, None]:
        """The thread that goes on. Raises: CannotGoOnError."""
        if self._saving.continuing is None:
            raise CannotGoOnError("what is served here goes on with nothing that others have begun")
        return self._saving.continuing.restore(connection, state, self._open)
