"""Fourth: the SYN bit.

Source: RFC 9293 3.10.7.4, fourth; RFC 5961 4.2.
"""

from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.challenge import challenge
from gossamer.core.tcp.closed import failed, reset_segment
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import SYN, Segment


def check_syn(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """ "If the SYN bit is set in these synchronized states, [...] respond with a challenge ACK", whatever its
    number.

    Differs: in SYN-RECEIVED too, where RFC 9293 would go back to LISTEN: anybody could forge the SYN that
    ends a handshake. A peer that has really begun anew answers with a RST, and is taken at its next SYN.
    """
    if not segment.flags & SYN:
        return PROCEED
    if tcb.agreed.parameters.deviations.insecure_syn and tcb.state > State.SYN_RECEIVED:
        # RFC 793 3.9: "If the SYN is in the window it is an error, send a reset [...], the user should also
        # receive an unsolicited general connection reset signal".
        _, actions = failed(tcb, Failure.RESET)
        return Verdict(None, segment, (reset_segment(tcb, event.now_us), *actions), stops=True)
    after, actions = challenge(tcb, event.now_us, SegmentDrop.SYN_CHALLENGED)
    return Verdict(after, segment, actions, stops=True)
