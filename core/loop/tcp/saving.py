"""What of a connection could go on elsewhere, and as what value: looked at, and left as it is.

Quiet is a connection that no thread of ours is in the midst of: parked or blocked between two requests in a
`recv_idle` that may be dismissed, half open, not accepted yet, closed by its user, or in TIME-WAIT; and one
whose thread is blocked in a call on it, and what it is about can be saved (`core.loop.continuing`). What is
in flight on it, or waits to be sent, is in its value, for the record is all there is (law 2); extents of
files by the names and identities of these. Of any other nothing can be said, until it has come to its quiet
point.

Owns where a connection stands. Who acts on it is `core.loop.tcp.moving`, and `core.loop.tcp.checkpoints`.
"""

import os
from typing import Any

from gossamer.core.loop.continuing import (
    Continuing,
    Identity,
    NamedFile,
    Saved,
    Unsent,
    is_same,
    only_thread,
)
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.call import Connection, Dismissed, announced_of
from gossamer.core.loop.tcp.closing import TcpCloseSide
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.loop.tcp.parking import Parking
from gossamer.core.loop.tcp.sending import TcpSendSide
from gossamer.core.tcp.codec import encode
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.text import Extent


class Saving:
    """Looks at the connections of a loop."""

    def __init__(
        self, connections: Connections, sending: TcpSendSide, closing: TcpCloseSide, parking: Parking
    ) -> None:
        self.idle: Idle | None = None
        """How the application waits for the next request, where it can go on in another thread: only what
        waits so can rest."""
        self.continuing: Continuing | None = None
        """How it goes on with what a thread was in the midst of; None where nothing can be saved."""
        self._demux = connections.demux
        self._early = connections.fast_opens.early
        self._files = connections.files
        self._sending = sending
        self._closing = closing
        self._parking = parking

    def save(self, flow: Flow) -> MovedConnection | None:
        """A connection as another process could go on with it now; it stays, and nothing of it changes."""
        waiting = self._demux.time_wait.get(flow)
        if waiting is not None:
            return MovedConnection(flow, Standing.TIME_WAIT, encode(waiting))
        if flow in self._demux.parked:
            if not self.is_dismissed(flow):
                return None
            return self.resting(flow, self.announced(flow), *self._parking.look_at(flow))
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
        return self.saved(connection)[0]

    def is_dismissed(self, flow: Flow) -> bool:
        """Whether it is parked without a thread, and the application can go on with it elsewhere."""
        parked = self._demux.parked.get(flow)
        return type(parked) is Dismissed and self._is_ours(parked.idle)

    def announced(self, flow: Flow) -> Flow:
        """What a proxy has said of one that is parked without a thread."""
        return announced_of(self._demux.parked[flow])

    @staticmethod
    def resting(flow: Flow, announced: Flow, tcb: Tcb, until_us: int) -> MovedConnection:
        """One that is parked without a thread."""
        return MovedConnection(flow, Standing.RESTING, encode(tcb), until_us, announced=announced)

    def saved(self, connection: Connection) -> tuple[MovedConnection | None, Saved | None]:
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
