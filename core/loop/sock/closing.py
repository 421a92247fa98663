"""The closing side: shutdown, close, abort, and how a socket is given back.

Owns `is_shut` and `is_closed` of a connection's record. `lingering` owns the closes that wait for the peer,
`draining` those that first read and drop unread input.
"""

import errno
import os
import socket
from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.sock.call import Connection, SockAbort, SockClose, SockShutdown
from gossamer.core.loop.sock.deadlines import SockDeadlines
from gossamer.core.loop.sock.draining import LingerSide
from gossamer.core.loop.sock.lingering import WaitSide
from gossamer.core.loop.sock.option import RESET_ON_CLOSE
from gossamer.core.loop.sock.receiving import SockReceiveSide
from gossamer.core.loop.sock.sending import SockSendSide
from gossamer.core.loop.sock.watching import Watching
from gossamer.core.loop.streamcall import stream_closed
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Handler
from gossamer.core.threads.thread import Thread


class SockCloseSide:
    """Takes what ends a connection, which then stands in `connections` no more."""

    def __init__(
        self,
        connections: set[Connection],
        watching: Watching,
        deadlines: SockDeadlines,
        receiving: SockReceiveSide,
        sending: SockSendSide,
    ) -> None:
        self.takes: dict[type[Any], Handler] = {
            SockShutdown: self._shutdown,
            SockClose: self._close,
            SockAbort: self._abort,
        }
        self.drained: LingerSide = LingerSide()
        self.waits: WaitSide = WaitSide(self.release)
        self._connections = connections
        self._watching = watching
        self._deadlines = deadlines
        self._receiving = receiving
        self._sending = sending

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self.drained.start(scheduler)
        self.waits.start(scheduler)

    def turn(self, now_us: int) -> int:
        """Look at the closes that wait; when they are looked at again."""
        return min(self.drained.turn(now_us), self.waits.turn(now_us))

    def close(self) -> None:
        """Close every socket."""
        for connection in tuple(self._connections):
            self.release(connection)
        self.drained.close()

    def _shutdown(self, _thread: Thread[Any], call: SockShutdown) -> None:
        connection: Connection = call.connection
        if connection.is_closed:
            raise stream_closed()
        connection.is_shut = True
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            # It is over already: nothing more can be sent, which is what was asked for.
        # The FIN follows what the kernel has taken: the rest of a blocked send never will.
        self._sending.throw(connection, BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))

    def _close(self, thread: Thread[Any], call: SockClose) -> Any:
        connection: Connection = call.connection
        if not connection.is_closed:
            if 0 < connection.linger_us < NEVER_US and self.waits.takes_over(thread, connection):
                return BLOCKED
            # After a recv that drained the socket there is nothing unread: the common close asks nothing.
            lingers = connection.can_recv and connection.linger_us > 0 and self.drained.takes_over(connection)
            self.release(connection, lingers=lingers)
        return None

    def _abort(self, _thread: Thread[Any], call: SockAbort) -> None:
        connection: Connection = call.connection
        if not connection.is_closed:
            self.reset(connection)

    def reset(self, connection: Connection) -> None:
        """Close the socket, and have the peer hear so at once."""
        # socket(7), SO_LINGER with a time of 0: close sends a RST.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.release(connection)

    def let_go(self, connection: Connection) -> None:
        """The connection is another process's from now on; its socket stays open, and is the caller's."""
        connection.keep_names()
        connection.is_closed = True
        self._connections.discard(connection)
        self._watching.unwatch(connection)
        self._deadlines.disarm(connection)

    def release(self, connection: Connection, *, lingers: bool = False) -> None:
        """Close the socket, unless it lingers, and wake whoever is blocked on it."""
        connection.keep_names()
        connection.is_closed = True
        self._connections.discard(connection)
        if not lingers:
            self._watching.unwatch(connection)
            connection.sock.close()
        self._deadlines.disarm(connection)
        self._receiving.end(connection)
        self._sending.end(connection)
