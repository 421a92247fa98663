"""Second: the RST bit.

Source: RFC 9293 3.10.7.4, second; RFC 5961 3.2.
"""

from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.challenge import challenge
from gossamer.core.tcp.closed import failed
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import RST, Segment


def check_rst(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """Only a RST at exactly RCV.NXT resets; one elsewhere in the window is challenged."""
    if not segment.flags & RST:
        return PROCEED
    if segment.seq != tcb.rcv_nxt and not tcb.agreed.parameters.deviations.insecure_rst:
        # "If the RST bit is set and the sequence number does not exactly match the next expected sequence
        # value, yet is within the current receive window, TCP endpoints MUST send an acknowledgment
        # (challenge ACK)"
        after, actions = challenge(tcb, event.now_us, SegmentDrop.RST_CHALLENGED)
        return Verdict(after, segment, actions, stops=True)
    refused = tcb.state is State.SYN_RECEIVED and not tcb.agreed.passive
    _, actions = failed(tcb, Failure.REFUSED if refused else Failure.RESET)
    return Verdict(None, segment, actions, stops=True)
