"""Memory: what the connections of a loop hold in their buffers, and how those that hold much are kept small.

Owns the account, and the sizes of buffers while memory is short. What is right is decided by
`core.tcp.memory`. A connection is in the account while it holds more than FREE_BYTES; it enters where its
buffers grow (a SEND, a segment with text), and is counted anew after each of its steps until it has left.

Bounds: `memory_bytes` of the parameters, or what was allowed since, and FREE_BYTES for each connection;
FITTED_MAX a turn.
"""

from collections.abc import Callable, Collection
from itertools import islice
from typing import Final

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.tcp.events import SetBuffers
from gossamer.core.tcp.memory import FREE_BYTES, Level, held_bytes, level_after, pressure_bytes, share_bytes
from gossamer.core.tcp.parameters import MEMORY_UNLIMITED, TcpParameters
from gossamer.core.tcp.tcb import Tcb

FITTED_MAX: Final = 64
"""Connections whose buffers change in one turn."""


class MemoryAccount:
    """The account of one loop."""

    def __init__(
        self,
        parameters: TcpParameters,
        step: Callable[[Connection, SetBuffers], None],
        with_files: Collection[Connection],
        clock: Clock,
    ) -> None:
        self.level: Level = Level.CALM
        self.holders: dict[Connection, int] = {}
        """How many octets each connection holds that holds much."""
        self.due: dict[Connection, None] = {}
        """Those whose buffers are to be looked at."""
        self._held_bytes = 0
        self._share_bytes = MEMORY_UNLIMITED
        self._small: dict[Connection, None] = {}
        """Those whose buffers are smaller than configured."""
        self._pressed_total = 0
        self._parameters = parameters
        self._budget_bytes = parameters.memory_bytes
        self._pressure_bytes = pressure_bytes(parameters.memory_bytes)
        self._step = step
        self._with_files = with_files
        self._clock = clock

    def allow(self, budget_bytes: int) -> None:
        """Have another bound from now on; what is held stays."""
        self._budget_bytes = budget_bytes
        self._pressure_bytes = pressure_bytes(budget_bytes)
        self._look()

    def statistics(self) -> dict[str, int]:
        """What is held by those that hold much, how short memory is, and how often it became so."""
        return {
            "buffered_bytes": self._held_bytes,
            "buffered_bytes_max": self._budget_bytes,
            "memory_pressure": self.level,
            "memory_pressed_total": self._pressed_total,
        }

    def count(self, connection: Connection, tcb: Tcb) -> None:
        """What a connection holds has changed."""
        held = held_bytes(tcb, has_files=connection in self._with_files)
        self._enter(connection, held if held > FREE_BYTES else 0)

    def forget(self, connection: Connection) -> None:
        """A connection is over, or elsewhere."""
        self._small.pop(connection, None)
        self.due.pop(connection, None)
        self._enter(connection, 0)

    def _enter(self, connection: Connection, held: int) -> None:
        before = self.holders.get(connection, 0)
        if held == before:
            return
        if held:
            self.holders[connection] = held
        else:
            del self.holders[connection]
        self._held_bytes += held - before
        if bool(held) != bool(before) and (self.level or connection in self._small):
            self.due[connection] = None
        if self.level or self._held_bytes >= self._pressure_bytes:
            self._look()

    def _look(self) -> None:
        level = level_after(self.level, self._held_bytes, self._budget_bytes)
        share = share_bytes(level, len(self.holders), self._budget_bytes)
        if level is not Level.CALM and self.level is Level.CALM:
            self._pressed_total += 1
        self.level = level
        if share != self._share_bytes:
            self._share_bytes = share
            self.due.update(self._small)
            self.due.update(dict.fromkeys(self.holders))

    def make_fit(self, connection: Connection) -> Tcb | None:
        """Have a connection that is about to hold much have no more than its share."""
        self._resize(connection, self._share_bytes)
        return connection.tcb

    def is_small(self, connection: Connection) -> bool:
        """Whether its buffers are smaller than configured."""
        return connection in self._small

    def welcome(self, connection: Connection) -> None:
        """It comes from elsewhere, where memory may have been short."""
        self._resize(connection, MEMORY_UNLIMITED)
        if connection.tcb is not None:
            self.count(connection, connection.tcb)

    def has_configured(self, tcb: Tcb) -> bool:
        """Whether its buffers are as large as configured."""
        return _sizes(tcb.agreed.parameters) == _sizes(self._parameters)

    def turn(self) -> int:
        """Change the buffers of a bounded number of connections; when this is to go on."""
        for connection in tuple(islice(self.due, FITTED_MAX)):
            self.due.pop(connection, None)
            is_holder = connection in self.holders
            self._resize(connection, self._share_bytes if is_holder else MEMORY_UNLIMITED)
        return 0 if self.due else NEVER_US

    def _resize(self, connection: Connection, share: int) -> None:
        if connection.tcb is None:
            return
        if share < MEMORY_UNLIMITED:
            self._small[connection] = None
        else:
            self._small.pop(connection, None)
        send, receive = (min(share, size) for size in _sizes(self._parameters))
        if _sizes(connection.tcb.agreed.parameters) != (send, receive):
            self._step(connection, SetBuffers(send, receive, self._clock()))


def _sizes(parameters: TcpParameters) -> tuple[int, int]:
    return parameters.send_buffer_bytes, parameters.receive_buffer_bytes
