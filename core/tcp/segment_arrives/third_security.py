"""Third: security and compartment.

Differs: the security option of RFC 9293 appendix A.1 is not carried by any network we serve, so there is
nothing to compare. The module stands here so that the checks are eight, as in the RFC.

Source: RFC 9293 3.10.7.4, third.
"""

from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import Segment


def check_security(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:  # noqa: ARG001  (a Check)
    """Nothing to compare."""
    return PROCEED
