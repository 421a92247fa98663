"""The closing side: SHUTDOWN, CLOSE, ABORT, and closes that linger until all is acknowledged.

Owns `is_closed` of a connection's record, who is closed and not over, and the threads that are blocked in a
close that lingers, with their deadlines. A close cannot be withdrawn.
"""

from typing import Any

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.loop.streamcall import stream_closed
from gossamer.core.loop.tcp.call import Connection, TcpAbort, TcpClose, TcpShutdown
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.failure import error_for
from gossamer.core.loop.tcp.receiving import TcpReceiveSide
from gossamer.core.loop.tcp.sending import TcpSendSide
from gossamer.core.loop.tcp.side import Side, Signals, Takes
from gossamer.core.tcp.actions import Failure, Signal
from gossamer.core.tcp.events import Abort, Close
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.thread import BLOCKED, Thread


class TcpCloseSide(Side):
    """Takes what ends a connection. Bounds: the connections that there may be."""

    def __init__(
        self, connections: Connections, receiving: TcpReceiveSide, sending: TcpSendSide, clock: Clock
    ) -> None:
        self.takes: Takes = {TcpShutdown: self._shutdown, TcpClose: self._close, TcpAbort: self._abort}
        self.signals: Signals = {Signal.FIN_ACKED: self._end_linger}
        self.closed: set[Connection] = set()
        """Closed by their user, and not over."""
        self._lingering: dict[Connection, tuple[Thread[Any], int]] = {}
        """The thread that waits in the close of each connection, and until when."""
        self._connections = connections
        self._receiving = receiving
        self._sending = sending
        self._clock = clock

    def _shutdown(self, _thread: Thread[Any], call: TcpShutdown) -> None:
        connection: Connection = call.connection
        if connection.is_closed:
            raise stream_closed()
        # The FIN follows what stands in the send buffer: the rest of a blocked SEND never will.
        self._sending.throw(connection, error_for(connection, Failure.CLOSING))
        if self._connections.rouse(connection) is not None:
            self._connections.step(connection, Close(self._clock(), receives=True))

    def _close(self, thread: Thread[Any], call: TcpClose) -> Any:
        connection: Connection = call.connection
        connection.is_closed = True
        if connection.tcb is None:
            self._connections.rouse(connection)
        if connection.recv_thread is not None or connection.send_thread is not None:
            self._interrupt(connection)
        if connection.tcb is not None:
            self._connections.step(connection, Close(self._scheduler.now_us()))
        self._receiving.discard(connection)
        if connection.tcb is not None:
            self.closed.add(connection)
        if connection.tcb is not None and connection.tcb.agreed.parameters.linger_us < NEVER_US:
            return self._linger(thread, connection, connection.tcb)
        return None

    def _abort(self, _thread: Thread[Any], call: TcpAbort) -> None:
        connection: Connection = call.connection
        self._connections.rouse(connection)
        self._interrupt(connection)
        connection.is_closed = True
        self._connections.abort(connection, self._clock())

    def _interrupt(self, connection: Connection) -> None:
        """Those blocked on a connection that is closed hear of it."""
        self._receiving.interrupt(connection)
        self._sending.interrupt(connection)

    # Closes that linger.

    def _linger(self, thread: Thread[Any], connection: Connection, tcb: Tcb) -> Any:
        """Block a close until all is acknowledged, or for as long as it lingers."""
        if connection in self._lingering or is_all_acknowledged(tcb):
            return None
        until_us = self._scheduler.now_us() + tcb.agreed.parameters.linger_us
        self._lingering[connection] = (thread, until_us)
        self._connections.deadlines.arm(connection, until_us)
        return BLOCKED

    def ended(self, connection: Connection) -> None:
        """It is over."""
        self.closed.discard(connection)
        self._end_linger(connection)

    def is_lingering(self, connection: Connection) -> bool:
        """Whether a thread waits in its close."""
        return connection in self._lingering

    def take_in(self, connection: Connection) -> None:
        """One that its user has closed elsewhere."""
        connection.is_closed = True
        self.closed.add(connection)

    def has_in_flight(self) -> bool:
        """Whether anything that was closed still waits for its peer to acknowledge what was sent."""
        return any(not is_all_acknowledged(each.tcb) for each in self.closed if each.tcb is not None)

    def _end_linger(self, connection: Connection) -> None:
        """A close that lingered is done, or cannot be."""
        if connection not in self._lingering:
            return
        thread, _ = self._lingering.pop(connection)
        if connection.failure is None:
            self._resume(thread)
        else:
            self._scheduler.throw(thread, error_for(connection, connection.failure))

    def expire(self, connection: Connection, now_us: int) -> None:
        """A close has lingered long enough: what is not acknowledged is given up."""
        thread, until_us = self._lingering.get(connection, (None, NEVER_US))
        if thread is not None and until_us <= now_us:
            del self._lingering[connection]
            self._scheduler.throw(thread, TimeoutError("not all was acknowledged while close lingered"))
            self._connections.step(connection, Abort(now_us))

    def due_us(self, connection: Connection) -> int:
        """When the lingering is over."""
        return self._lingering[connection][1] if connection in self._lingering else NEVER_US


def is_all_acknowledged(tcb: Tcb) -> bool:
    """Whether the peer has acknowledged all that was sent, and nothing waits to be."""
    return tcb.snd_una == tcb.snd_nxt and not tcb.snd_buf_bytes
