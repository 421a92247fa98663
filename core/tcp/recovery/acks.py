"""An ACK, as loss recovery takes it in: the order of its rules.

    report        what the ACK says                            RFC 6675, RFC 2883
    spurious      was the recovery for nothing?                 RFC 3522, 3708, 5682, 4015
    probes        what became of a tail loss probe?             RFC 8985 7.4
    discarded     what has the peer thrown away?                RFC 5682, RFC 6582
    ends          is what was to be recovered acknowledged?     RFC 6582, 6675
    losses        what is lost?                                 RFC 8985 6, RFC 6675, RFC 6582
    congestion    what may be sent?                             RFC 9937, or the algorithm

Source: as named; RFC 9293 3.10.7.4, fifth, calls it.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq, seq_add, seq_le
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.constants import DUP_THRESH
from gossamer.core.tcp.recovery import (
    discarded,
    fast,
    forward_rto,
    losses,
    proportional_rate,
    rack,
    ranges,
    spurious,
    tail_loss_probe,
    timeout,
)
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.report import AckReport, read
from gossamer.core.tcp.rtt import is_probe_due
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import Segment

replace = msgspec.structs.replace
NOTHING_ARRIVED: rack.Latest = (0, Seq(0), 0, False, False)


def on_ack(
    before: Tcb,
    tcb: Tcb,
    segment: Segment,
    now_us: int,
    is_duplicate: bool = False,
    r_us: int | None = None,
    acks: int = 1,
) -> Tcb:
    """The connection after an ACK that has made `tcb` of `before`: it moved SND.UNA, or reports something, or
    is a duplicate."""
    report = read(before, tcb, segment, now_us, is_duplicate, r_us, acks)
    if not report.acked_bytes and not _has_news(tcb, report):
        return tcb
    if report.sacked and is_probe_due(tcb):
        # RFC 8985 7.2: no PTO once "SACKed sequences in the scoreboard" show that something is missing. The
        # retransmission timeout stands there again: what is missing goes soon, and its ACK takes a round
        # trip.
        tcb = replace(tcb, rtx_at_us=now_us + tcb.round_trip.rto_us)
    tcb = replace(
        tcb,
        rack=rack.learned(tcb, report) if rack.is_used(tcb) else tcb.rack,
        recovery=_noted(tcb, report),
    )
    tcb = tail_loss_probe.answered(_judged(tcb, report), report)
    if tcb.recovery is not None:
        tcb = _recovered(tcb, report)
    return _forgotten(tcb)


def _has_news(tcb: Tcb, report: AckReport) -> bool:
    """Whether an ACK that moves nothing means anything to recovery.

    RFC 6675 2: with SACK a duplicate is one that reports octets not reported before; without such news it
    only answers what the peer had already, as after a timeout.
    """
    if report.arrived or report.dsack is not None:
        return True
    return report.is_duplicate and (not tcb.agreed.sack or tcb.recovery is not None)


def _noted(tcb: Tcb, report: AckReport) -> Recovery:
    """The record with the ACK's facts in it."""
    una = tcb.snd_una
    recovery = tcb.recovery or Recovery(Phase.DISORDER, seq_add(una, -1))
    lost, lost_bytes = _still_lost(recovery, report, una) if recovery.lost else ((), 0)
    dup_acks, dup_acked_bytes = recovery.dup_acks, recovery.dup_acked_bytes
    rto_at_us = recovery.rto_at_us
    if report.acked_bytes:
        # SND.UNA has moved: duplicates are counted anew, and the timer that was started anew is the
        # retransmission timer.
        dup_acks, dup_acked_bytes, rto_at_us = 0, _dup_acked_bytes(tcb, recovery, report), NEVER_US
    elif (report.arrived if tcb.agreed.sack else report.is_duplicate) and una != tcb.snd_nxt:
        dup_acks, dup_acked_bytes = fast.duplicated(tcb, recovery, report.acks)
    is_timed = rack.is_used(tcb)
    latest = rack.latest(recovery, report) if is_timed else NOTHING_ARRIVED
    sent_at_us, end, rtt_us, is_retransmitted, has_again = latest
    return replace(
        recovery,
        dup_acks=dup_acks,
        sacked=report.sacked,
        sacked_bytes=report.sacked_bytes,
        lost=lost,
        lost_bytes=lost_bytes,
        dup_acked_bytes=dup_acked_bytes,
        rack_sent_at_us=sent_at_us,
        rack_end=end,
        rack_rtt_us=rtt_us,
        rack_is_retransmitted=is_retransmitted,
        rto_at_us=rto_at_us,
        again_since_us=0 if has_again else recovery.again_since_us,
    )


def _still_lost(recovery: Recovery, report: AckReport, una: Seq) -> tuple[ranges.Ranges, int]:
    """What is lost, less what has arrived; and its octets."""
    lost = ranges.above(recovery.lost, una)
    for left, right in report.arrived:
        if seq_le(una, left):
            lost = ranges.without(lost, left, right, una)
    return lost, recovery.lost_bytes if lost is recovery.lost else ranges.total_bytes(lost)


def _dup_acked_bytes(tcb: Tcb, recovery: Recovery, report: AckReport) -> int:
    """What duplicates stand for without SACK, less those that stood for the octets now acknowledged."""
    if recovery.phase is Phase.DISORDER or not recovery.dup_acked_bytes:
        return 0
    in_flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    rest = recovery.dup_acked_bytes - max(report.acked_bytes - tcb.agreed.smss, 0)
    return min(max(rest, 0), in_flight)


def _judged(tcb: Tcb, report: AckReport) -> Tcb:
    """After looking whether the recovery was for nothing."""
    is_older = spurious.is_echo_older(tcb, report)
    tcb = spurious.on_ack(tcb, report)
    recovery = tcb.recovery
    assert recovery is not None
    if tcb.undo is None:
        return tcb
    if is_older or spurious.are_all_duplicates(tcb, report) or forward_rto.is_spurious(tcb, recovery, report):
        return spurious.undone(tcb, report)
    return forward_rto.stepped(tcb, report)


def _recovered(tcb: Tcb, report: AckReport) -> Tcb:
    """After what the ACK ends, shows to be lost, and lets out."""
    recovery = tcb.recovery
    assert recovery is not None
    delivered, lost_bytes = _delivered_bytes(recovery, report), recovery.lost_bytes
    tcb = discarded.with_discarded(tcb, report)
    recovery = tcb.recovery
    assert recovery is not None
    has_exited = recovery.phase is not Phase.DISORDER and seq_le(recovery.recover, tcb.snd_una)
    if has_exited:
        # RFC 5681 3.1: after a timeout "the TCP sender uses the slow start algorithm", with this ACK too.
        is_after_timeout = recovery.phase is Phase.LOSS and tcb.undo is not None and tcb.undo.is_timeout
        tcb = fast.exited(_grown(tcb, report) if is_after_timeout else tcb, report.now_us)
    elif recovery.phase is Phase.LOSS:
        tcb = timeout.with_reneged(tcb)
    if tcb.recovery is None:
        return tcb
    phase = tcb.recovery.phase
    tcb = losses.found(tcb, report, delivered)
    recovery = tcb.recovery
    assert recovery is not None
    if phase is not Phase.FAST:
        return tcb if has_exited or recovery.phase is Phase.FAST else _grown(tcb, report)
    is_safe = report.acked_bytes > 0 and recovery.lost_bytes <= lost_bytes
    return (
        _grown(tcb, report)
        if tcb.congestion.every_ack
        else (proportional_rate.delivered(tcb, delivered, is_safe))
    )


def _delivered_bytes(recovery: Recovery, report: AckReport) -> int:
    """DeliveredData; without SACK a duplicate ACK stands for a segment, and is taken back later. Source: RFC
    9937 6.2."""
    held = report.before.recovery.dup_acked_bytes if report.before.recovery is not None else 0
    return max(report.arrived_bytes + recovery.dup_acked_bytes - held, 0)


def _grown(tcb: Tcb, report: AckReport) -> Tcb:
    """The algorithm hears of new data that was acknowledged."""
    octets = _counted_bytes(tcb, report)
    if not octets:
        return tcb
    flight = (report.before.snd_nxt - report.before.snd_una) & MASK
    grown = congestion.acknowledged(tcb, octets, flight, report.now_us, report.r_us, report.acks)
    return replace(tcb, congestion=grown)


def _counted_bytes(tcb: Tcb, report: AckReport) -> int:
    """By how much cwnd may grow: what moved SND.UNA, or, with `growth_by_delivered`, what has newly arrived;
    an ACK that only reports counts once reordering is known to be more than a few segments."""
    if not tcb.agreed.parameters.growth_by_delivered or not tcb.agreed.sack:
        return report.acked_bytes
    is_reordered = tcb.rack is not None and tcb.rack.reordering > DUP_THRESH
    return report.arrived_bytes if report.acked_bytes or is_reordered else 0


def _forgotten(tcb: Tcb) -> Tcb:
    """Without the record when it says nothing any more."""
    recovery = tcb.recovery
    if recovery is None or recovery.phase is not Phase.DISORDER or recovery.probe_end is not None:
        return tcb
    if recovery.sacked or recovery.dup_acks or recovery.dup_acked_bytes:
        return tcb
    if not tcb.agreed.sack and tcb.snd_una != tcb.snd_nxt and recovery.recover == tcb.snd_una:
        # Duplicates of just this ACK begin no recovery: see `fast.exited`.
        return tcb
    return replace(tcb, recovery=None)
