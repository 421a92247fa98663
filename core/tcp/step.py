"""step: (tcb, event) -> (tcb, actions). The whole of the TCP, as a function.

    SegmentArrives   prediction -> segment_arrives (eight checks) | syn_sent | time_wait
    Send .. Abort    calls/
    Timeout          timeouts/
    IcmpError        icmp_error, path_mtu

A connection that ends becomes None; one in TIME-WAIT a `TimeWait`. Connections begin in
`calls.open.open_active` and `listen.segment_arrives`. Pure: time and randomness stand in the event (law 1).

Source: RFC 9293 3.10.
"""

from collections.abc import Callable
from typing import Any

from gossamer.core.tcp import icmp_error, path_mtu, syn_sent, time_wait
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.calls.abort import abort
from gossamer.core.tcp.calls.buffers import set_buffers
from gossamer.core.tcp.calls.close import close
from gossamer.core.tcp.calls.option import set_options
from gossamer.core.tcp.calls.receive import receive
from gossamer.core.tcp.calls.send import send
from gossamer.core.tcp.events import (
    Abort,
    Close,
    Event,
    IcmpError,
    PathKnown,
    Receive,
    SegmentArrives,
    Send,
    SetBuffers,
    SetOptions,
    Timeout,
)
from gossamer.core.tcp.prediction import predicted
from gossamer.core.tcp.prediction.in_order import predicted_in_order
from gossamer.core.tcp.segment_arrives import arrives
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import expired

ESTABLISHED = State.ESTABLISHED

Connection = Tcb | TimeWait
"""What `step` takes."""
Outcome = tuple[Connection | None, Actions]
"""What `step` gives: the connection after the event, None once it is gone, and what it wants done."""


def segment_arrives(connection: Connection, event: SegmentArrives) -> Outcome:
    """SEGMENT ARRIVES in whatever state."""
    if not isinstance(connection, Tcb):
        return time_wait.segment_arrives(connection, event)
    # Straight to what nearly all segments are: `predicted` would do the same, with one call more.
    is_established = connection.state is ESTABLISHED
    outcome = predicted_in_order(connection, event) if is_established else predicted(connection, event)
    if outcome is not None:
        return outcome
    if connection.state is State.SYN_SENT:
        return syn_sent.segment_arrives(connection, event)
    return arrives(connection, event)


HANDLERS: dict[type[Any], Callable[[Any, Any], Outcome]] = {
    SegmentArrives: segment_arrives,
    Send: send,
    Receive: receive,
    Close: close,
    Abort: abort,
    SetOptions: set_options,
    SetBuffers: set_buffers,
    Timeout: expired,
    IcmpError: icmp_error.arrives,
    PathKnown: path_mtu.known,
}


def step(connection: Connection, event: Event) -> Outcome:
    """What becomes of a connection, and what is to be done, when `event` happens."""
    return HANDLERS[type(event)](connection, event)
