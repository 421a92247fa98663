"""When each connection is to be looked at.

Owns the heap of deadlines, and `armed_us` and `parked_us` of a connection's record. Others find out what is
due then: the connection's own timers, or the timeout of a call.

Deadlines are re-armed lazily: a connection stands in the heap at `armed_us`, and what it really waits for is
looked at when it is handed out, so that a request on a living connection costs no heap operation. When a
nearer deadline comes first (a delayed ACK before an idle timeout), the farther place is kept in `parked_us`
and taken up again, so that places in the far future never pile up.
"""

from collections.abc import Iterator
from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.threads.deadlines import DeadlineHeap

DEADLINES_MAX: Final = 1024
"""Connections, and TIME-WAIT records, whose deadlines are looked at in one turn."""


class TcpDeadlines(DeadlineHeap[Connection]):
    """The connections by deadline. Bounds: DEADLINES_MAX in a turn."""

    __slots__ = ()

    def arm(self, connection: Connection, deadline_us: int) -> None:
        """Have the connection looked at by `deadline_us`; nothing happens when that is so already."""
        armed_us = connection.armed_us
        if deadline_us < armed_us:
            if connection.parked_us == NEVER_US:
                connection.parked_us = armed_us
            connection.armed_us = deadline_us
            self.push(deadline_us, connection)

    def disarm(self, connection: Connection) -> None:
        """A connection that has ended need not be held until its deadlines would have come."""
        for at_us in (connection.armed_us, connection.parked_us):
            if at_us != NEVER_US:
                self.discard(at_us, connection)
        connection.armed_us = connection.parked_us = NEVER_US

    def due(self, now_us: int) -> Iterator[Connection]:
        """The connections to look at now, each taken out of its place just before it is."""
        for connection in self.pop_due(now_us, DEADLINES_MAX):
            if connection.armed_us > now_us:
                continue
            parked_us, connection.parked_us = connection.parked_us, NEVER_US
            connection.armed_us = parked_us if parked_us > now_us else NEVER_US
            yield connection
