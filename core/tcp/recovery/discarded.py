"""What a peer has not kept: an ACK of what was sent again stops short of what was sent before that.

A small peer throws away all that comes out of order, and sends no SACK. What it was sent before a segment
that went again, and does not acknowledge with that one, never arrived or is not there any more: it goes again
in its turn, else each would cost a timeout. That holds beyond `recover` too, for what F-RTO sends after a
timeout and what duplicate ACKs let out.

Owns the inference from the number of an ACK, for connections without RACK, which has it from its clock (RFC
8985 6).

Source: RFC 5682 2.1 (3a): "continue with the slow start algorithm retransmitting unacknowledged segments";
RFC 6582 3.2 (5), of which it is the case of a peer that keeps nothing.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq, seq_le, seq_lt, seq_max, seq_min
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.recovery import rack, ranges, transmissions
from gossamer.core.tcp.recovery.ranges import Ranges
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.report import AckReport
from gossamer.core.tcp.recovery.scoreboard import with_lost
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def with_discarded(tcb: Tcb, report: AckReport) -> Tcb:
    """After an ACK in a recovery, with what it shows the peer not to have taken for lost; recovery goes on to
    the end of that."""
    recovery = tcb.recovery
    assert recovery is not None
    if rack.is_used(tcb) or not report.acked_bytes or recovery.phase is Phase.DISORDER:
        return tcb
    answered = _answered(report)
    if answered is None:
        return tcb
    earlier = _sent_before(tcb, recovery, answered.sent_at_us)
    if not earlier:
        return tcb
    if recovery.phase is Phase.LOSS:
        return replace(tcb, recovery=_after_timeout(tcb, recovery, earlier))
    return tcb if tcb.agreed.sack else _after_partial_ack(tcb, report, earlier, answered.went_again_bytes)


def _after_timeout(tcb: Tcb, recovery: Recovery, earlier: Ranges) -> Recovery:
    """All of it is lost."""
    shown = _with_lost(recovery, earlier, tcb.snd_una)
    # The duplicates stood for what is now known to be gone.
    news = shown.lost_bytes - recovery.lost_bytes
    recover = seq_max(recovery.recover, earlier[-1][1])
    return replace(shown, recover=recover, dup_acked_bytes=max(recovery.dup_acked_bytes - news, 0))


def _after_partial_ack(tcb: Tcb, report: AckReport, earlier: Ranges, went_again_bytes: int) -> Tcb:
    """Of what lies behind the first segment the peer may have any, unless more duplicates have come than it
    could have sent: then it keeps nothing, and all goes again."""
    recovery, una = tcb.recovery, tcb.snd_una
    assert recovery is not None
    right = seq_max(recovery.recover, earlier[-1][1])
    beyond = (right - recovery.recover) & MASK
    if seq_le(recovery.recover, una):
        missing_bytes = (right - una) & MASK
    elif recovery.missing_bytes < 0:
        missing_bytes = ((recovery.recover - una) & MASK) - recovery.dup_acked_bytes
    else:
        missing_bytes = recovery.missing_bytes - went_again_bytes
    if missing_bytes <= 0:
        return _all_again(tcb, recovery, report.now_us)
    return replace(tcb, recovery=replace(recovery, recover=right, missing_bytes=missing_bytes + beyond))


def _all_again(tcb: Tcb, recovery: Recovery, now_us: int) -> Tcb:
    """All that is in flight goes again in slow start, as after a second timeout: what is under way finds the
    first segment missing too, and nothing was delivered that duplicates seemed to stand for."""
    recovery = _with_lost(recovery, ((tcb.snd_una, tcb.snd_nxt),), tcb.snd_una)
    recovery = replace(
        recovery,
        phase=Phase.LOSS,
        recover=tcb.snd_nxt,
        must_send=True,
        dup_acked_bytes=0,
        missing_bytes=0,
        prr_flight=0,
    )
    delivery = replace(tcb.delivery, position=tcb.snd_una) if tcb.delivery is not None else None
    reduced = congestion.timed_out(tcb, now_us, first=False)
    return replace(tcb, recovery=recovery, congestion=reduced, delivery=delivery)


def _with_lost(recovery: Recovery, lost: Ranges, snd_una: Seq) -> Recovery:
    for left, right in lost:
        recovery = with_lost(recovery, left, right, snd_una)
    return recovery


def is_on_its_way(tcb: Tcb, report: AckReport) -> bool:
    """Whether the segment at SND.UNA went again no earlier than what an ACK answers, so that this ACK says
    nothing of it."""
    runs, answered = transmissions.runs_of(tcb), _answered(report)
    if not runs or answered is None:
        return False
    return runs[0].retransmitted and runs[0].sent_at_us >= answered.sent_at_us


class _Answered(msgspec.Struct, frozen=True, gc=False):
    """What an ACK acknowledges of what went again."""

    sent_at_us: int
    """When the first of it did."""
    went_again_bytes: int


def _answered(report: AckReport) -> _Answered | None:
    """None when nothing of it went again, or the ACK may be one of the first transmission."""
    before, ack = report.before, Seq(report.segment.ack)
    left, sent_at_us, went_again_bytes = before.snd_una, NEVER_US, 0
    for start, end, run in transmissions.arrived_pieces(before, left, ack):
        if not run.retransmitted:
            continue
        if rack.is_ambiguous(report, run, end, report.now_us - run.sent_at_us):
            return None
        sent_at_us = min(sent_at_us, run.sent_at_us)
        went_again_bytes += (end - start) & MASK
    return _Answered(sent_at_us, went_again_bytes) if went_again_bytes else None


def _sent_before(tcb: Tcb, recovery: Recovery, sent_at_us: int) -> Ranges:
    """What is in flight and was last sent before something that went again then.

    What lies below `recover` was sent before anything went again, be it in the same moment.
    """
    found: Ranges = ()
    for left, right, run in transmissions.pieces(tcb, tcb.snd_una, tcb.snd_nxt):
        if run.sent_at_us < sent_at_us:
            found = ranges.with_range(found, left, right, tcb.snd_una)
        elif not run.retransmitted and seq_lt(left, recovery.recover):
            found = ranges.with_range(found, left, seq_min(right, recovery.recover), tcb.snd_una)
    return found
