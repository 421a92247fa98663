"""ABORT: a RST, and the record goes.

Source: RFC 9293 3.10.5.
"""

from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.closed import reset_segment
from gossamer.core.tcp.events import Abort
from gossamer.core.tcp.tcb import State, Tcb

ANSWERED = frozenset(
    {State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT}
)
"""States in which the peer is sent a RST; in the others it has sent its FIN and we ours, or it knows nothing
of us."""


def abort(tcb: Tcb, event: Abort) -> tuple[None, Actions]:
    """ "Send a reset segment: <SEQ=SND.NXT><CTL=RST>; all queued SENDs and RECEIVEs should be given
    'connection reset'"."""
    return None, (reset_segment(tcb, event.now_us),) if tcb.state in ANSWERED else ()
