"""Header prediction: the segments that arrive in order on a connection where nothing is out of the ordinary.

    in_order   ESTABLISHED: data, ACKs of data
    opening    SYN-RECEIVED: the last ACK of the handshake
    closing    FIN-WAIT-1 and FIN-WAIT-2: ACK of our FIN, the peer's FIN

One look at the header, one `replace`. Whatever a prediction does not recognise it leaves (returns None) to
the eight checks; property tests hold what it does equal to what they do.
"""

from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.prediction.closing import predicted_closing
from gossamer.core.tcp.prediction.in_order import predicted_in_order
from gossamer.core.tcp.prediction.opening import predicted_opening
from gossamer.core.tcp.tcb import State, Tcb, TimeWait

__all__ = ["predicted"]

SYN_RECEIVED, ESTABLISHED = State.SYN_RECEIVED, State.ESTABLISHED
FIN_WAIT_1, FIN_WAIT_2 = State.FIN_WAIT_1, State.FIN_WAIT_2


def predicted(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb | TimeWait, Actions] | None:
    """The connection after a segment of the expected kind, or None when it is not of that kind."""
    state = tcb.state
    if state is ESTABLISHED:
        return predicted_in_order(tcb, event)
    if state is SYN_RECEIVED:
        return predicted_opening(tcb, event)
    if state is FIN_WAIT_1 or state is FIN_WAIT_2:
        return predicted_closing(tcb, event) or predicted_in_order(tcb, event)
    return predicted_in_order(tcb, event)
