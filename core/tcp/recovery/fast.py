"""Loss recovery: duplicate ACKs, fast retransmit, NewReno and SACK-based fast recovery, and what follows a
timeout.

Decides which octets are lost and whether cwnd lets one more segment out; making the segment is
`core.tcp.output`'s.

Source: RFC 5681 3.2, RFC 6582, RFC 6675, RFC 6298 5.
"""

import msgspec
from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_le, seq_lt, seq_max
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.parameters import DUP_THRESH
from gossamer.core.tcp.path_mtu import is_probe_lost, without_probe
from gossamer.core.tcp.recovery import scoreboard
from gossamer.core.tcp.tcb import Phase, Recovery, Tcb
from gossamer.core.wire.segment import Segment

replace = msgspec.structs.replace


def pipe_bytes(tcb: Tcb) -> int:
    """An estimate of the octets in the network. Source: RFC 6675 4, SetPipe; without SACK each duplicate ACK
    takes a segment out, which is RFC 6582's inflation of cwnd seen from the other side."""
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    recovery = tcb.recovery
    if recovery is None:
        return flight
    gone = scoreboard.sacked_bytes(recovery.sacked) + recovery.undelivered
    if recovery.phase is Phase.LOSS:
        start = seq_max(recovery.high_rxt, tcb.snd_una)
        gone += sum(
            (right - left) & MASK
            for left, right, _ in scoreboard.holes(recovery.sacked, start, recovery.recover)
        )
    elif recovery.phase is Phase.FAST and tcb.agreed.sack:
        start = seq_max(recovery.high_rxt, tcb.snd_una)
        gone += scoreboard.lost_bytes(recovery.sacked, start, tcb.snd_nxt, tcb.agreed.smss)
    return max(flight - gone, 0)


def next_retransmission(tcb: Tcb, sent_one: bool) -> tuple[Seq, int, Tcb] | None:
    """The next octets to send again, (seq, length, the connection after), None when there are none or cwnd is
    full.

    The first of a recovery and the first after a partial ACK goes out whatever the pipe (RFC 6675 5 (4.3),
    RFC 6582 3.2 (5)).
    """
    recovery = tcb.recovery
    assert recovery is not None
    start = seq_max(recovery.high_rxt, tcb.snd_una)
    hole = _hole(tcb, recovery, start)
    if hole is None:
        return None
    seq, length = hole
    forced = not sent_one and seq == tcb.snd_una
    if not forced and pipe_bytes(tcb) + length > tcb.congestion.cwnd:
        return None
    return seq, length, replace(tcb, recovery=replace(recovery, high_rxt=seq_add(seq, length)))


def _hole(tcb: Tcb, recovery: Recovery, start: Seq) -> tuple[Seq, int] | None:
    smss = tcb.agreed.smss
    if recovery.phase is Phase.LOSS:
        return scoreboard.next_hole(recovery.sacked, start, recovery.recover, smss, lost_only=False)
    if not tcb.agreed.sack:
        if start != tcb.snd_una or not seq_lt(start, recovery.recover):
            return None
        return start, min(smss, seq_diff(recovery.recover, start))
    if start == tcb.snd_una and not _is_sacked(recovery, start):
        return scoreboard.next_hole(recovery.sacked, start, recovery.recover, smss, lost_only=False)
    return scoreboard.next_hole(recovery.sacked, start, tcb.snd_nxt, smss, lost_only=True)


def _is_sacked(recovery: Recovery, seq: Seq) -> bool:
    return bool(recovery.sacked) and recovery.sacked[0][0] == seq


def on_duplicate(tcb: Tcb, segment: Segment, is_duplicate: bool, now_us: int) -> Tcb:
    """After an ACK that acknowledged nothing new; `is_duplicate` by RFC 5681 2's five conditions, which with
    SACK its blocks must confirm."""
    recovery = tcb.recovery or Recovery(Phase.DISORDER, seq_add(tcb.snd_una, -1), tcb.snd_una)
    sacked = recovery.sacked
    if tcb.agreed.sack and segment.sack:
        sacked = scoreboard.update(sacked, segment.sack, tcb.snd_una, tcb.snd_nxt)
    # RFC 6675 2: with SACK a duplicate is one that reports octets not reported before. Without such news it
    # only answers what the peer had already, as after a timeout.
    if not (sacked != recovery.sacked if tcb.agreed.sack else is_duplicate):
        return tcb
    # More duplicates than segments are spoofed: both counts are bounded by what was in flight when the loss
    # was seen, since what is sent meanwhile would let forged ones call for ever more.
    smss, end = tcb.agreed.smss, recovery.recover
    flight = ((tcb.snd_nxt if recovery.phase is Phase.DISORDER else end) - tcb.snd_una) & MASK
    dup_acks = min(recovery.dup_acks + 1, -(-flight // smss))
    undelivered = 0 if tcb.agreed.sack else min(recovery.undelivered + smss, flight)
    recovery = replace(recovery, dup_acks=dup_acks, sacked=sacked, undelivered=undelivered)
    tcb = replace(tcb, recovery=recovery)
    return _entered(tcb, recovery, now_us) if _is_loss_shown(tcb, recovery) else tcb


def _is_loss_shown(tcb: Tcb, recovery: Recovery) -> bool:
    """Source: RFC 6675 5 (1) and (2): DupAcks >= DupThresh, or IsLost (HighACK + 1); RFC 6582 3.2 (2): only
    once the ACK "covers more than recover"."""
    if recovery.phase is not Phase.DISORDER:
        return False
    if recovery.dup_acks >= DUP_THRESH and seq_lt(recovery.recover, tcb.snd_una):
        return True
    return bool(recovery.sacked) and scoreboard.is_lost(
        scoreboard.sacked_bytes(recovery.sacked), tcb.agreed.smss
    )


def _entered(tcb: Tcb, recovery: Recovery, now_us: int) -> Tcb:
    """Fast retransmit. Source: RFC 5681 3.2 (2), (3); RFC 6675 5 (4)."""
    if is_probe_lost(tcb):
        return _probe_sent_again(tcb, recovery, now_us)
    return replace(
        tcb,
        congestion=congestion.lost(tcb, now_us),
        recovery=replace(recovery, phase=Phase.FAST, recover=tcb.snd_nxt, high_rxt=tcb.snd_una),
        rtt_seq=None,
    )


def _probe_sent_again(tcb: Tcb, recovery: Recovery, now_us: int) -> Tcb:
    """What was lost is a probe of the path's MTU: its octets alone are sent again, in smaller segments, and
    cwnd stays. Source: RFC 4821 7.6.2, 7.5."""
    assert tcb.path is not None
    end = tcb.path.probe_end
    assert end is not None
    recovery = replace(recovery, phase=Phase.LOSS, recover=end, high_rxt=tcb.snd_una)
    return replace(without_probe(tcb, now_us), recovery=recovery, rtt_seq=None)


def on_new_ack(tcb: Tcb, segment: Segment, acked_bytes: int, flight_bytes: int, now_us: int) -> Tcb:
    """After SND.UNA has advanced while `recovery` was present."""
    recovery = tcb.recovery
    assert recovery is not None
    sacked = scoreboard.update(
        recovery.sacked, segment.sack if tcb.agreed.sack else (), tcb.snd_una, tcb.snd_nxt
    )
    if recovery.phase is Phase.DISORDER:
        return _still_disordered(tcb, recovery, sacked, acked_bytes, flight_bytes, now_us)
    if seq_le(recovery.recover, tcb.snd_una):
        return _left(tcb, recovery, sacked, now_us)
    # Without SACK the duplicates that stood for the octets now acknowledged are taken back.
    smss, left = tcb.agreed.smss, (tcb.snd_nxt - tcb.snd_una) & MASK
    undelivered = min(max(recovery.undelivered - max(acked_bytes - smss, 0), 0), left)
    recovery = replace(recovery, sacked=sacked, undelivered=undelivered, dup_acks=0)
    if recovery.phase is Phase.LOSS:
        grown = congestion.acknowledged(tcb, acked_bytes, flight_bytes, now_us)
        return replace(tcb, congestion=grown, recovery=recovery)
    # RFC 6582 3.2 (5), a partial ACK: "retransmit the first unacknowledged segment".
    high_rxt = recovery.high_rxt if tcb.agreed.sack else tcb.snd_una
    return replace(tcb, recovery=replace(recovery, high_rxt=high_rxt))


def _still_disordered(
    tcb: Tcb, recovery: Recovery, sacked: scoreboard.Ranges, acked_bytes: int, flight_bytes: int, now_us: int
) -> Tcb:
    grown = congestion.acknowledged(tcb, acked_bytes, flight_bytes, now_us)
    if not sacked:
        return replace(tcb, congestion=grown, recovery=None)
    recovery = replace(recovery, sacked=sacked, dup_acks=0, undelivered=0)
    tcb = replace(tcb, congestion=grown, recovery=recovery)
    return _entered(tcb, recovery, now_us) if _is_loss_shown(tcb, recovery) else tcb


def _left(tcb: Tcb, recovery: Recovery, sacked: scoreboard.Ranges, now_us: int) -> Tcb:
    """Recovery is over. Source: RFC 6582 3.2 (4), RFC 6675 5: "cwnd MUST be set to ssthresh" at the latest
    now."""
    after = None
    if sacked:
        after = Recovery(Phase.DISORDER, seq_add(tcb.snd_una, -1), tcb.snd_una, sacked=sacked)
    elif not tcb.agreed.sack and recovery.recover == tcb.snd_una != tcb.snd_nxt:
        # What was sent again in vain comes back as duplicates of just this ACK.
        after = Recovery(Phase.DISORDER, tcb.snd_una, tcb.snd_una)
    if recovery.phase is Phase.LOSS:
        return replace(tcb, recovery=after)
    return replace(tcb, congestion=congestion.recovered(tcb, now_us), recovery=after)


def after_timeout(tcb: Tcb, now_us: int) -> Tcb:
    """What was in flight is sent again as cwnd allows. The scoreboard is forgotten, since the peer may have
    dropped what it reported (RFC 2018 8)."""
    first = tcb.recovery is None or tcb.recovery.phase is not Phase.LOSS
    return replace(
        tcb,
        congestion=congestion.timed_out(tcb, now_us, first),
        recovery=Recovery(Phase.LOSS, recover=tcb.snd_nxt, high_rxt=tcb.snd_una),
        rtt_seq=None,
    )


def sent_again(tcb: Tcb) -> Tcb:
    """A closed window has opened: what a window probe carried may have been refused, so send it again. No
    congestion."""
    return replace(
        tcb, recovery=Recovery(Phase.LOSS, recover=tcb.snd_nxt, high_rxt=tcb.snd_una), rtt_seq=None
    )
