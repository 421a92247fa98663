"""Sixth: the URG bit.

Source: RFC 9293 3.10.7.4, sixth; RFC 6093.
"""

from gossamer.core.tcp.actions import Urgent
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.segment_arrives.seventh_text import RECEIVING
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.urgent import marked, urgent_bytes
from gossamer.core.wire.segment import URG, Segment


def check_urg(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """ "If the URG bit is set, RCV.UP <- max(RCV.UP,SEG.UP), and signal the user that the remote side has
    urgent data if the urgent pointer (RCV.UP) is in advance of the data consumed." """
    if not segment.flags & URG or tcb.state not in RECEIVING:
        return PROCEED
    # The pointer counts from where the segment began, not from where it was cut.
    after = marked(tcb, event.segment)
    # 3.8.5, MUST-32: inform the application "whenever it receives an urgent pointer and there was previously
    # no pending urgent data, or whenever the urgent pointer advances in the data stream".
    return PROCEED if after is tcb else Verdict(after, segment, (Urgent(urgent_bytes(after)),))
