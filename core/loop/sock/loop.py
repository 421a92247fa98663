"""The loop that performs SockIO's calls on kernel sockets.

Owns every connection of the worker, and how the parts meet. A call is tried at once, and blocks the thread
only where the kernel would. The sides of a connection take the calls (`connecting`, `receiving`, `sending`,
`closing`, `accept`): each is a file that alone writes its fields of a connection's record, and takes back the
calls which it has blocked.
"""

from collections.abc import Mapping
from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.interrupting import Interruption
from gossamer.core.loop.sock.accept import AcceptSide
from gossamer.core.loop.sock.call import Connection
from gossamer.core.loop.sock.closing import SockCloseSide
from gossamer.core.loop.sock.connecting import SockConnectSide
from gossamer.core.loop.sock.deadlines import SockDeadlines
from gossamer.core.loop.sock.moving import SockMoving
from gossamer.core.loop.sock.opened import OpenConnections
from gossamer.core.loop.sock.option import OPTION_HANDLERS
from gossamer.core.loop.sock.receiving import SockReceiveSide
from gossamer.core.loop.sock.sending import SockSendSide
from gossamer.core.loop.sock.watching import READABLE_EVENTS, WRITABLE_EVENTS, Watching
from gossamer.core.networks import NetworkCounts
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import Canceller, Handler, SystemCall


class SockLoop:
    """Performs SockIO's calls: tries at once, and blocks the thread only where the kernel would."""

    def __init__(self) -> None:
        self._connections = OpenConnections()
        self._deadlines = deadlines = SockDeadlines()
        self._watching = watching = Watching(self._connection_event)
        self._receiving = receiving = SockReceiveSide(watching, deadlines)
        self._interruption: Interruption[Connection] = Interruption(receiving.interrupt)
        self._sending = sending = SockSendSide(watching, deadlines, self._release)
        self._closing = SockCloseSide(self._connections, watching, deadlines, receiving, sending)
        self._acceptor = AcceptSide(self._connections.add)
        connecting = SockConnectSide(self._connections, sending, self._release)
        self.moving: SockMoving = SockMoving(self._connections, receiving, sending, self._closing)
        self._on_readable = receiving.on_readable
        self._on_writable = sending.on_writable
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            **receiving.takes,
            **sending.takes,
            **connecting.takes,
            **self._closing.takes,
            **self._acceptor.takes,
            **OPTION_HANDLERS,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {
            **receiving.cancels,
            **sending.cancels,
            **connecting.cancels,
            **self._acceptor.cancels,
        }

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        own = (self._watching, self._receiving, self._sending, self._closing, self._acceptor, self.moving)
        for part in own:
            part.start(scheduler)

    def turn(self, now_us: int) -> int:
        """Look at the timeouts that are due, and let rested listeners accept again."""
        if self._deadlines.next_at_us <= now_us:
            for connection in self._deadlines.due(now_us):
                self._expire(connection, now_us)
        if self._sending.in_turn:
            self._sending.turn()
        if self._acceptor.rest_until_us <= now_us:
            self._acceptor.end_rest()
        due_us = min(self._deadlines.next_at_us, self._acceptor.rest_until_us)
        if self._closing.drained.dropped_bytes or self._closing.waits.waiting:
            due_us = min(due_us, self._closing.turn(now_us))
        if self._interruption.left:
            due_us = min(due_us, self._interruption.go_on())
        return now_us if self._sending.in_turn else due_us

    def close(self) -> None:
        """Close every socket; what was sent is still delivered by the kernel."""
        self._acceptor.close()
        self._closing.close()
        self._deadlines.clear()

    def count_networks(self) -> NetworkCounts:
        """Count connections by client from now on; to be called before there are any."""
        return self._connections.count_networks()

    def interrupt_receivers(self) -> None:
        """Throw `Draining` into every thread that is blocked in a recv, a bounded number in a turn."""
        self._interruption.begin(self._connections)

    def statistics(self) -> dict[str, int]:
        """Counts since the start, and the connections there are now."""
        return {
            "accepted_total": self._acceptor.accepted_total,
            "accept_pauses_total": self._acceptor.pauses_total,
            "connections": len(self._connections),
            "lingering": len(self._closing.drained),
            **self.moving.statistics(),
        }

    def _connection_event(self, connection: Connection, events: int) -> None:
        if events & READABLE_EVENTS:
            self._on_readable(connection, events)
        # Edge-triggered, the kernel says "writable" with everything it reports: mostly that is not news.
        if (
            events & WRITABLE_EVENTS
            and (connection.send_thread is not None or not connection.can_send)
            and not connection.is_closed
        ):
            self._on_writable(connection)

    def _expire(self, connection: Connection, now_us: int) -> None:
        """Time out what is due on this connection, and look again when the rest is."""
        recv_us = self._receiving.expire(connection, now_us)
        due_us = min(recv_us, self._sending.expire(connection, now_us))
        if due_us < NEVER_US:
            self._deadlines.arm(connection, due_us)

    def _release(self, connection: Connection) -> None:
        self._closing.release(connection)
