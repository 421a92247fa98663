"""The sender's scoreboard: which octets the peer has reported as received, what is therefore still in the
network, and what counting alone takes for lost.

Source: RFC 2018 5, RFC 6675 3 and 4.
"""

from collections.abc import Iterable

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_lt
from gossamer.core.tcp.constants import DUP_THRESH, SACKED_RANGES_MAX
from gossamer.core.tcp.recovery import ranges, transmissions
from gossamer.core.tcp.recovery.limited_transmit import gone_bytes
from gossamer.core.tcp.recovery.ranges import Ranges
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def updated(
    sacked: Ranges, blocks: Iterable[tuple[int, int]], snd_una: Seq, ack: Seq, snd_nxt: Seq
) -> tuple[Ranges, Ranges]:
    """The ranges after an ACK that moved SND.UNA to `ack` and reports `blocks`, and the octets that it is the
    first to report, by either.

    A block that is inverted, empty, or reaches outside [SEG.ACK, SND.NXT] is ignored: it is old, a D-SACK, or
    forged.
    """
    arrived = ranges.gaps(sacked, snd_una, ack, snd_una) if ack != snd_una else []
    sacked = ranges.above(sacked, ack) if sacked else sacked
    flight = (snd_nxt - ack) & MASK
    for left, right in blocks:
        if not (left - ack) & MASK < (right - ack) & MASK <= flight:
            continue
        news = ranges.gaps(sacked, Seq(left), Seq(right), ack)
        if not news:
            continue
        held = ranges.with_range(sacked, Seq(left), Seq(right), ack)
        if len(held) <= SACKED_RANGES_MAX:
            sacked = held
            arrived += news
    return sacked, tuple(arrived)


def pipe_bytes(tcb: Tcb) -> int:
    """An estimate of the octets in the network. Source: RFC 6675 4, SetPipe; without SACK each duplicate ACK
    takes a segment out, which is RFC 6582's inflation of cwnd seen from the other side."""
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    recovery = tcb.recovery
    return flight if recovery is None else max(flight - gone_bytes(tcb, recovery), 0)


def is_lost(above: int, smss: int) -> bool:
    """Source: RFC 6675 4, IsLost: "more than (DupThresh - 1) * SMSS bytes with sequence numbers greater than
    'SeqNum'"."""
    return above > (DUP_THRESH - 1) * smss


def is_threshold_reached(recovery: Recovery, smss: int) -> bool:
    """Source: RFC 6675 5 (1) and (2): DupAcks >= DupThresh, or IsLost (HighACK + 1)."""
    return recovery.dup_acks >= DUP_THRESH or is_lost(recovery.sacked_bytes, smss)


def with_lost(recovery: Recovery, left: Seq, right: Seq, snd_una: Seq) -> Recovery:
    """The record with what the peer has not reported of [left, right) taken for lost."""
    lost, more = recovery.lost, 0
    for start, end in ranges.gaps(recovery.sacked, left, right, snd_una):
        new = ranges.total_bytes(ranges.gaps(lost, start, end, snd_una))
        if new:
            lost, more = ranges.with_range(lost, start, end, snd_una), more + new
    return replace(recovery, lost=lost, lost_bytes=recovery.lost_bytes + more) if more else recovery


def without_lost(recovery: Recovery, left: Seq, right: Seq, snd_una: Seq) -> Recovery:
    """The record with [left, right) no longer taken for lost."""
    less = ranges.total_bytes(ranges.covered(recovery.lost, left, right, snd_una))
    if not less:
        return recovery
    lost = ranges.without(recovery.lost, left, right, snd_una)
    return replace(recovery, lost=lost, lost_bytes=recovery.lost_bytes - less)


def counted(tcb: Tcb, recovery: Recovery) -> Recovery:
    """The losses that counting shows, where the clock is not asked (`tcp.rack` off). What was sent again is
    left to the retransmission timer.

    Source: RFC 6675 4, IsLost.
    """
    end = _lost_before(recovery, tcb.agreed.smss)
    if end is None:
        if recovery.phase is Phase.FAST or recovery.dup_acks < DUP_THRESH:
            return recovery
        # RFC 6675 5 (4.3): "Retransmit the first data segment presumed dropped -- the segment starting with
        # sequence number HighACK + 1."
        end = seq_add(tcb.snd_una, min(tcb.agreed.smss, (tcb.snd_nxt - tcb.snd_una) & MASK))
    if not seq_lt(tcb.snd_una, end):
        return recovery
    for left, right in ranges.gaps(recovery.sacked, tcb.snd_una, end, tcb.snd_una):
        for low, high, run in transmissions.pieces(tcb, left, right):
            if not run.retransmitted:
                recovery = with_lost(recovery, low, high, tcb.snd_una)
    return recovery


def _lost_before(recovery: Recovery, smss: int) -> Seq | None:
    """Where the octets end that have enough reported ones above them."""
    above = 0
    for left, right in reversed(recovery.sacked):
        above += (right - left) & MASK
        if is_lost(above, smss):
            return left
    return None
