"""Moving: kernel connections leave this loop with their sockets, and come into it from another process.

    at its quiet point  ->  where it stood, its socket  ->  another process: as if it had always been there

Quiet is a connection whose one thread is blocked between two requests, in a `recv_idle` that may be
dismissed; or in a call on it, and what it is about can be saved (`core.loop.continuing`). What has come and
nobody has read is the kernel's, as are the send buffer and every timer of the connection: all of that goes
with the socket. Any other stays, and may have come to its quiet point when it is asked for again.

Owns which connections can leave, and what becomes of one that comes. Who moves them where is
`shards.moving.socketmoves`.
"""

from collections.abc import Coroutine
from contextvars import copy_context
from socket import SocketType
from typing import Any

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.continuing import (
    Announce,
    CannotGoOnError,
    Continuing,
    NamedFile,
    Saved,
    Unsent,
    only_thread,
    opens_none,
    unannounced,
)
from gossamer.core.loop.handed_files import HandedFiles
from gossamer.core.loop.sock.call import Connection, FileRest, SockRecvIdle
from gossamer.core.loop.sock.closing import SockCloseSide
from gossamer.core.loop.sock.receiving import SockReceiveSide
from gossamer.core.loop.sock.sending import SockSendSide
from gossamer.core.loop.streamcall import Idle
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.introspection import blocked_in
from gossamer.core.wire.proxy_protocol import NOBODY
from gossamer.core.wire.text import Extent

NO_PORT = 0
UNNUMBERED = 0
"""Of the file in an extent that is named in what was saved."""


class MovedSocket(msgspec.Struct, frozen=True, array_like=True, tag="socket"):
    """A connection on its way, beside its socket."""

    is_busy: bool
    """Whether it was in the midst of what its thread was about; else between two requests."""
    state: bytes = b""
    """What that was."""
    announced: bytes = NOBODY
    """The flow that a proxy has announced for it."""
    began_us: int = NEVER_US
    """When it was accepted."""


class SockMoving:
    """Takes connections out and in. Bounds: what comes counts as any other connection; whoever moves them
    asks for room before."""

    def __init__(
        self,
        connections: set[Connection],
        receiving: SockReceiveSide,
        sending: SockSendSide,
        closing: SockCloseSide,
    ) -> None:
        self.idle: Idle | None = None
        """How the application waits for the next request, where it can go on in another thread."""
        self.continuing: Continuing | None = None
        """How it goes on with what a thread was in the midst of; None where nothing can be saved."""
        self.handed: HandedFiles = HandedFiles()
        self._port = NO_PORT
        self._make: type[Connection] = Connection
        self._connections = connections
        self._receiving = receiving
        self._sending = sending
        self._closing = closing
        self._in_total = 0
        self._out_total = 0
        self._lost_total = 0

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def serves(self, port: int, make: type[Connection]) -> None:
        """What is served here: connections to this port, the others were opened from here; and their kind."""
        self._port, self._make = port, make

    def statistics(self) -> dict[str, int]:
        """How many have come and gone, and were reset since they could not go on here."""
        return {
            "moved_in_total": self._in_total,
            "moved_out_total": self._out_total,
            "moved_lost_total": self._lost_total,
        }

    def connections(self) -> tuple[Connection, ...]:
        """All there are."""
        return tuple(self._connections)

    # Out.

    def leave(
        self, connection: Connection, announce: Announce = unannounced
    ) -> tuple[MovedSocket, SocketType] | None:
        """A connection that is to be elsewhere from now on, and here no more, with its socket, which is the
        caller's; None where it cannot leave now, or is closed.
        """
        if connection.is_closed or connection.is_shut or connection.ended_by:
            return None
        if connection.linger_us < NEVER_US:
            return None  # How long its close waits is known here alone.
        if self._is_resting(connection):
            moved = MovedSocket(is_busy=False, announced=connection.announced, began_us=connection.began_us)
        else:
            saved = self._what_is_done(connection)
            if saved is None:
                return None
            moved = MovedSocket(
                is_busy=True,
                state=saved.state,
                announced=connection.announced,
                began_us=connection.began_us,
            )
            self._announce(connection, saved, announce)
        sock = connection.sock
        self._closing.let_go(connection)
        self._receiving.dismiss(connection)
        self._sending.dismiss(connection)
        self._out_total += 1
        return moved, sock

    def _is_resting(self, connection: Connection) -> bool:
        thread = connection.recv_thread
        if thread is None or connection.send_thread is not None or not thread.is_alone:
            return False
        call = blocked_in(thread)
        return type(call) is SockRecvIdle and call.idle is not None and call.idle is self.idle

    def _what_is_done(self, connection: Connection) -> Saved | None:
        """What its thread is about, where that can be said."""
        thread = only_thread(connection.recv_thread, connection.send_thread)
        if self.continuing is None or thread is None:
            return None
        if thread in self._sending.connecting or connection.sock.getsockname()[1] != self._port:
            return None  # It is opened from here.
        return self.continuing.save(connection, self._unsent(connection))

    @staticmethod
    def _unsent(connection: Connection) -> Unsent:
        """What the blocked send has not put into the send buffer yet."""
        rest = connection.send_rest
        if isinstance(rest, FileRest):
            return Extent(UNNUMBERED, rest.offset, rest.length)
        return b"" if rest is None else bytes(rest)

    def _announce(self, connection: Connection, saved: Saved, announce: Announce) -> None:
        for named, fd in saved.files:
            announce(named, fd)
        if self.continuing is not None:
            self.continuing.leave(connection)

    # In.

    def adopt(self, moved: MovedSocket, sock: SocketType) -> None:
        """Have a connection that has left elsewhere. Raises: CannotGoOnError once it is reset."""
        try:
            peer_name = sock.getpeername()
        except OSError:  # It was reset on its way: nobody is there any more.
            sock.close()
            return
        self._in_total += 1
        connection = self._make(sock)
        connection.keep_peer(peer_name)
        connection.announce(moved.announced)
        connection.begin(moved.began_us)
        self._connections.add(connection)
        try:
            thread = self._thread_of(connection, moved)
        except CannotGoOnError:
            self._lost_total += 1
            self._closing.reset(connection)
            raise
        isolates = moved.is_busy and self.continuing is not None and self.continuing.isolates
        self._scheduler.spawn(thread, context=copy_context() if isolates else None)

    def _thread_of(self, connection: Connection, moved: MovedSocket) -> Coroutine[Any, Any, None]:
        """The thread that goes on. Raises: CannotGoOnError."""
        if moved.is_busy and self.continuing is not None:
            return self.continuing.restore(connection, moved.state, self._open)
        if moved.is_busy or self.idle is None:
            raise CannotGoOnError("what is served here goes on with nothing that others have begun")
        return self.idle.again(connection)

    def _open(self, named: NamedFile) -> int:
        """A file's descriptor, which is the caller's. Raises: CannotGoOnError."""
        otherwise = opens_none if self.continuing is None else self.continuing.open_file
        try:
            return self.handed.open(named, otherwise)
        except OSError as error:
            raise CannotGoOnError(f"{named.name!r} cannot be sent from: {error.strerror}") from error
