"""Sixth: the URG bit.

Differs: urgent data is delivered in line and the pointer is otherwise ignored, as RFC 6093 5 and 6 recommend
to applications and permit to receivers; a pointer beyond the data therefore means nothing.

Source: RFC 9293 3.10.7.4, sixth; RFC 6093.
"""

from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import Segment


def check_urg(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:  # noqa: ARG001  (a Check)
    """In line."""
    return PROCEED
