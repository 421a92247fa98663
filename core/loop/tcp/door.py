"""The one door to the pure core: every step of a connection is asked for here, and may be watched here.

    before, event -> transition -> after, actions
                              `-> the observer, if there is one

Owns the place of the observer, and how a connection begins, as events that can be kept and replayed: from
what passed here, `begin` and `core.tcp.step` make the same records again. When the loop forgets a half-open
connection, to make room or because its listener closes, the core is not asked and the observer not called.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gossamer.core.tcp import listen, syn_cookie
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.events import Event, Opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Outcome
from gossamer.core.tcp.tcb import Listener, Tcb, TimeWait
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.segment import Segment


class Open(msgspec.Struct, frozen=True, gc=False):
    """An active OPEN, with the data that is to leave first."""

    parameters: TcpParameters
    opening: Opening
    data: bytes


class SynArrives(msgspec.Struct, frozen=True, gc=False):
    """A listener takes a SYN."""

    listener: Listener
    segment: Segment
    opening: Opening


class CookieReturns(msgspec.Struct, frozen=True, gc=False):
    """The ACK of a SYN-ACK whose cookie is all that was kept of a connection."""

    listener: Listener
    segment: Segment
    opening: Opening
    mss: int


Beginning = Open | SynArrives | CookieReturns
Record = Tcb | TimeWait | None
Observer = Callable[[Flow, Record, Event | Beginning, Record, Actions], None]
"""observer(flow, record before, event, record after, actions). The flow names the connection: in TIME-WAIT it
is all that is left of it, and before it begins all there is. The record before is None where it begins, the
one after where it ends. What an observer raises is our own bug."""


def begin(_before: None, event: Beginning) -> Outcome:
    """The first record of a connection, and what is to be done."""
    if type(event) is Open:
        return open_active(event.parameters, event.opening, event.data)
    if type(event) is SynArrives:
        return listen.segment_arrives(event.listener, event.segment, event.opening)
    assert type(event) is CookieReturns
    return syn_cookie.half_open(event.listener, event.segment, event.opening, event.mss), ()


class Door:
    """Where the pure core is asked. While nobody observes, the two callers of every request, a segment that
    arrives and SEND, call the transition itself: one call more for each shows in the cost of a request."""

    __slots__ = ("observer",)

    def __init__(self) -> None:
        self.observer: Observer | None = None

    def ask(
        self, transition: Callable[[Any, Any], Outcome], flow: Flow, before: Record, event: Event | Beginning
    ) -> Outcome:
        """What `transition` decides: `core.tcp.step.step`, the part of it for this event, or `begin`."""
        outcome = transition(before, event)
        if self.observer is not None:
            self.observer(flow, before, event, *outcome)
        return outcome
