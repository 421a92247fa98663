"""Fifth: the ACK field.

Source: RFC 9293 3.10.7.4, fifth; RFC 5961 5.2; RFC 5681; RFC 6298 5.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_le, seq_lt
from gossamer.core.tcp import fast_open, record_ends, send_limits
from gossamer.core.tcp.accurate_ecn import first_acknowledged
from gossamer.core.tcp.actions import Actions, Dropped, Signal
from gossamer.core.tcp.buffer import without_front
from gossamer.core.tcp.challenge import challenge
from gossamer.core.tcp.closed import remains, reset_reply
from gossamer.core.tcp.congestion.events import acknowledged, sampled
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.ecn import on_ace, on_echo
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.fast_open import is_early
from gossamer.core.tcp.handshake import after_lost_syn
from gossamer.core.tcp.keepalive import idle_deadline_us
from gossamer.core.tcp.recovery.acks import on_ack
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.recovery.scoreboard import pipe_bytes
from gossamer.core.tcp.recovery.timeout import flight_marked_lost
from gossamer.core.tcp.recovery.transmissions import after_ack
from gossamer.core.tcp.rtt import expires_after_ack_us, measured, without_measurement
from gossamer.core.tcp.segment_arrives.first_sequence import trimmed
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.send_space import gives_space
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.time_wait import enter
from gossamer.core.tcp.timestamps import has_dsack, round_trip_us, shown_us
from gossamer.core.tcp.window import opened_window
from gossamer.core.wire.segment import ACK, ECE, FIN, SYN, Segment

replace = msgspec.structs.replace


def check_ack(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """Advance SND.UNA, update the window, and move on the states that an ACK moves."""
    if not segment.flags & ACK:
        return Verdict(tcb, segment, (Dropped(SegmentDrop.ACK_MISSING),), stops=True)
    if tcb.state is State.SYN_RECEIVED:
        return _in_syn_received(tcb, segment, event)
    return _acknowledged(tcb, segment, event, ())


def _in_syn_received(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    early, ack = is_early(tcb), Seq(segment.ack)
    # What our SYN carried may be acknowledged with it, where SYNs have crossed.
    octets = fast_open.acked_bytes(tcb, ack)
    is_acceptable = seq_le(tcb.snd_una, ack) and seq_le(ack, tcb.snd_nxt) if early else octets is not None
    if not is_acceptable:
        # "If the segment acknowledgment is not acceptable, form a reset segment <SEQ=SEG.ACK><CTL=RST> and
        # send it."
        reply = reset_reply(segment)
        dropped: Actions = (Dropped(SegmentDrop.ACK_UNACCEPTABLE),)
        return Verdict(tcb, segment, dropped if reply is None else (*dropped, reply), stops=True)
    # "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state" with SND.WND, SND.WL1 and SND.WL2 from
    # the segment.
    shift = 0 if event.segment.flags & SYN else tcb.agreed.snd_wind_shift
    # Measured already, where the ACK of the SYN-ACK was left aside: what ends the handshake now came late.
    r_us = None if tcb.round_trip.srtt_us else round_trip_us(tcb, segment, event.now_us)
    tcb = measured(tcb, r_us, event.now_us) if r_us is not None else tcb
    if _is_deferred(tcb, segment, event.now_us, early=early):
        # Once the time is over the SYN-ACK asks anew, and what answers it ends the handshake.
        deferred_us = tcb.snd_at_us + tcb.agreed.parameters.defer_accept_us
        return Verdict(replace(tcb, rtt_seq=None, rtx_at_us=deferred_us), segment, stops=True)
    tcb = after_lost_syn(tcb) if tcb.backoff else tcb
    tcb = first_acknowledged(tcb, segment) if tcb.agreed.accurate_ecn else tcb
    window = segment.window << shift
    tcb = fast_open.with_acked(tcb, octets) if octets else tcb
    tcb, state = fast_open.ended(tcb)
    tcb = replace(
        tcb,
        state=state,
        # What an early connection has sent behind its SYN is acknowledged like any data.
        snd_una=tcb.snd_una if early else ack,
        snd_wnd=window,
        max_snd_wnd=max(window, tcb.max_snd_wnd),
        rcv_wnd=opened_window(tcb),
        snd_wl1=Seq(segment.seq),
        rtx_at_us=NEVER_US,
        backoff=0,
        rtt_seq=None,
        slow_at_us=idle_deadline_us(tcb, event.now_us),
        rcv_text_at_us=event.now_us,
    )
    if tcb.agreed.parameters.deviations.holds_syn_text and tcb.reassembly is not None:
        tcb = fast_open.with_text_at_last(tcb, event.now_us)
        segment = trimmed(tcb, segment)
    if tcb.snd_una != segment.ack or (early and segment.sack):
        return _acknowledged(tcb, segment, event, (Signal.ESTABLISHED,))
    return Verdict(tcb, segment, (Signal.ESTABLISHED,))


def _is_deferred(tcb: Tcb, segment: Segment, now_us: int, *, early: bool) -> bool:
    """Whether a listener waits for text, and this is none. Differs: RFC 9293 has ESTABLISHED follow; a server
    asks for this, TCP_DEFER_ACCEPT of tcp(7)."""
    defer_us = tcb.agreed.parameters.defer_accept_us
    if not defer_us or early or not tcb.agreed.passive or segment.payload or segment.flags & FIN:
        return False
    return now_us < tcb.snd_at_us + defer_us


def _acknowledged(tcb: Tcb, segment: Segment, event: SegmentArrives, actions: Actions) -> Verdict | None:
    ack = Seq(segment.ack)
    if seq_lt(tcb.snd_nxt, ack) or seq_lt(ack, seq_add(tcb.snd_una, -tcb.max_snd_wnd)):
        # RFC 5961 5.2: "SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT [...] All incoming segments whose ACK
        # value doesn't satisfy the above condition MUST be discarded and an ACK sent back."
        after, answer = challenge(tcb, event.now_us, SegmentDrop.ACK_UNACCEPTABLE)
        return Verdict(after, segment, actions + answer, stops=True)
    if seq_lt(ack, tcb.snd_una):
        # "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored": its text still counts.
        return _reported_late(tcb, segment, event) if segment.sack and tcb.agreed.sack else PROCEED
    before = tcb
    if seq_lt(tcb.snd_una, ack):
        tcb, news = _advanced(tcb, segment, event)
        actions += news
        tcb = _window_updated(tcb, segment, is_new=True)
        tcb = _echo_answered(before, tcb, segment, event.now_us)
        tcb = _sampled(before, tcb, segment, event.now_us)
        return _moved_on(before, tcb, segment, event.now_us, actions)
    window_before = tcb.snd_wnd
    tcb = _window_updated(tcb, segment, is_new=False)
    if tcb.snd_una != tcb.snd_nxt or tcb.recovery is not None or segment.sack:
        is_duplicate = _is_duplicate(segment, window_before == tcb.snd_wnd)
        tcb = on_ack(before, tcb, segment, event.now_us, is_duplicate, acks=event.acks)
    tcb = _sampled(before, _echo_answered(before, tcb, segment, event.now_us), segment, event.now_us)
    return Verdict(tcb, segment, actions) if tcb is not before or actions else PROCEED


def _reported_late(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """What an ACK that was overtaken on its way reports of what lies behind SND.UNA, as Linux reads it."""
    after = on_ack(tcb, tcb, segment, event.now_us)
    return PROCEED if after is tcb else Verdict(_sampled(tcb, after, segment, event.now_us), segment)


def _echo_answered(before: Tcb, tcb: Tcb, segment: Segment, now_us: int) -> Tcb:
    if tcb.agreed.accurate_ecn:
        return on_ace(before, tcb, segment, now_us)
    return on_echo(before, tcb, now_us) if segment.flags & ECE and tcb.agreed.ect else tcb


def _sampled(before: Tcb, tcb: Tcb, segment: Segment, now_us: int) -> Tcb:
    """The connection once an algorithm that hears of every ACK has heard of this one."""
    if not tcb.congestion.every_ack or tcb is before:
        return tcb
    pipes = (pipe_bytes(before), pipe_bytes(tcb))
    return sampled(before, tcb, pipes, now_us, shown_us(before, segment, now_us))


def _is_duplicate(segment: Segment, same_window: bool) -> bool:
    """RFC 5681 2: outstanding data, no data in it, SYN and FIN off, ACK = SND.UNA, and the same window."""
    return same_window and not segment.payload and not segment.flags & (SYN | FIN)


def _advanced(before: Tcb, segment: Segment, event: SegmentArrives) -> tuple[Tcb, Actions]:
    """ "If SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA <- SEG.ACK. Any segments on the retransmission
    queue that are thereby entirely acknowledged are removed." """
    tcb, ack, now_us = before, Seq(segment.ack), event.now_us
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    acked = (ack - tcb.snd_una) & MASK
    octets = min(acked, tcb.snd_buf_bytes)
    r_us = round_trip_us(tcb, segment, now_us)
    if r_us is not None:
        tcb = replace(measured(tcb, r_us, now_us), rtt_seq=None)
    elif tcb.backoff and tcb.transmissions and not has_dsack(segment):
        tcb = without_measurement(tcb)
    chunks, offset = without_front(tcb.snd_buf, tcb.snd_buf_offset, octets)
    remaining_bytes = tcb.snd_buf_bytes - octets
    if tcb.record_ends:
        tcb = replace(tcb, record_ends=record_ends.after_ack(tcb.record_ends, ack))
    if tcb.send_limits is not None:
        tcb = send_limits.acknowledged(tcb, remaining_bytes, now_us)
    has_room = gives_space(tcb.agreed.parameters, tcb.snd_buf_bytes, remaining_bytes)
    actions: Actions = (Signal.SEND_SPACE,) if has_room else ()
    tcb = replace(
        tcb,
        transmissions=after_ack(tcb, ack) if tcb.transmissions else (),
        snd_una=ack,
        snd_buf=chunks,
        snd_buf_offset=offset,
        snd_buf_bytes=remaining_bytes,
        backoff=0,
    )
    sample_us = shown_us(before, segment, now_us)
    # RFC 6298 5.2, 5.3: all acknowledged, the timer is turned off; else it starts anew.
    tcb = replace(tcb, rtx_at_us=NEVER_US if ack == tcb.snd_nxt else expires_after_ack_us(tcb, now_us))
    if tcb.recovery is not None or (segment.sack and tcb.agreed.sack):
        return on_ack(before, tcb, segment, now_us, r_us=sample_us, acks=event.acks), actions
    grown = acknowledged(tcb, acked, flight, now_us, sample_us, event.acks)
    return replace(tcb, congestion=grown), actions


def _window_updated(tcb: Tcb, segment: Segment, *, is_new: bool) -> Tcb:
    """ "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND, set
    SND.WL1 <- SEG.SEQ".

    SND.WL2 is not kept: it is an earlier SND.UNA, and an ACK below SND.UNA never comes here, so that SND.WL2
    =< SEG.ACK holds.

    Differs: a segment that acknowledges new data (`is_new`) says what the window is even when its sequence
    number is lower, as that of a retransmission. The rule "prevents using old segments to update the window",
    and one that acknowledges more than any before it is not old. Else SND.UNA would move on and take the
    whole window along, beyond what the peer has offered.
    """
    seq = Seq(segment.seq)
    if not is_new and not seq_le(tcb.snd_wl1, seq):
        return tcb
    window = segment.window << tcb.agreed.snd_wind_shift
    reopened = tcb.snd_wnd == 0 and window > 0
    tcb = replace(tcb, snd_wnd=window, snd_wl1=seq, max_snd_wnd=max(window, tcb.max_snd_wnd))
    if reopened and (tcb.snd_una != tcb.snd_nxt or tcb.snd_buf_bytes):
        tcb = replace(tcb, backoff=0, rtx_at_us=NEVER_US)
        # Answers to the probes may have been counted as duplicates.
        held = tcb.recovery is not None and tcb.recovery.phase is not Phase.DISORDER
        return flight_marked_lost(tcb) if tcb.snd_una != tcb.snd_nxt and not held else tcb
    return tcb


def _moved_on(before: Tcb, tcb: Tcb, segment: Segment, now_us: int, actions: Actions) -> Verdict:
    """The states in which the ACK of our FIN matters."""
    fin_acked = seq_diff(tcb.snd_una, before.snd_una) > before.snd_buf_bytes
    if not fin_acked:
        return Verdict(tcb, segment, actions)
    if tcb.state is State.FIN_WAIT_1:
        # "if the FIN segment is now acknowledged, then enter FIN-WAIT-2"; a user who still receives may take
        # as long as it likes.
        timer = now_us + tcb.agreed.parameters.fin_wait_2_us if tcb.receive_closed else tcb.slow_at_us
        if tcb.agreed.parameters.linger_us < NEVER_US:
            actions += (Signal.FIN_ACKED,)
        return Verdict(replace(tcb, state=State.FIN_WAIT_2, slow_at_us=timer), segment, actions)
    if tcb.state is State.CLOSING:
        # "if the ACK acknowledges our FIN, then enter the TIME-WAIT state": the peer's was acknowledged when
        # it came, and nothing is left to be sent.
        record, rest = enter(tcb, now_us)
        return Verdict(record, segment, actions + rest, stops=True)
    assert tcb.state is State.LAST_ACK
    # "If our FIN is now acknowledged, delete the TCB, enter the CLOSED state, and return."
    return Verdict(None, segment, actions + remains(tcb), stops=True)
