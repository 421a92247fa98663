"""RACK: what was sent before something that has arrived, and has had time to arrive itself, is lost.

Owns RACK's variables in `Recovery` and `Rack`, and the reordering window. Counting duplicate ACKs is the
case of a window of zero (RFC 8985 6.2, step 4), so that one rule finds a segment, its retransmission and the
tail of a burst.

Source: RFC 8985 5, 6.
"""

from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_le, seq_lt, seq_max, seq_min
from gossamer.core.tcp.constants import REORDERING_MAX, REORDERING_WINDOW_PERSIST
from gossamer.core.tcp.recovery import ranges, transmissions
from gossamer.core.tcp.recovery.records import Phase, Rack, Recovery, Run
from gossamer.core.tcp.recovery.report import AckReport, highest_reported
from gossamer.core.tcp.recovery.scoreboard import is_threshold_reached, with_lost
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timestamps import ts_value

replace = msgspec.structs.replace
NOTHING_KNOWN = Rack()
RUNS_WALKED_AGAIN_MAX: Final = 4
"""So few runs are walked along again rather than making a record of having been there."""


def is_used(tcb: Tcb) -> bool:
    """RFC 8985 4: RACK-TLP needs SACK."""
    return tcb.agreed.sack and tcb.agreed.parameters.rack


Latest = tuple[int, Seq, int, bool, bool]
"""RACK.xmit_ts, RACK.end_seq, RACK.rtt, whether it had been sent before, and whether something has arrived
that went again."""


def latest(recovery: Recovery, report: AckReport) -> Latest:
    """Steps 1 and 2: the latest sent of the segments that have arrived, and the round trip of those that this
    ACK is the first to report."""
    sent_at_us, last, last_rtt_us = recovery.rack_sent_at_us, recovery.rack_end, recovery.rack_rtt_us
    is_retransmitted, last_place, has_again = recovery.rack_is_retransmitted, -1, False
    by_sequence, now_us = report.before.agreed.parameters.rack_rtt_by_sequence, report.now_us
    for left, right in report.arrived:
        for _, end, run in transmissions.arrived_pieces(report.before, left, right):
            rtt_us = now_us - run.sent_at_us if now_us > run.sent_at_us else 0
            has_again = has_again or run.retransmitted
            if run.retransmitted and is_ambiguous(report, run, end, rtt_us):
                continue
            # RACK_sent_after. Source: RFC 8985 6.2 step 2.
            is_latest = run.sent_at_us > sent_at_us or (run.sent_at_us == sent_at_us and seq_lt(last, end))
            # "For each Segment newly acknowledged, cumulatively or selectively, in ascending order of
            # Segment.xmit_ts: [...] RACK.rtt = rtt"
            place = _place(report, end) if by_sequence else run.sent_at_us
            # When an octet of joined runs was sent is not known: only the latest of all says anything.
            if place >= last_place and (is_latest or not run.since_us):
                last_rtt_us, last_place = rtt_us, place
            if is_latest:
                sent_at_us, last = run.sent_at_us, end
                # Of runs that were joined it is not known which of their octets went again.
                is_retransmitted = run.retransmitted and not run.since_us
    return sent_at_us, last, last_rtt_us, is_retransmitted, has_again


def _place(report: AckReport, end: Seq) -> int:
    """In which order Linux looks at what one ACK delivers: by sequence numbers what is reported selectively,
    then so what is acknowledged."""
    distance = (end - report.before.snd_una) & MASK
    return distance if distance > report.acked_bytes else distance + MASK


def is_ambiguous(report: AckReport, run: Run, end: Seq, rtt_us: int) -> bool:
    """Whether an ACK of what was sent again may be one of the first transmission.

    Source: RFC 8985 6.2 step 2: "If the Timestamp Echo Reply field of the ACK's timestamp option predates the
    transmission of the segment that was retransmitted" or "the segment was last retransmitted less than
    RACK.min_rtt ago". Differs: the echo counts only for what is acknowledged by number; what is reported out
    of order does not move the peer's TS.Recent (RFC 7323 4.3).
    """
    agreed, segment = report.before.agreed, report.segment
    in_order = seq_le(end, Seq(segment.ack))
    echoes = in_order and agreed.timestamps and segment.ts_val >= 0 and segment.ts_ecr > 0
    if echoes and seq_lt(Seq(segment.ts_ecr), Seq(ts_value(agreed.ts_offset, run.sent_at_us))):
        return True
    return rtt_us < report.before.round_trip.min_us


def learned(tcb: Tcb, report: AckReport) -> Rack | None:
    """Steps 3 and 4: what an ACK shows of reordering.

    Source: RFC 8985 6.2 step 3: "RACK.reordering_seen = TRUE" for what was not sent again and arrives below
    what had arrived; step 4: each round trip with a D-SACK widens the window by a quarter of min_RTT.
    """
    behind_bytes = _behind_bytes(report)
    if tcb.rack is None and report.dsack is None and not behind_bytes:
        return None
    rack = tcb.rack or NOTHING_KNOWN
    if behind_bytes:
        segments = min(-(-behind_bytes // tcb.agreed.smss), REORDERING_MAX)
        rack = replace(rack, reordering_seen=True, reordering=max(rack.reordering, segments))
    # A round is over when something new is acknowledged: while nothing is in flight it goes on.
    if report.acked_bytes and rack.dsack_round is not None and not seq_lt(tcb.snd_una, rack.dsack_round):
        rack = replace(rack, dsack_round=None)
    if report.dsack is not None and rack.dsack_round is None:
        rack = replace(
            rack,
            dsack_round=tcb.snd_nxt,
            reo_wnd_mult=rack.reo_wnd_mult + 1,
            reo_wnd_persist=REORDERING_WINDOW_PERSIST,
        )
    return None if rack == NOTHING_KNOWN else rack


def _behind_bytes(report: AckReport) -> int:
    """How far below what had arrived something begins that arrives now, and was not sent again; 0 when
    nothing does."""
    fack = highest_reported(report.before)
    for left, right in report.arrived:
        if not seq_lt(left, fack):
            continue
        for start, end, run in transmissions.pieces(report.before, left, right):
            if not run.retransmitted and seq_lt(end, fack):
                return seq_diff(fack, start)
    return 0


def after_recovery(rack: Rack | None) -> Rack | None:
    """A recovery is over. Source: RFC 8985 6.2 step 4: the wider window lasts for 16 of them."""
    if rack is None or not rack.reo_wnd_persist:
        return rack
    remaining = rack.reo_wnd_persist - 1
    return replace(rack, reo_wnd_persist=remaining, reo_wnd_mult=rack.reo_wnd_mult if remaining else 1)


def reordering_window_us(tcb: Tcb, recovery: Recovery) -> int:
    """RACK.reo_wnd. Source: RFC 8985 6.2 step 4, RACK_update_reo_wnd."""
    rack = tcb.rack or NOTHING_KNOWN
    if not rack.reordering_seen and (
        recovery.phase is not Phase.DISORDER or is_threshold_reached(recovery, tcb.agreed.smss)
    ):
        return 0
    if not tcb.round_trip.min_us:
        # Before the first measurement only the count of duplicate ACKs shows a loss.
        return tcb.round_trip.rto_us
    return min(rack.reo_wnd_mult * tcb.round_trip.min_us // 4, tcb.round_trip.srtt_us)


class Detected(msgspec.Struct, frozen=True, gc=False):
    """What a look at the clock found."""

    recovery: Recovery
    timeout_us: int = 0
    """In how many microseconds to look again; 0 when there is nothing to look at."""
    retransmitted_at_us: int = 0
    """When the latest of the lost octets that had been sent again was; 0 when none is lost."""


def detected(tcb: Tcb, recovery: Recovery, now_us: int) -> Detected:
    """Step 5: what is lost now.

    Source: RFC 8985 6.2 step 5, RACK_detect_loss: "remaining = Segment.xmit_ts + RACK.rtt + RACK.reo_wnd -
    Now(); If remaining <= 0: Segment.lost = TRUE; Else: timeout = max(remaining, timeout)".

    A peer decides how many ranges are missing, and how often this looks: so it walks along what is due, which
    is lost then, and not along what waits.
    """
    sent_at_us, since_us = recovery.rack_sent_at_us, recovery.again_since_us
    if not sent_at_us:
        return Detected(recovery)
    until_us = recovery.again_until_us
    due_us = now_us - recovery.rack_rtt_us - reordering_window_us(tcb, recovery)
    found, judged_to, is_far, waiting_us = _first_sent(tcb, recovery, due_us)
    if since_us <= due_us and _is_before(recovery, since_us):
        again, since_us, until_us = _sent_again(tcb, recovery, due_us)
        found += again
    if _is_before(recovery, since_us):
        waiting_us = max(waiting_us, min(until_us, sent_at_us))
    if found or is_far or since_us != recovery.again_since_us:
        lost = [(left, right) for left, right, _ in found]
        recovery = replace(
            recovery,
            lost=ranges.joined(recovery.lost, lost, tcb.snd_una) if lost else recovery.lost,
            lost_bytes=recovery.lost_bytes + ranges.total_bytes(lost),
            judged_to=judged_to,
            again_since_us=since_us,
            again_until_us=until_us,
        )
    retransmitted_at_us = max((run.sent_at_us for _, _, run in found if run.retransmitted), default=0)
    return Detected(recovery, max(waiting_us - due_us, 0), retransmitted_at_us)


def _is_before(recovery: Recovery, again_since_us: int) -> bool:
    """Whether what went again at that time was sent before the latest that arrived, or may have been."""
    if recovery.rack_is_retransmitted:
        return again_since_us <= recovery.rack_sent_at_us
    return again_since_us < recovery.rack_sent_at_us


Sent = list[tuple[Seq, Seq, Run]]
"""What was sent before the latest that arrived, and neither has arrived nor is lost: (left, right, run)."""


def _first_sent(tcb: Tcb, recovery: Recovery, due_us: int) -> tuple[Sent, Seq, bool, int]:
    """That part of it which was sent but once and is due; where the walk ended, whether it was a long one;
    and when the latest was sent that is not due yet, 0 when there is none.

    The times of what was sent but once ascend with its sequence numbers: the walk begins where the last one
    ended, and ends at the first that waits, or was sent after the latest that arrived.
    """
    una, judged_to = tcb.snd_una, recovery.judged_to
    left = judged_to if judged_to is not None and seq_lt(una, judged_to) else una
    sacked, lost, waiting_us = recovery.sacked, recovery.lost, 0
    runs, found = transmissions.runs_of(tcb), []
    first = index = transmissions.run_after(runs, left, una)
    while index < len(runs):
        run = runs[index]
        right = run.right
        if not run.retransmitted:
            right = _judged_end(recovery, run, left)
            if run.sent_at_us <= due_us:
                for low, high in ranges.uncovered(sacked, lost, left, right, una):
                    found.append((low, high, run))
            else:
                hole = ranges.uncovered_from(sacked, lost, left, una)
                if (hole - una) & MASK < (right - una) & MASK:
                    left, waiting_us = hole, _latest_waiting_us(tcb, recovery, runs)
                    break
            if right != run.right:
                left = right
                break
        left, index = right, index + 1
    return found, left, index - first > RUNS_WALKED_AGAIN_MAX, waiting_us


def _latest_waiting_us(tcb: Tcb, recovery: Recovery, runs: transmissions.Runs) -> int:
    """When the latest was sent of what waits and was sent but once. There is some: looked for from the end,
    since what arrived and what is lost is passed over at once."""
    una, index = tcb.snd_una, len(runs) - 1
    while runs[index].retransmitted or runs[index].sent_at_us > recovery.rack_sent_at_us:
        index -= 1
    while True:
        run, left = runs[index], runs[index - 1].right if index else una
        index -= 1
        if not run.retransmitted:
            judged = _judged_end(recovery, run, left)
            right = ranges.uncovered_to(recovery.sacked, recovery.lost, judged, una)
            if (left - una) & MASK < (right - una) & MASK:
                return run.sent_at_us
            if right != left:
                index = transmissions.run_after(runs, seq_add(right, -1), una)


def _judged_end(recovery: Recovery, run: Run, left: Seq) -> Seq:
    """Up to where a run from `left` on was sent before the latest that arrived.

    Source: RFC 8985 6.2 step 2: what was sent in the same moment is ordered by its end. Differs: new octets
    of that moment say nothing of those that went again in it.
    """
    if run.sent_at_us < recovery.rack_sent_at_us:
        return run.right
    if run.sent_at_us > recovery.rack_sent_at_us or run.retransmitted > recovery.rack_is_retransmitted:
        return left
    return seq_max(left, seq_min(run.right, recovery.rack_end))


def _sent_again(tcb: Tcb, recovery: Recovery, due_us: int) -> tuple[Sent, int, int]:
    """That part of it which went again and is due; since when and until when the rest of what went again has
    left: one walk along the runs and what is reported."""
    una, sacked, lost = tcb.snd_una, recovery.sacked, recovery.lost
    since_us, until_us, index, count = NEVER_US, 0, 0, len(sacked)
    found: Sent = []
    left = una
    for run in transmissions.runs_of(tcb):
        right, at_us = run.right, run.sent_at_us
        if run.retransmitted:
            while index < count and (sacked[index][1] - una) & MASK < (right - una) & MASK:
                index += 1
            if index == count or (left - una) & MASK < (sacked[index][0] - una) & MASK:
                judged = _judged_end(recovery, run, left) if at_us <= due_us else left
                if judged != left:
                    for low, high in ranges.uncovered(sacked, lost, left, judged, una):
                        found.append((low, high, run))
                if judged != right:
                    since_us = at_us if at_us < since_us else since_us
                    until_us = at_us if at_us > until_us else until_us
        left = right
    return found, since_us, until_us


def overdue(tcb: Tcb, recovery: Recovery, now_us: int) -> Recovery:
    """What a retransmission timeout takes for lost.

    Source: RFC 8985 6.3, RACK_mark_losses_on_RTO: the first segment, and every one for which
    "Segment.xmit_ts + RACK.rtt + RACK.reo_wnd - Now() <= 0".
    """
    rtt_us = recovery.rack_rtt_us or tcb.round_trip.srtt_us
    patience_us = rtt_us + reordering_window_us(tcb, recovery)
    for left, right, run in transmissions.pieces(tcb, tcb.snd_una, tcb.snd_nxt):
        if run.sent_at_us + patience_us <= now_us:
            recovery = with_lost(recovery, left, right, tcb.snd_una)
    return recovery


def with_timer(tcb: Tcb, timeout_us: int, now_us: int) -> Tcb:
    """The connection with the reordering timer in front of its retransmission timeout; none when 0.

    Source: RFC 8985 8: one timer; the reordering timer stands before the others.
    """
    recovery = tcb.recovery
    assert recovery is not None
    rto_at_us = tcb.rtx_at_us if recovery.rto_at_us == NEVER_US else recovery.rto_at_us
    grain_us = tcb.agreed.parameters.rack_timer_grain_us
    if timeout_us and grain_us:
        timeout_us = (-(-timeout_us // grain_us) + 2) * grain_us
    if not timeout_us or now_us + timeout_us >= rto_at_us:
        if recovery.rto_at_us == NEVER_US:
            return tcb
        return replace(tcb, rtx_at_us=rto_at_us, recovery=replace(recovery, rto_at_us=NEVER_US))
    return replace(tcb, rtx_at_us=now_us + timeout_us, recovery=replace(recovery, rto_at_us=rto_at_us))
