"""When each connection is to be looked at: the heap of the timeouts of its calls.

Owns the heap, and `armed_us` of a connection's record. Timeouts are re-armed lazily: a connection stands in
the heap once, at `armed_us`, and what its threads really wait for is looked at when it is handed out. Only a
timeout shorter than what stands there touches the heap.
"""

from collections.abc import Iterator
from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.sock.call import Connection
from gossamer.core.threads.deadlines import DeadlineHeap

DEADLINES_MAX: Final = 256
"""Connections whose timeouts are looked at in one turn."""


class SockDeadlines(DeadlineHeap[Connection]):
    """The connections by timeout. Bounds: DEADLINES_MAX in a turn."""

    __slots__ = ()

    def arm(self, connection: Connection, deadline_us: int) -> None:
        """Have the connection looked at then, instead of later."""
        if connection.armed_us < NEVER_US:
            self.discard(connection.armed_us, connection)
        connection.armed_us = deadline_us
        self.push(deadline_us, connection)

    def disarm(self, connection: Connection) -> None:
        """It is closed."""
        if connection.armed_us < NEVER_US:
            self.discard(connection.armed_us, connection)
            connection.armed_us = NEVER_US

    def due(self, now_us: int) -> Iterator[Connection]:
        """The connections to look at now, but for those closed while they stood among them."""
        for connection in self.pop_due(now_us, DEADLINES_MAX):
            if connection.armed_us <= now_us:
                connection.armed_us = NEVER_US
                yield connection
