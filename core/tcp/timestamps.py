"""The timestamps option: our clock, TS.Recent, PAWS, and round-trip measurement.

Source: RFC 7323 3 to 5.
"""

from gossamer.core.seq import HALF, MASK, Seq, seq_le, seq_lt
from gossamer.core.tcp.constants import CLOCK_GRANULARITY_US, PAWS_IDLE_US, RTT_INTERVAL_US
from gossamer.core.tcp.recovery.transmissions import last_retransmitted_us, run_ending_at, run_of
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import NO_TIMESTAMP, Segment

BELOW_A_TICK_US = CLOCK_GRANULARITY_US // 2
"""What a round trip is taken for that seems to have lasted no time."""


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


def echoed_us(tcb: Tcb, segment: Segment, now_us: int) -> int | None:
    """The time since what a segment echoes was sent, in whole ticks; None when it echoes nothing of ours."""
    if not tcb.agreed.timestamps or segment.ts_val == NO_TIMESTAMP or not segment.ts_ecr:
        return None
    ticks = (ts_value(tcb.agreed.ts_offset, now_us) - segment.ts_ecr) & MASK
    # A TSecr that we never sent would be a time in the future or days ago: no measurement.
    if ticks >= HALF >> 8:
        return None
    return ticks * CLOCK_GRANULARITY_US or BELOW_A_TICK_US


def shown_us(tcb: Tcb, segment: Segment, now_us: int) -> int | None:
    """The round-trip time that an ACK shows, for who wants a sample of each; `tcb` is the connection before
    it. Without timestamps an ACK of new data shows since when it is that its last octet was sent, if nothing
    of it was sent twice (RFC 6298 3, Karn).
    """
    if tcb.agreed.timestamps:
        return echoed_us(tcb, segment, now_us)
    ack = Seq(segment.ack)
    if not seq_lt(tcb.snd_una, ack) or last_retransmitted_us(tcb, ack):
        return None
    run = run_of(tcb, Seq((ack - 1) & MASK))
    # Of joined runs only the latest time is known.
    return None if run.since_us else now_us - run.sent_at_us or BELOW_A_TICK_US


def round_trip_us(tcb: Tcb, segment: Segment, now_us: int) -> int | None:
    """The round-trip time that an ACK of new data shows, None when it shows none; `tcb` is the connection
    before it.

    Source: RFC 7323 4.1; RFC 6298 3 (Karn).
    """
    if not tcb.agreed.timestamps or segment.ts_val == NO_TIMESTAMP:
        if tcb.rtt_seq is not None and seq_le(tcb.rtt_seq, Seq(segment.ack)):
            return now_us - tcb.rtt_at_us
        return None
    if now_us - tcb.rtt_at_us < _interval_us(tcb):
        return None
    echo_us = echoed_us(tcb, segment, now_us)
    if echo_us is None:
        return None
    if not tcb.transmissions:
        is_exact = segment.ack == tcb.snd_nxt and not tcb.backoff
        return (now_us - tcb.snd_at_us or BELOW_A_TICK_US) if is_exact else echo_us
    return _of_runs(tcb, segment, now_us, echo_us)


def _interval_us(tcb: Tcb) -> int:
    """The least time between two measurements: a round trip while cwnd limits us, RTT_INTERVAL_US else."""
    if tcb.congestion.cwnd >= 2 * ((tcb.snd_nxt - tcb.snd_una) & MASK):
        return RTT_INTERVAL_US
    return min(tcb.round_trip.srtt_us, RTT_INTERVAL_US)


def _of_runs(tcb: Tcb, segment: Segment, now_us: int, echo_us: int) -> int | None:
    """By when the last octet acknowledged was sent, where that is known exactly; else by the echo."""
    if last_retransmitted_us(tcb, Seq(segment.ack)):
        return None if can_have_waited(tcb, segment, now_us) else echo_us
    run = run_ending_at(tcb, Seq(segment.ack))
    return echo_us if run is None else now_us - run.sent_at_us or BELOW_A_TICK_US


def can_have_waited(tcb: Tcb, segment: Segment, now_us: int) -> bool:
    """Whether the echo of an ACK may be older than what it answers; `tcb` is the connection before it.

    The peer had the data, its ACK was lost, and what we sent again did not move TS.Recent, which takes only
    what comes in order (RFC 7323 4.3): the next ACK echoes what came long ago. Taken for a round trip, it
    would grow with each timeout, and the timeout with it. Only an ACK that comes sooner after the
    retransmission than any answer can, and reports no duplicate, answers what was sent first.
    """
    retransmitted_us = last_retransmitted_us(tcb, Seq(segment.ack))
    if not retransmitted_us or not seq_lt(
        Seq(segment.ts_ecr), Seq(ts_value(tcb.agreed.ts_offset, retransmitted_us))
    ):
        return False
    return has_dsack(segment) or not 0 <= now_us - retransmitted_us < tcb.round_trip.min_us


def has_dsack(segment: Segment) -> bool:
    """Whether an ACK says that what we sent again was there already: its own ACK was lost. Source: RFC 2883
    4.1."""
    return bool(segment.sack) and seq_le(Seq(segment.sack[0][1]), Seq(segment.ack))
