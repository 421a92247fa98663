"""First: is the segment acceptable, and which part of it lies in the window?

Source: RFC 9293 3.10.7.4, first; RFC 7323 5.3 (PAWS stands before it); RFC 5961 for the answer's rate.
"""

import msgspec

from gossamer.core.seq import Seq, seq_add, seq_diff, seq_le, seq_lt
from gossamer.core.tcp.accurate_ecn import acknowledged_again, counted, counted_again
from gossamer.core.tcp.actions import Dropped
from gossamer.core.tcp.arrival import text_at_us
from gossamer.core.tcp.challenge import challenge
from gossamer.core.tcp.closed import segment_bytes
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.ecn import on_repeated_syn
from gossamer.core.tcp.ecn_bytes import after_repeat
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.fast_open import acked_bytes
from gossamer.core.tcp.listen import syn_ack
from gossamer.core.tcp.output import due_acknowledgment
from gossamer.core.tcp.recovery.dsack import with_old_part
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timestamps import is_old_duplicate, ts_recent_after
from gossamer.core.tcp.user_timeout import adopted
from gossamer.core.wire.segment import ACK, CE, FIN, RST, SYN, Segment
from gossamer.core.wire.text import octets_of

replace = msgspec.structs.replace


def check_sequence(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """Drop what is old or outside; trim what overlaps an edge; note the segment's timestamp."""
    is_old = is_old_duplicate(tcb, segment, event.now_us)
    in_order = segment.seq == tcb.rcv_nxt and len(segment.payload) < tcb.rcv_wnd
    if in_order and not is_old and not segment.flags & (SYN | RST):
        # What comes in order is acceptable and whole, and only PAWS can speak against it.
        return Verdict(_noted(tcb, segment, event), segment)
    if segment.flags & SYN and segment.flags & FIN and is_dropped_syn_fin(tcb, segment):
        return Verdict(tcb, segment, (Dropped(SegmentDrop.OUT_OF_WINDOW),), stops=True)
    if is_old and not segment.flags & RST:
        return _answered(tcb, segment, event, SegmentDrop.PAWS)
    if not is_acceptable(tcb, segment):
        if segment.flags & RST:
            return Verdict(tcb, segment, (Dropped(SegmentDrop.RST_OUT_OF_WINDOW),), stops=True)
        return _unacceptable(tcb, segment, event)
    if segment.flags & RST:
        return PROCEED
    after = _noted(tcb, segment, event)
    return Verdict(with_old_part(after, segment) if segment.payload else after, trimmed(tcb, segment))


def _noted(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Tcb:
    tcb = adopted(tcb, segment) if segment.user_timeout_s else tcb
    if tcb.agreed.accurate_ecn and segment.ecn & CE:
        tcb = counted(tcb, segment, event)
    bears_next = segment.payload and segment.seq == tcb.rcv_nxt
    text_us = tcb.rcv_text_at_us if bears_next else text_at_us(tcb)
    return replace(
        tcb, rcv_at_us=event.now_us, ts_recent=ts_recent_after(tcb, segment), rcv_text_at_us=text_us
    )


def is_dropped_syn_fin(tcb: Tcb, segment: Segment) -> bool:
    """Whether a segment with both flags is dropped unseen, by `syn_fin`."""
    is_both = segment.flags & (SYN | FIN) == SYN | FIN
    return is_both and tcb.agreed.parameters.deviations.syn_fin == "drop"


def is_acceptable(tcb: Tcb, segment: Segment) -> bool:
    """The four cases of RFC 9293 3.4, table 6."""
    seq, length = Seq(segment.seq), segment_bytes(segment)
    if tcb.state is State.SYN_RECEIVED and segment.flags & (SYN | ACK) == SYN | ACK and seq == tcb.agreed.irs:
        # RFC 9293 3.5, figure 8: in a simultaneous open the SYN-ACK of the other side starts at its ISS,
        # before our window.
        return acked_bytes(tcb, segment.ack) is not None
    right = seq_add(tcb.rcv_nxt, tcb.rcv_wnd)
    if segment.flags & RST:
        # RFC 5961 3.2: "If the RST bit is set and the sequence number is outside the current receive window,
        # silently drop the segment": the number alone counts, and the right edge is outside.
        return seq == tcb.rcv_nxt or (seq_le(tcb.rcv_nxt, seq) and seq_lt(seq, right))
    if length == 0:
        # Differs: with a window of zero the table wants SEG.SEQ = RCV.NXT, the left edge; both cases are one
        # here. The right edge itself is taken, since a peer that filled the window sends its ACKs from there.
        return seq_le(tcb.rcv_nxt, seq) and seq_le(seq, right)
    if tcb.rcv_wnd == 0:
        # "If the RCV.WND is zero, no segments will be acceptable, but special allowance should be made to
        # accept valid ACKs, URGs, and RSTs": one that starts at RCV.NXT is taken without its text.
        return seq == tcb.rcv_nxt
    last = seq_add(seq, length - 1)
    return (seq_le(tcb.rcv_nxt, seq) and seq_lt(seq, right)) or (
        seq_le(tcb.rcv_nxt, last) and seq_lt(last, right)
    )


def trimmed(tcb: Tcb, segment: Segment) -> Segment:
    """The part in the window. "Segments with higher beginning sequence numbers SHOULD be held for later
    processing"."""
    seq, payload, flags = Seq(segment.seq), octets_of(segment.payload), segment.flags
    before = seq_diff(tcb.rcv_nxt, seq)
    if before > 0:
        if flags & SYN:
            flags, before, seq = flags & ~SYN, before - 1, seq_add(seq, 1)
        payload, seq = payload[before:], seq_add(seq, before)
    room = seq_diff(seq_add(tcb.rcv_nxt, tcb.rcv_wnd), seq)
    if len(payload) > room:
        payload, flags = payload[: max(room, 0)], flags & ~FIN
    if seq == segment.seq and flags == segment.flags and len(payload) == len(segment.payload):
        return segment
    return replace(segment, seq=seq, flags=flags, payload=payload)


def _unacceptable(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict:
    """ "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST
    bit is set)"."""
    if (
        tcb.state is State.SYN_RECEIVED
        and segment.flags & (SYN | ACK) == SYN
        and segment.seq == tcb.agreed.irs
    ):
        return _syn_again(_with_repeat(on_repeated_syn(tcb, segment), segment, event), segment, event.now_us)
    answered = _answered(_with_repeat(tcb, segment, event), segment, event, SegmentDrop.OUT_OF_WINDOW)
    if segment.flags & (SYN | ACK) != SYN | ACK or segment.seq != tcb.agreed.irs:
        return answered
    *others, answer = answered.actions
    if not isinstance(answer, Segment):
        return answered
    return replace(answered, actions=(*others, acknowledged_again(tcb, answer, segment)))


def _syn_again(tcb: Tcb, segment: Segment, now_us: int) -> Verdict:
    """The peer's SYN again: our SYN-ACK was lost, or is late. It is the acknowledgment that is due, at the
    rate of challenge ACKs, so that repeated forged SYNs gain nothing."""
    tcb, actions = challenge(tcb, now_us, SegmentDrop.OUT_OF_WINDOW)
    if isinstance(actions[-1], Segment):
        actions = (*actions[:-1], syn_ack(tcb, now_us))
    return Verdict(tcb, segment, actions, stops=True)


def _with_repeat(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Tcb:
    """The last of what we have comes again: our ACK was lost, or is late.

    RFC 7323 4.3 (2) takes the timestamp of this segment too, since it starts before Last.ACK.sent. The ACK
    must echo it: else the peer would take all the time since it first sent this for a round trip, and its
    timeout would grow with every ACK that is lost. One that ends at RCV.NXT exactly is not easily forged.
    """
    if segment_bytes(segment) and seq_add(Seq(segment.seq), segment_bytes(segment)) == tcb.rcv_nxt:
        return counted_again(replace(tcb, ts_recent=ts_recent_after(tcb, segment)), segment, event)
    return tcb


def _answered(tcb: Tcb, segment: Segment, event: SegmentArrives, reason: SegmentDrop) -> Verdict:
    if segment.payload and not segment.flags & SYN:
        # Text does not make ACK loops, so its answer needs no limit: a peer that repeats what we have must
        # hear so each time, and which octets they were. What comes so late that PAWS refuses it is the
        # original of what went again meanwhile: only its D-SACK shows the peer that nothing was lost.
        answer = due_acknowledgment(with_old_part(tcb, segment), event.now_us)
        return Verdict(after_repeat(tcb, segment, answer), segment, (Dropped(reason), answer), stops=True)
    after, actions = challenge(tcb, event.now_us, reason, is_due=not segment.flags & SYN)
    return Verdict(after, segment, actions, stops=True)
