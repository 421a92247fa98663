"""The way of a connection through its listener's queues: half open, established and waiting, handed out.

Owns the SYN queue and the accept queue of each listener, the threads that are blocked in accept, and
`listener` of a connection's record. `core.loop.tcp.listening` decides what may enter a queue. A cancelled
accept has taken no connection.
"""

from typing import Any

from gossamer.core.clock import Clock
from gossamer.core.loop.streamcall import listener_closed
from gossamer.core.loop.tcp.call import Connection, Listener, TcpAccept, TcpListenClose
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.side import Cancels, Side, Signals, Takes
from gossamer.core.tcp.actions import Failure, Signal
from gossamer.core.tcp.events import Abort
from gossamer.core.threads.thread import BLOCKED, Thread
from gossamer.core.wire.flow import Flow


class Queues(Side):
    """The queues of all listeners."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self.takes: Takes = {TcpAccept: self._accept, TcpListenClose: self._close_listener}
        self.cancels: Cancels = {TcpAccept: self._withdraw}
        self.signals: Signals = {
            Signal.OPENED_EARLY: self._hand_out,
            Signal.HALF_OPEN_GONE: self._on_half_open_gone,
        }
        self._connections = connections
        self._demux = connections.demux
        self._clock = clock
        self._accepted_total = 0

    def statistics(self) -> dict[str, int]:
        """How many stand where, and how many were established."""
        return {
            "half_open": len(self._demux.half_open),
            "accept_queue": self.waiting_total(),
            "accepted_total": self._accepted_total,
        }

    def waiting_total(self) -> int:
        """How many are established and wait to be accepted."""
        return sum(len(listener.accepted) for listener in self._demux.listeners.values())

    # The SYN queue.

    def add_half_open(self, listener: Listener, flow: Flow, connection: Connection) -> None:
        """Its handshake has begun. The caller has made room."""
        listener.half_open[connection] = None
        self._demux.add_half_open(flow, connection)

    def forget_oldest(self, listener: Listener) -> None:
        """Forget the oldest half-open connection, in favour of a new one. Source: RFC 4987 3.4."""
        connection, _ = listener.half_open.popitem(last=False)
        connection.listener = None
        self._connections.forget(connection)

    def _forget_half_open(self, listener: Listener) -> None:
        """A listener closes: nobody can accept these any more. Their peers hear so when they answer."""
        for connection in tuple(listener.half_open):
            connection.listener = None
            self._connections.forget(connection)
        listener.half_open.clear()

    def _on_half_open_gone(self, connection: Connection) -> None:
        """A half-open connection ended."""
        if connection.listener is not None:
            connection.listener.half_open.pop(connection)
            connection.listener = None

    def let_go(self, connection: Connection) -> None:
        """It is elsewhere from now on."""
        listener, connection.listener = connection.listener, None
        if listener is not None:
            listener.half_open.pop(connection, None)
            listener.accepted.pop(connection, None)

    def on_established(self, connection: Connection) -> None:
        """The handshake is over: out of the SYN queue. One opened early was handed out before."""
        listener = connection.listener
        if self._connections.fast_opens.is_over(connection) or listener is None:
            return
        listener.half_open.pop(connection)
        self._demux.establish(connection.flow)
        self._hand_out(connection)

    # The accept queue.

    def _hand_out(self, connection: Connection) -> None:
        """Answer a blocked accept, or wait for the next."""
        listener = connection.listener
        assert listener is not None
        self._accepted_total += 1
        self._connections.look_after(connection)
        self._queue(listener, connection)

    def take_in(self, listener: Listener, connection: Connection) -> None:
        """One that was established elsewhere, and not accepted there."""
        connection.listener = listener
        self._queue(listener, connection)

    def _queue(self, listener: Listener, connection: Connection) -> None:
        if listener.threads:
            connection.listener = None
            self._resume(listener.threads.popleft(), connection)
        else:
            listener.accepted[connection] = None

    def _accept(self, thread: Thread[Any], call: TcpAccept) -> Any:
        listener: Listener = call.listener
        if listener.is_closed:
            raise listener_closed()
        if listener.accepted:
            connection, _ = listener.accepted.popitem(last=False)
            connection.listener = None
            return connection
        listener.threads.append(thread)
        return BLOCKED

    def _withdraw(self, thread: Thread[Any], call: TcpAccept) -> bool:
        listener: Listener = call.listener
        listener.threads.remove(thread)
        return True

    def failed(self, connection: Connection, _failure: Failure) -> None:
        """A connection that failed before it was accepted is not handed out any more."""
        listener, connection.listener = connection.listener, None
        if listener is not None:
            listener.accepted.pop(connection, None)

    def _close_listener(self, _thread: Thread[Any], call: TcpListenClose) -> None:
        """Stop listening: those blocked in accept hear of it, what was not accepted is reset."""
        listener: Listener = call.listener
        if listener.is_closed:
            return
        listener.is_closed = True
        self._demux.unlisten(listener.address)
        while listener.threads:
            self._scheduler.throw(listener.threads.popleft(), listener_closed())
        self._forget_half_open(listener)
        accepted = tuple(listener.accepted)
        listener.accepted.clear()
        for connection in accepted:
            self._connections.step(connection, Abort(self._clock()))
