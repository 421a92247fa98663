"""SET BUFFERS: the sizes of a connection's buffers change, as memory for all of them becomes short or not.

A smaller buffer takes nothing back: what it holds stays in it, and what was offered to the peer is accepted.
RFC 9293 3.8.6.2.1: "A TCP receiver SHOULD NOT shrink the window, i.e., move the right window edge to the
left."

Source: RFC 9293 3.8.6.2.
"""

from functools import lru_cache

import msgspec

from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.calls.receive import window_reopened
from gossamer.core.tcp.events import SetBuffers
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State, Tcb, TimeWait

replace = msgspec.structs.replace


def set_buffers(tcb: Tcb | TimeWait, event: SetBuffers) -> tuple[Tcb | TimeWait, Actions]:
    """Obey from now on; room that was gained is offered, and whoever waits to send tries again."""
    if not isinstance(tcb, Tcb):
        return tcb, ()
    parameters = sized(tcb.agreed.parameters, event.send_bytes, event.receive_bytes)
    tcb = replace(tcb, agreed=replace(tcb.agreed, parameters=parameters))
    if tcb.state <= State.SYN_RECEIVED:
        return tcb, ()
    tcb, sent = window_reopened(tcb, event.now_us)
    return tcb, (*sent, Signal.SEND_SPACE)


@lru_cache(maxsize=256)
def sized(parameters: TcpParameters, send_bytes: int, receive_bytes: int) -> TcpParameters:
    """The parameters with buffers of these sizes. Connections of the same sizes share one record."""
    return replace(parameters, send_buffer_bytes=send_bytes, receive_buffer_bytes=receive_bytes)
