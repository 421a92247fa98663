"""CLOSE: a FIN after what was sent.

Source: RFC 9293 3.10.4, 3.6.
"""

import msgspec

from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.calls.abort import abort
from gossamer.core.tcp.closed import reset_segment
from gossamer.core.tcp.events import Abort, Close
from gossamer.core.tcp.fast_open import closed_early, is_early
from gossamer.core.tcp.output import output
from gossamer.core.tcp.tcb import State, Tcb

replace = msgspec.structs.replace

SYN_SENT, SYN_RECEIVED, FIN_WAIT_2 = State.SYN_SENT, State.SYN_RECEIVED, State.FIN_WAIT_2

FIN_FOLLOWS = {State.ESTABLISHED: State.FIN_WAIT_1, State.CLOSE_WAIT: State.LAST_ACK}
"""Which state a CLOSE leads to."""


def close(tcb: Tcb, event: Close) -> tuple[Tcb | None, Actions]:
    """Queue the FIN; a second CLOSE is harmless."""
    if tcb.state is SYN_SENT:
        # "Delete the TCB and return 'error: closing' responses to any queued SENDs, or RECEIVEs."
        return None, ()
    if not event.receives and tcb.agreed.parameters.linger_us == 0:
        return abort(tcb, Abort(event.now_us))
    if is_early(tcb) and (event.receives or not tcb.rcv_buf_bytes):
        # "SYN-RECEIVED: [...] queue for processing after entering ESTABLISHED state."
        return closed_early(tcb, event.receives), ()
    loses_text = not event.receives and tcb.rcv_buf_bytes > 0
    if tcb.state is SYN_RECEIVED or (loses_text and not tcb.agreed.parameters.deviations.fin_despite_unread):
        # RFC 9293 3.6.1, SHLD-3: closed "while received data is still pending in the connection": "SHOULD
        # send a RST to show that data was lost", in LAST-ACK and CLOSING too, where ABORT is silent but our
        # own data would be lost with the record. Differs: in SYN-RECEIVED too, where a FIN would be proper;
        # no user of ours has such a connection in hand.
        return None, (reset_segment(tcb, event.now_us),)
    if not event.receives and not tcb.receive_closed:
        tcb = replace(tcb, receive_closed=True)
        if tcb.state is FIN_WAIT_2:
            return replace(tcb, slow_at_us=event.now_us + tcb.agreed.parameters.fin_wait_2_us), ()
    following = FIN_FOLLOWS.get(tcb.state)
    if following is None:
        return tcb, ()
    return output(replace(tcb, state=following), event.now_us)
