"""RECEIVE.

Source: RFC 9293 3.10.3.
"""

import msgspec

from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.events import Receive
from gossamer.core.tcp.fast_open import is_early
from gossamer.core.tcp.output import output
from gossamer.core.tcp.segment_arrives.seventh_text import RECEIVING, deliver
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.window import is_update_due, reopened

replace = msgspec.structs.replace


def receive(tcb: Tcb, event: Receive) -> tuple[Tcb, Actions]:
    """Octets from the buffer; the end of the stream; or nothing yet, and the caller queues the call.

    The answer to the call, `Deliver` or END_OF_STREAM, stands first."""
    is_opening = tcb.state <= State.SYN_RECEIVED and not is_early(tcb)
    if not tcb.rcv_buf_bytes or is_opening:
        if tcb.state in RECEIVING or tcb.state <= State.SYN_RECEIVED:
            return tcb, ()
        return tcb, (Signal.END_OF_STREAM,)
    tcb, delivered = deliver(tcb, event.bytes_max)
    tcb, sent = window_reopened(tcb, event.now_us)
    return tcb, delivered + sent


def window_reopened(tcb: Tcb, now_us: int) -> tuple[Tcb, Actions]:
    """Give the room that was gained to the peer; advertise it at once only when the peer may be waiting."""
    before, after = tcb.rcv_wnd, reopened(tcb)
    if after == before:
        return tcb, ()
    tcb = replace(tcb, rcv_wnd=after)
    if not is_update_due(before, after, tcb) or tcb.state not in RECEIVING:
        return tcb, ()
    return output(replace(tcb, ack_at_us=now_us), now_us)
