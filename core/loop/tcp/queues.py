"""The way of a connection through its listener's queues: half open, established and waiting, handed out.

Owns who stands in which queue when something happens to a connection. What may enter a queue is decided in
`core.loop.tcp.listening`; connections are stepped elsewhere.
"""

from gossamer.core.demux import Demux
from gossamer.core.loop.tcp.call import Connection, Listener
from gossamer.core.loop.tcp.fast_open import FastOpens
from gossamer.core.threads.eventloop import SchedulerPort


class Queues:
    """The SYN queues and accept queues of all listeners."""

    def __init__(self, demux: Demux[Connection, Listener], fast_opens: FastOpens) -> None:
        self._demux = demux
        self._fast_opens = fast_opens
        self._accepted_total = 0

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler whose threads are woken."""
        self._resume = scheduler.resume

    def statistics(self) -> dict[str, int]:
        """How many stand where, and how many were established."""
        return {
            "half_open": len(self._demux.half_open),
            "accept_queue": sum(len(listener.accepted) for listener in self._demux.listeners.values()),
            "accepted_total": self._accepted_total,
        }

    def on_established(self, connection: Connection) -> None:
        """The handshake is over: out of the SYN queue. One opened early was handed out before."""
        listener = connection.listener
        if self._fast_opens.is_over(connection) or listener is None:
            return
        listener.half_open.pop(connection)
        self._demux.establish(connection.flow)
        self.hand_out(connection)

    def hand_out(self, connection: Connection) -> None:
        """Answer a blocked accept, or wait for the next."""
        listener = connection.listener
        assert listener is not None
        self._accepted_total += 1
        if listener.threads:
            connection.listener = None
            self._resume(listener.threads.popleft(), connection)
        else:
            listener.accepted[connection] = None

    def on_half_open_gone(self, connection: Connection) -> None:
        """A half-open connection ended."""
        if connection.listener is not None:
            connection.listener.half_open.pop(connection)
            connection.listener = None

    def withdraw(self, connection: Connection) -> None:
        """A connection that failed before it was accepted is not handed out any more."""
        listener, connection.listener = connection.listener, None
        if listener is not None:
            listener.accepted.pop(connection, None)
