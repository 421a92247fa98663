"""Moving: connections leave this loop as values, and come into it from another one.

    at its quiet point  ->  flow, record, where it stood  ->  another process: as if it had always been there

Quiet is a connection that no thread of ours is in the midst of: parked or blocked between two requests in a
`recv_idle` that may be dismissed, half open, not accepted yet, closed by its user, or in TIME-WAIT; and one
whose thread is blocked in a call on it, and what it is about can be saved (`core.loop.continuing`). What is
in flight on it, or waits to be sent, moves with it, for the record is all there is (law 2); extents of files
by the names and identities of these. Any other stays, and may have come to its quiet point when it is asked
for again.

Owns which connections can leave, and what becomes of one that comes. It knows no process and no socket: who
moves them where is `shards.moving.handover`. Where a file is not the same any more the connection is reset:
no octet of another file is ever sent.
"""

import os
from collections.abc import Coroutine, Iterator
from contextvars import copy_context
from enum import IntEnum
from itertools import chain
from typing import Any, Final, Protocol

import msgspec

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.loop.continuing import (
    Announce,
    CannotGoOnError,
    Continuing,
    Identity,
    NamedFile,
    Saved,
    Unsent,
    is_same,
    only_thread,
    opens_none,
    unannounced,
)
from gossamer.core.loop.handed_files import HandedFiles
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.call import (
    Connection,
    Dismissed,
    Listener,
    announced_of,
    maker_of,
)
from gossamer.core.loop.tcp.closing import TcpCloseSide
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.parking import Parking
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.loop.tcp.receiving import TcpReceiveSide
from gossamer.core.loop.tcp.sending import TcpSendSide
from gossamer.core.loop.tcp.side import Side
from gossamer.core.records import replace
from gossamer.core.tcp.checkpoint import restored
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import pack
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.proxy_protocol import NOBODY
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
    BUSY = 6
    """In the midst of what its thread was about, which was saved."""


class MovedConnection(msgspec.Struct, frozen=True):
    """A connection on its way."""

    flow: bytes
    place: Standing
    record: bytes
    """As `core.tcp.codec` writes it."""
    until_us: int = NEVER_US
    """When the time of the RECEIVE is over."""
    state: bytes = b""
    """What its thread was about, where it was busy."""
    files: tuple[tuple[int, NamedFile], ...] = ()
    """The files of which extents stand in its send buffer, by their numbers in the record."""
    announced: bytes = NOBODY
    """The flow that a proxy has announced for it."""


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
        clock: Clock,
    ) -> None:
        self.idle: Idle | None = None
        """How the application waits for the next request, where it can go on in another thread: only what
        waits so can rest."""
        self.continuing: Continuing | None = None
        """How it goes on with what a thread was in the midst of; None where nothing can be saved."""
        self.checkpoints: CheckpointKeeper | None = None
        """Where what comes is written down, for the case that this process is killed."""
        self._connections = connections
        self._demux = connections.demux
        self._early = connections.fast_opens.early
        self._queues = queues
        self._receiving = receiving
        self._sending = sending
        self._closing = closing
        self._parking = parking
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

    def save(self, flow: Flow) -> MovedConnection | None:
        """A connection as another process could go on with it now; it stays, and nothing of it changes."""
        waiting = self._demux.time_wait.get(flow)
        if waiting is not None:
            return MovedConnection(flow, Standing.TIME_WAIT, encode(waiting))
        if flow in self._demux.parked:
            if not self._is_dismissed(flow):
                return None
            return self._resting(flow, self._announced(flow), *self._parking.look_at(flow))
        connection = self._demux.find(flow)
        return None if connection is None else self.save_open(connection)

    def note_sent(self) -> dict[Connection, Thread[Any]]:
        """See `TcpSendSide`: what can be saved there."""
        return self._sending.note_sent()

    def is_waiting(self, connection: Connection) -> bool:
        """Whether its thread is in no call but one that waits, or has waited and not gone on since, or it has
        none any more: it is as it was, whatever a step has still to ask for."""
        if connection.is_closed:
            return connection in self._closing.closed
        thread = connection.send_thread or connection.recv_thread or self._sending.ready_thread(connection)
        return thread is not None

    def save_open(self, connection: Connection) -> MovedConnection | None:
        """The same of one that is neither parked nor in TIME-WAIT."""
        return self._saved(connection)[0]

    def _left_at_rest(self, flow: Flow) -> MovedConnection | None:
        """One in TIME-WAIT, or parked."""
        waiting = self._demux.end_time_wait(flow)
        if waiting is not None:
            return MovedConnection(flow, Standing.TIME_WAIT, encode(waiting))
        if not self._is_dismissed(flow):
            return None
        moved = self._resting(flow, self._announced(flow), *self._parking.take_out(flow))
        self._connections.sink.forget(flow)
        return moved

    def _is_dismissed(self, flow: Flow) -> bool:
        parked = self._demux.parked.get(flow)
        return type(parked) is Dismissed and self._is_ours(parked.idle)

    def _announced(self, flow: Flow) -> Flow:
        """What a proxy has said of one that is parked without a thread."""
        return announced_of(self._demux.parked[flow])

    @staticmethod
    def _resting(flow: Flow, announced: Flow, tcb: Tcb, until_us: int) -> MovedConnection:
        return MovedConnection(flow, Standing.RESTING, encode(tcb), until_us, announced=announced)

    def _left(self, connection: Connection, announce: Announce) -> MovedConnection | None:
        if self._sending.ready_thread(connection) is not None:
            return None  # Only what waits can be dismissed.
        moved, saved = self._saved(connection)
        if moved is None:
            return None
        for number, named in moved.files:
            announce(named, self._files.descriptors[number])
        if saved is not None and self.continuing is not None:
            for named, fd in saved.files:
                announce(named, fd)
            self.continuing.leave(connection)
        self._let_go(connection)
        return moved

    def _saved(self, connection: Connection) -> tuple[MovedConnection | None, Saved | None]:
        """A connection as it is, and what its thread is about where it is busy; None where it cannot leave
        now."""
        place, tcb = self.place_of(connection), connection.tcb
        files = None if place is None or tcb is None else self._named(tcb)
        if place is None or tcb is None or files is None:
            return None, None
        saved = self._what_is_done(connection) if place is Standing.BUSY else None
        if place is Standing.BUSY and saved is None:
            return None, None
        until_us, state = connection.recv_deadline_us, b"" if saved is None else saved.state
        about = (until_us, state, files, connection.announced)
        return MovedConnection(connection.flow, place, encode(tcb), *about), saved

    def _what_is_done(self, connection: Connection) -> Saved | None:
        """What its thread is about, where that can be said."""
        sending = connection.send_thread or self._sending.ready_thread(connection)
        if self.continuing is None or only_thread(connection.recv_thread, sending) is None:
            return None
        if self._demux.find_listener(connection.flow) is None:
            return None  # It was opened from here.
        return self.continuing.save(connection, self._unsent(connection))

    @staticmethod
    def _unsent(connection: Connection) -> Unsent:
        """What the blocked SEND has not put into the send buffer yet."""
        rest = connection.send_rest
        if rest is None:
            return b""
        return rest.data if isinstance(rest.data, Extent) else bytes(rest.data)

    def _named(self, tcb: Tcb) -> tuple[tuple[int, NamedFile], ...] | None:
        """The files of which extents stand in the send buffer; None where one has changed since, which goes
        on being sent here alone."""
        numbers = sorted({chunk.file for chunk in tcb.snd_buf if isinstance(chunk, Extent)})
        files = self._files
        for number in numbers:
            if not is_same(files.identity_of(number), os.fstat(files.descriptors[number])):
                return None
        return tuple((number, self._name_of(files.identity_of(number))) for number in numbers)

    def _name_of(self, identity: Identity) -> NamedFile:
        return NamedFile("" if self.continuing is None else self.continuing.name_of(identity), identity)

    def _is_ours(self, idle: Idle | None) -> bool:
        return idle is not None and idle is self.idle

    def place_of(self, connection: Connection) -> Standing | None:
        """Where it stands; None where it, or a routine of this process, is in the midst of what no other can
        go on with."""
        if self.is_resting(connection):
            return Standing.RESTING
        if connection.tcb is None or connection.remains or connection in self._early:
            return None
        if connection.on_soft_error is not None or connection.on_urgent is not None:
            return None
        if connection.listener is not None:
            is_half_open = connection.flow in self._demux.half_open
            return Standing.HALF_OPEN if is_half_open else Standing.ACCEPTABLE
        if connection.is_closed:
            return None if self._closing.is_lingering(connection) else Standing.CLOSED
        return Standing.BUSY

    def is_resting(self, connection: Connection) -> bool:
        """Whether it is between two requests, and its thread can be dismissed."""
        thread = connection.recv_thread
        if thread is None or connection.send_thread is not None or connection.listener is not None:
            return False
        if connection.is_closed or connection.remains or connection in self._early:
            return False
        if connection.on_soft_error is not None or connection.on_urgent is not None:
            return False
        if thread.joiners is not None or thread.scope is not None or thread.context is not None:
            return False
        return self._is_ours(connection.idle)

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
        idle = self.idle
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
        return self.handed.open(named, opens_none if self.continuing is None else self.continuing.open_file)

    def _go_on(self, listener: Listener, connection: Connection, tcb: Tcb, moved: MovedConnection) -> None:
        """Have it stand where it stood. Raises: CannotGoOnError."""
        thread = self._restored(connection, moved.state) if moved.place is Standing.BUSY else None
        self._connections.settle_in(connection, tcb)
        if thread is not None:
            isolates = self.continuing is not None and self.continuing.isolates
            self._scheduler.spawn(thread, context=copy_context() if isolates else None)
        elif moved.place is Standing.CLOSED:
            self._closing.take_in(connection)
        elif moved.place is Standing.RESTING and self.idle is not None:
            self._scheduler.spawn(self.idle.again(connection))
        elif moved.place is not Standing.HALF_OPEN:
            self._queues.take_in(listener, connection)

    def _restored(self, connection: Connection, state: bytes) -> Coroutine[Any, Any, None]:
        """The thread that goes on. Raises: CannotGoOnError."""
        if self.continuing is None:
            raise CannotGoOnError("what is served here goes on with nothing that others have begun")
        return self.continuing.restore(connection, state, self._open)
