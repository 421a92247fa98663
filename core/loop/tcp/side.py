"""What the sides of a connection have in common: opening, receiving, sending, closing, and its queues.

A side is a file of its own. It owns some fields of a connection's record, which no other file writes, the
calls that block on them, and everything by which such a call ends: an action, a timeout, the end of the
connection, a cancellation. `core.loop.tcp.connections` asks every side at each of these.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.tcp.actions import Failure, Signal
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import Canceller, Handler, SystemCall
from gossamer.core.wire.flow import Flow

Takes = Mapping[type[SystemCall[Any]], Handler]
Cancels = Mapping[type[SystemCall[Any]], Canceller]
Performs = Mapping[type[Any], Callable[[Connection, Any], None]]
Signals = Mapping[Signal, Callable[[Connection], None]]

NOTHING: Final = MappingProxyType[Any, Any]({})


class Side:
    """A side that takes no call and performs nothing."""

    takes: Takes = NOTHING
    """The calls that block on this side, or end in it."""
    cancels: Cancels = NOTHING
    performs: Performs = NOTHING
    """What it does for an action, by its class."""
    signals: Signals = NOTHING
    """What it does for an action that is a `Signal`."""

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler whose threads are woken."""
        self._scheduler = scheduler
        self._resume = scheduler.resume

    def failed(self, connection: Connection, failure: Failure) -> None:
        """The connection has ended so: answer whoever waits here."""

    def ended(self, connection: Connection) -> None:
        """The last actions of the connection are performed: answer whoever still waits here."""

    def expire(self, connection: Connection, now_us: int) -> None:
        """Answer a call whose time is over."""

    def due_us(self, _connection: Connection) -> int:
        """When the time of the call that is blocked here is over; NEVER_US when none is."""
        return NEVER_US


class ParkingPlace(Protocol):
    """What is asked of the side that parks (`core.loop.tcp.parking`) beside that."""

    @property
    def next_at_us(self) -> int:
        """When `turn` has something to do."""

    def turn(self, now_us: int) -> None:
        """Wake those whose time has come."""

    def park(self, connection: Connection, now_us: int) -> bool:
        """Park a connection if it is idle; whether it was."""

    def wake(self, flow: Flow) -> Connection:
        """The connection of a flow that is parked, which no longer is."""

    def rouse(self, connection: Connection) -> Tcb | None:
        """What a call finds of a connection: it is woken for it. None once the connection is over."""
