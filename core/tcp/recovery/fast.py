"""Fast recovery: its begin and its end, and what finds losses for it when the peer sends no SACK.

Source: RFC 5681 3.2, RFC 6582 (NewReno), RFC 6675 5.
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_le, seq_lt
from gossamer.core.tcp import record_ends
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.constants import DUP_THRESH
from gossamer.core.tcp.path_mtu import is_probe_lost, without_probe
from gossamer.core.tcp.recovery import discarded, proportional_rate, rack, spurious
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.report import AckReport
from gossamer.core.tcp.recovery.scoreboard import with_lost
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def entered(tcb: Tcb, arrived_bytes: int, now_us: int) -> Tcb:
    """Fast retransmit. Source: RFC 5681 3.2 (2), (3); RFC 6675 5 (4): "RecoveryPoint = HighData"."""
    recovery = tcb.recovery
    assert recovery is not None
    if is_probe_lost(tcb):
        assert tcb.path is not None
        end = tcb.path.probe_end
        assert end is not None
        tcb = without_probe(tcb, now_us)
        if seq_le(recovery.lost[-1][1], end):
            return _probe_marked_lost(tcb, recovery, end)
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    undo = spurious.begun(tcb, is_timeout=False)
    recovery = replace(
        recovery,
        phase=Phase.FAST,
        recover=tcb.snd_nxt,
        must_send=True,
        reduced_at_us=now_us,
        probe_end=None,
    )
    reduced = congestion.lost(tcb, now_us)
    tcb = replace(tcb, congestion=reduced, recovery=recovery, undo=undo, rtt_seq=None)
    earlier = recovery.sacked_bytes + recovery.dup_acked_bytes
    return proportional_rate.begun(tcb, arrived_bytes, flight - earlier + arrived_bytes)


def _probe_marked_lost(tcb: Tcb, recovery: Recovery, end: Seq) -> Tcb:
    """What was lost is a probe of the path's MTU: its octets alone are sent again, in smaller segments, and
    cwnd stays. Source: RFC 4821 7.6.2, 7.5."""
    recovery = replace(recovery, phase=Phase.LOSS, recover=end, must_send=True, probe_end=None)
    recovery = with_lost(recovery, tcb.snd_una, end, tcb.snd_una)
    return replace(tcb, recovery=recovery, undo=None, rtt_seq=None)


def reduced_again(tcb: Tcb, now_us: int) -> Tcb:
    """A retransmission was lost too.

    Source: RFC 5681 4.3: "the loss of a retransmission [...] MUST be treated as two indications of congestion
    and, therefore, cwnd (and ssthresh) MUST be lowered twice in this case".
    """
    recovery = tcb.recovery
    assert recovery is not None
    recovery = replace(recovery, reduced_at_us=now_us, must_send=True)
    reduced = congestion.lost(tcb, now_us)
    # What was sent in vain is known to be gone: no proof that the first loss was none counts any more.
    tcb = replace(tcb, congestion=reduced, recovery=recovery, undo=None)
    if recovery.phase is not Phase.FAST:
        return tcb
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    return proportional_rate.begun(tcb, 0, flight - recovery.sacked_bytes)


def exited(tcb: Tcb, now_us: int) -> Tcb:
    """Recovery is over. Source: RFC 6582 3.2 (4), RFC 6675 5: "cwnd MUST be set to ssthresh" at the latest
    now."""
    recovery = tcb.recovery
    assert recovery is not None
    after = spurious.calm(tcb, recovery)
    if after is None and not tcb.agreed.sack and recovery.recover == tcb.snd_una != tcb.snd_nxt:
        # What was sent again in vain comes back as duplicates of just this ACK.
        after = Recovery(Phase.DISORDER, tcb.snd_una)
    undo = replace(tcb.undo, is_over=True) if tcb.undo is not None else None
    over = replace(tcb, recovery=after, undo=undo, rack=rack.after_recovery(tcb.rack))
    if recovery.phase is Phase.LOSS:
        return over
    if tcb.congestion.every_ack or not tcb.agreed.sack:
        return replace(over, congestion=congestion.recovered(tcb, now_us))
    # RFC 9937 6: at the end of recovery "cwnd = ssthresh"; its rate has kept the flight there.
    return replace(over, congestion=replace(tcb.congestion, cwnd=tcb.congestion.ssthresh))


def duplicated(tcb: Tcb, recovery: Recovery, acks: int = 1) -> tuple[int, int]:
    """`dup_acks` and `dup_acked_bytes` after one more duplicate ACK: with SACK one that has news, or so many
    of them joined; without by RFC 5681 2.

    More duplicates than segments are spoofed: both counts are bounded by what was in flight when the loss was
    seen, since what is sent meanwhile would let forged ones call for ever more.
    """
    smss = tcb.agreed.smss
    end = tcb.snd_nxt if recovery.phase is Phase.DISORDER else recovery.recover
    flight = (end - tcb.snd_una) & MASK
    # A peer that keeps nothing answers what is taken for lost already.
    counts = not tcb.agreed.sack and recovery.missing_bytes != 0
    dup_acked_bytes = min(recovery.dup_acked_bytes + smss, flight) if counts else 0
    dup_acks = min(recovery.dup_acks + acks, -(-flight // smss))
    return dup_acks, dup_acked_bytes


def found_by_duplicates(tcb: Tcb, recovery: Recovery, report: AckReport) -> Recovery:
    """Without SACK: the first segment is lost at the third duplicate, and at each partial ACK.

    Source: RFC 6582 3.2 (2): only once the ACK "covers more than recover"; (5): "retransmit the first
    unacknowledged segment".
    """
    una, flight = tcb.snd_una, (tcb.snd_nxt - tcb.snd_una) & MASK
    is_first = (
        recovery.phase is Phase.DISORDER and recovery.dup_acks >= DUP_THRESH and seq_lt(recovery.recover, una)
    )
    is_partial = (
        recovery.phase is Phase.FAST and report.acked_bytes > 0 and not discarded.is_on_its_way(tcb, report)
    )
    if not is_first and not is_partial:
        return recovery
    recovery = replace(recovery, must_send=True)
    length = min(tcb.agreed.smss, flight)
    if tcb.record_ends:
        length = record_ends.within(tcb, una, length)
    return with_lost(recovery, una, seq_add(una, length), una)
