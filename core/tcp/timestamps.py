"""The timestamps option: our clock, TS.Recent, PAWS, and round-trip measurement.

Source: RFC 7323 3 to 5.
"""

from gossamer.core.seq import HALF, MASK, Seq, seq_le, seq_lt
from gossamer.core.tcp.parameters import CLOCK_GRANULARITY_US, PAWS_IDLE_US, RTT_INTERVAL_US
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import NO_TIMESTAMP, Segment


def ts_value(ts_offset: int, now_us: int) -> int:
    """Our TSval: milliseconds, plus the connection's random offset (RFC 7323 7.1)."""
    return (now_us // CLOCK_GRANULARITY_US + ts_offset) & MASK


def is_old_duplicate(tcb: Tcb, segment: Segment, now_us: int) -> bool:
    """PAWS. Source: RFC 7323 5.3 R1: "SEG.TSval < TS.Recent and if TS.Recent is valid"."""
    if segment.ts_val == NO_TIMESTAMP or not tcb.agreed.timestamps:
        return False
    if not seq_lt(Seq(segment.ts_val), Seq(tcb.ts_recent)):
        return False
    return now_us - tcb.rcv_at_us < PAWS_IDLE_US


def ts_recent_after(tcb: Tcb, segment: Segment) -> int:
    """TS.Recent after an acceptable segment.

    Source: RFC 7323 4.3 (2): "If: SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent then SEG.TSval is
    copied".
    """
    if segment.ts_val == NO_TIMESTAMP or not tcb.agreed.timestamps:
        return tcb.ts_recent
    if seq_le(Seq(tcb.ts_recent), Seq(segment.ts_val)) and seq_le(Seq(segment.seq), tcb.last_ack_sent):
        return segment.ts_val
    return tcb.ts_recent


def round_trip_us(tcb: Tcb, segment: Segment, now_us: int) -> int | None:
    """The round-trip time that an ACK of new data shows, None when it shows none. Source: RFC 7323 4.1."""
    if tcb.agreed.timestamps and segment.ts_val != NO_TIMESTAMP:
        return None if now_us - tcb.rtt_at_us < RTT_INTERVAL_US else echoed_us(tcb, segment, now_us)
    if tcb.rtt_seq is not None and seq_le(tcb.rtt_seq, Seq(segment.ack)):
        return now_us - tcb.rtt_at_us
    return None


def echoed_us(tcb: Tcb, segment: Segment, now_us: int) -> int | None:
    """How long ago the segment went out that this one echoes, None when that cannot be."""
    if not segment.ts_ecr or segment.ts_val == NO_TIMESTAMP or not tcb.agreed.timestamps:
        return None
    ticks = (ts_value(tcb.agreed.ts_offset, now_us) - segment.ts_ecr) & MASK
    # A TSecr that we never sent would be a time in the future or days ago: no measurement.
    return ticks * CLOCK_GRANULARITY_US if ticks < HALF >> 8 else None
