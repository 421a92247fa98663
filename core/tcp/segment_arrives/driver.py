"""Runs the eight checks in order. Source: RFC 9293 3.10.7.4."""

from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.output import output
from gossamer.core.tcp.segment_arrives.eighth_fin import check_fin
from gossamer.core.tcp.segment_arrives.fifth_ack import check_ack
from gossamer.core.tcp.segment_arrives.first_sequence import check_sequence
from gossamer.core.tcp.segment_arrives.fourth_syn import check_syn
from gossamer.core.tcp.segment_arrives.second_rst import check_rst
from gossamer.core.tcp.segment_arrives.seventh_text import process_text
from gossamer.core.tcp.segment_arrives.sixth_urg import check_urg
from gossamer.core.tcp.segment_arrives.third_security import check_security
from gossamer.core.tcp.segment_arrives.verdict import Check
from gossamer.core.tcp.tcb import Tcb, TimeWait

THE_EIGHT_CHECKS: tuple[Check, ...] = (
    check_sequence,
    check_rst,
    check_security,
    check_syn,
    check_ack,
    check_urg,
    process_text,
    check_fin,
)


def arrives(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb | TimeWait | None, Actions]:
    """A segment for a connection in SYN-RECEIVED or a later state."""
    segment = event.segment
    actions: Actions = ()
    for check in THE_EIGHT_CHECKS:
        verdict = check(tcb, segment, event)
        if verdict is None:
            continue
        actions += verdict.actions
        if verdict.stops or not isinstance(verdict.tcb, Tcb):
            return verdict.tcb, actions
        tcb, segment = verdict.tcb, verdict.segment
    tcb, sent = output(tcb, event.now_us)
    # Segments go first: a doer that answers SEND_SPACE with another SEND must not overtake them.
    return tcb, sent + actions
