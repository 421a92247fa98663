"""Recoveries that were for nothing, and how they are undone.

Owns `Tcb.undo`: what the connection was when its last recovery began. Two signs show that nothing was lost:
an ACK that echoes a time before the first retransmission (Eifel), and D-SACKs for all that went again.
`forward_rto` owns a third, F-RTO.

Source: RFC 3522 (Eifel detection), RFC 3708 (D-SACK detection), RFC 4015 (the response).
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_le, seq_lt
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.recovery import transmissions
from gossamer.core.tcp.recovery.records import Phase, Recovery, Undo
from gossamer.core.tcp.recovery.report import AckReport
from gossamer.core.tcp.rtt import after_spurious_timeout
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timestamps import can_have_waited, echoed_us, ts_value

replace = msgspec.structs.replace

NOTHING_SENT = -1
SAYS_NOTHING = -2
"""Values of `Undo.retransmit_ts` that are not timestamps."""


def begun(tcb: Tcb, is_timeout: bool) -> Undo:
    """What to remember when a recovery begins; `tcb` is the connection before it. A tail loss probe that went
    before it is among what went again: its duplicate does not stand for another's."""
    recovery, flight = tcb.recovery, (tcb.snd_nxt - tcb.snd_una) & MASK
    is_probed = (
        recovery is not None and recovery.probe_is_retransmission and recovery.probe_end == tcb.snd_nxt
    )
    return Undo(
        tcb.congestion,
        start=tcb.snd_una,
        end=tcb.snd_nxt,
        retransmitted_bytes=min(flight, tcb.agreed.smss) if is_probed else 0,
        is_timeout=is_timeout,
    )


def begun_by_timeout(tcb: Tcb) -> Undo | None:
    """The same for a timeout. In fast recovery what was before that is remembered, if it may still come back:
    RFC 4015 3.2 saves cwnd and ssthresh before they are first changed."""
    if tcb.recovery is not None and tcb.recovery.phase is Phase.FAST:
        return None if tcb.undo is None else replace(tcb.undo, is_timeout=True)
    return begun(tcb, is_timeout=True)


def before_retransmission(tcb: Tcb, seq: Seq, length: int, now_us: int) -> Tcb:
    """Before [seq, seq + length) goes again in a recovery.

    Source: RFC 3522 3.2 (1): "the TCP sender stores the value of the timestamp option of the retransmit in
    the variable RetransmitTS". It says something only of the earliest segment, sent again for the first time:
    the next ACK of new data answers that one.
    """
    undo = tcb.undo
    if undo is None or undo.is_over:
        return tcb
    retransmit_ts = undo.retransmit_ts
    if retransmit_ts == NOTHING_SENT:
        _, _, run = transmissions.pieces(tcb, seq, seq_add(seq, length))[0]
        says = tcb.agreed.timestamps and seq == tcb.snd_una and not run.retransmitted
        retransmit_ts = ts_value(tcb.agreed.ts_offset, now_us) if says else SAYS_NOTHING
    undo = replace(undo, retransmitted_bytes=undo.retransmitted_bytes + length, retransmit_ts=retransmit_ts)
    return replace(tcb, undo=undo)


def is_echo_older(tcb: Tcb, report: AckReport) -> bool:
    """Whether the first ACK of new data in a recovery answers what was sent before it.

    Source: RFC 3522 3.2 (4): "If the value of the Timestamp Echo Reply field of the acceptable ACK's
    Timestamps option is smaller than the value of RetransmitTS, then [...] the loss recovery was entered
    spuriously".
    """
    undo, segment = tcb.undo, report.segment
    if undo is None or undo.is_over or undo.retransmit_ts < 0 or not report.acked_bytes:
        return False
    if report.dsack is not None:
        # It answers the retransmission: the data was there, its ACK was lost, and the echo is an old one.
        return False
    return segment.ts_val >= 0 and segment.ts_ecr > 0 and seq_lt(Seq(segment.ts_ecr), Seq(undo.retransmit_ts))


def on_ack(tcb: Tcb, report: AckReport) -> Tcb:
    """The connection after what an ACK says of retransmissions: an echo counts once, D-SACKs add up."""
    undo = tcb.undo
    if undo is None:
        return tcb
    if report.acked_bytes and undo.retransmit_ts >= 0:
        undo = replace(undo, retransmit_ts=SAYS_NOTHING)
    if report.dsack is not None and undo.retransmitted_bytes > 0:
        left, right = Seq(report.dsack[0]), Seq(report.dsack[1])
        if seq_le(undo.start, left) and seq_le(right, undo.end):
            undo = replace(
                undo, retransmitted_bytes=max(undo.retransmitted_bytes - ((right - left) & MASK), 0)
            )
    return tcb if undo is tcb.undo else replace(tcb, undo=undo)


def are_all_duplicates(tcb: Tcb, report: AckReport) -> bool:
    """Whether this D-SACK was the last of those for all that went again. Source: RFC 3708 3."""
    undo = tcb.undo
    return (
        report.dsack is not None
        and undo is not None
        and not undo.retransmitted_bytes
        and undo.retransmit_ts != -1
    )


def undone(tcb: Tcb, report: AckReport) -> Tcb:
    """The Eifel response: cwnd and ssthresh as they were, nothing more is sent again, and after a timeout a
    more patient timer.

    Source: RFC 4015 3.2.
    """
    undo, recovery = tcb.undo, tcb.recovery
    assert undo is not None
    tcb = replace(tcb, congestion=congestion.undone(tcb, undo.before), undo=None)
    echo_us = echoed_us(tcb, report.segment, report.now_us)
    waited = can_have_waited(report.before, report.segment, report.now_us)
    if undo.is_timeout and report.acked_bytes and echo_us is not None and not waited:
        tcb = replace(tcb, round_trip=after_spurious_timeout(tcb, echo_us))
    if recovery is None or recovery.phase is Phase.DISORDER:
        return tcb
    return replace(tcb, recovery=calm(tcb, recovery))


def calm(tcb: Tcb, recovery: Recovery) -> Recovery | None:
    """What remains of a recovery that is over: the scoreboard, if it says anything."""
    if not recovery.sacked:
        return None
    return Recovery(
        Phase.DISORDER,
        seq_add(tcb.snd_una, -1),
        sacked=recovery.sacked,
        sacked_bytes=recovery.sacked_bytes,
        rack_sent_at_us=recovery.rack_sent_at_us,
        rack_end=recovery.rack_end,
        rack_rtt_us=recovery.rack_rtt_us,
        rack_is_retransmitted=recovery.rack_is_retransmitted,
        rto_at_us=recovery.rto_at_us,
    )
