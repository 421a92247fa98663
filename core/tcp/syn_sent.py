"""SYN-SENT: the answer to our SYN, or a SYN that crossed it.

Source: RFC 9293 3.10.7.3.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import Seq, seq_add
from gossamer.core.tcp import accurate_ecn, send_limits
from gossamer.core.tcp.actions import Actions, Dropped, Failure, Signal
from gossamer.core.tcp.closed import failed, reset_reply
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.ecn import after_plain_syn, is_syn_plain
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.fast_open import (
    acked_bytes,
    granted,
    with_acked,
    with_held_syn_text,
    with_syn_text,
    without_option,
)
from gossamer.core.tcp.handshake import after_lost_syn, agreement
from gossamer.core.tcp.keepalive import idle_deadline_us
from gossamer.core.tcp.listen import first_syn_ack
from gossamer.core.tcp.output import output
from gossamer.core.tcp.rtt import measured
from gossamer.core.tcp.segment_arrives import arrives
from gossamer.core.tcp.segment_arrives.first_sequence import is_dropped_syn_fin
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timestamps import echoed_us, round_trip_us
from gossamer.core.tcp.user_timeout import adopted
from gossamer.core.tcp.window import whole_window
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, RST, SYN, Segment

replace = msgspec.structs.replace

Outcome = tuple[Tcb | TimeWait | None, Actions]


def segment_arrives(tcb: Tcb, event: SegmentArrives) -> Outcome:
    """The four checks of SYN-SENT."""
    segment = event.segment
    if is_dropped_syn_fin(tcb, segment):
        return tcb, (Dropped(SegmentDrop.OUT_OF_WINDOW),)
    # ISS < SEG.ACK =< SND.NXT, where SND.NXT lies behind the data that the SYN may have carried.
    is_in_range = bool(segment.flags & ACK) and acked_bytes(tcb, segment.ack) is not None
    acceptable = is_in_range and not _is_stale(tcb, event)
    if segment.flags & ACK and not acceptable:
        # First: "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set)"
        reply = reset_reply(segment)
        dropped = Dropped(SegmentDrop.ACK_UNACCEPTABLE)
        if reply is None:
            return tcb, (dropped,)
        waits = is_in_range or tcb.agreed.parameters.deviations.syn_waits
        return tcb if waits else _again_at_once(tcb, event.now_us), (dropped, reply)
    if segment.flags & RST:
        # Second: "If the ACK was acceptable, then signal to the user 'error: connection reset'"; else drop.
        return (
            failed(tcb, Failure.REFUSED) if acceptable else (tcb, (Dropped(SegmentDrop.RST_OUT_OF_WINDOW),))
        )
    # Third, security, has nothing to check. Fourth:
    if not segment.flags & SYN:
        return tcb, (Dropped(SegmentDrop.ACK_MISSING),)
    return _established(tcb, event) if acceptable else _simultaneous(tcb, segment, event.now_us)


def _is_stale(tcb: Tcb, event: SegmentArrives) -> bool:
    """Whether a segment echoes a timestamp that our SYN did not have: it answers an earlier connection, whose
    number ours happens to be (RFC 7323 3.2: TSecr is a TSval that was sent). An echo of 0 says nothing."""
    segment = event.segment
    if not tcb.agreed.timestamps or segment.ts_val == NO_TIMESTAMP or not segment.ts_ecr:
        return False
    return echoed_us(tcb, segment, event.now_us) is None


def _again_at_once(tcb: Tcb, now_us: int) -> Tcb:
    """The SYN leaves again behind the reset, once.

    The peer answered from an earlier connection of this flow, which the reset ends: RFC 9293 3.5.1, figure
    9, line 7: "SYN-SENT --> <SEQ=400><CTL=SYN>". By then the first SYN's timeout would be a second. What has
    our number and an old timestamp is an old duplicate, behind which the answer to our SYN may follow.
    """
    return tcb if tcb.backoff else replace(tcb, rtx_at_us=min(tcb.rtx_at_us, now_us))


def _with_syn(tcb: Tcb, segment: Segment, now_us: int) -> Tcb:
    """ "RCV.NXT is set to SEG.SEQ+1, IRS is set to SEG.SEQ", and the options settle."""
    agreed = agreement(tcb.agreed, segment)
    agreed = after_plain_syn(agreed) if is_syn_plain(tcb) else agreed
    rcv_nxt = seq_add(agreed.irs, 1)
    tcb = replace(
        adopted(tcb, segment),
        agreed=agreed,
        rcv_nxt=rcv_nxt,
        rcv_wnd=whole_window(agreed),
        last_ack_sent=rcv_nxt,
        snd_wnd=segment.window,
        snd_wl1=Seq(segment.seq),
        max_snd_wnd=segment.window,
        ts_recent=segment.ts_val if agreed.timestamps and segment.ts_val != NO_TIMESTAMP else 0,
        congestion=initial_congestion(agreed),
        rcv_at_us=now_us,
        rtt_seq=None if agreed.timestamps else tcb.rtt_seq,
        rtt_at_us=0 if agreed.timestamps else tcb.rtt_at_us,
    )
    return accurate_ecn.begun(tcb, segment)


def _established(tcb: Tcb, event: SegmentArrives) -> Outcome:
    segment, now_us = event.segment, event.now_us
    tcb = _with_syn(tcb, segment, now_us)
    r_us = round_trip_us(tcb, segment, now_us)
    # Karn (RFC 6298 3): without timestamps a retransmitted SYN measures nothing; rtt_seq is None then.
    tcb = measured(tcb, r_us, now_us) if r_us is not None else tcb
    tcb = after_lost_syn(tcb) if tcb.backoff else tcb
    taken_bytes = acked_bytes(tcb, segment.ack) or 0
    grant = granted(tcb, segment)
    refused_bytes = max(tcb.fast_open.syn_bytes - taken_bytes, 0) if tcb.fast_open is not None else 0
    tcb = with_acked(tcb, taken_bytes)
    tcb = replace(
        tcb,
        state=State.ESTABLISHED,
        rtx_at_us=NEVER_US,
        ack_at_us=now_us,
        backoff=0,
        rtt_seq=None,
        slow_at_us=idle_deadline_us(tcb, now_us),
        rcv_text_at_us=now_us,
    )
    if tcb.snd_buf_bytes:
        tcb = send_limits.asked(tcb, now_us, is_whole=True)
    actions: Actions = (Signal.ESTABLISHED,)
    if grant is not None:
        actions += (grant,)
    if segment.payload or segment.flags & FIN:
        # Seventh, eighth: "If there are other controls or text in the segment, then continue processing at
        # the sixth step".
        rest = replace(segment, seq=tcb.rcv_nxt, flags=segment.flags & ~SYN, syn_options=None)
        after, more = arrives(tcb, replace(event, segment=rest))
        return after, actions + more
    tcb, segments = _sent_at_last(tcb, now_us, refused_bytes) if refused_bytes else output(tcb, now_us)
    return tcb, actions + _with_code(tcb, segments)


def _with_code(tcb: Tcb, sent: Actions) -> Actions:
    """What leaves at once, its first segment with the code that tells how the SYN-ACK came. Source: RFC 9768
    3.2.2.1: the counter only follows behind it."""
    if not tcb.agreed.accurate_ecn or not sent or not isinstance(sent[0], Segment):
        return sent
    return (accurate_ecn.with_ace(sent[0], tcb.agreed.accurate_ecn), *sent[1:])


def _sent_at_last(tcb: Tcb, now_us: int, refused_bytes: int) -> tuple[Tcb, Actions]:
    """What our SYN carried and the peer did not take goes with the handshake's ACK, whatever Nagle would hold
    back of it.

    Source: RFC 7413 3, step 5: "If the client's data is not acknowledged, the client retransmits the data in
    the ACK packet."
    """
    parameters = tcb.agreed.parameters
    hasty = replace(tcb.agreed, parameters=replace(parameters, nodelay=True))
    end = seq_add(tcb.snd_una, refused_bytes)
    ends = tcb.record_ends
    if parameters.syn_text_apart and refused_bytes < tcb.snd_buf_bytes and end not in ends[:1]:
        ends = (end, *ends)
    tcb, segments = output(replace(tcb, agreed=hasty, record_ends=ends), now_us)
    return replace(tcb, agreed=replace(tcb.agreed, parameters=parameters)), segments


def _simultaneous(tcb: Tcb, segment: Segment, now_us: int) -> tuple[Tcb, Actions]:
    """ "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> and send
    it." """
    opens = tcb.fast_open and without_option(tcb.fast_open)
    tcb = replace(_with_syn(tcb, segment, now_us), state=State.SYN_RECEIVED, fast_open=opens)
    if segment.payload and tcb.agreed.parameters.deviations.holds_syn_text:
        tcb = with_held_syn_text(tcb, segment)
    elif segment.payload and tcb.agreed.parameters.crossing_text:
        # "If there are other controls or text in the segment, queue them for processing after the ESTABLISHED
        # state has been reached": RECEIVE gives nothing before. Differs: a FIN is left to be sent again.
        tcb = with_syn_text(tcb, segment)
    return tcb, (first_syn_ack(tcb, now_us),)
