"""In ESTABLISHED: an ACK of new data, text in order, or both; and in the closing states an ACK of data.

It is written out at length, since it runs for every segment of a busy server.

Source: RFC 9293 3.10.7.4; the idea is Van Jacobson's.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import HALF, MASK, Seq
from gossamer.core.tcp import record_ends, send_limits
from gossamer.core.tcp.actions import Actions, Deliver, Signal
from gossamer.core.tcp.buffer import appended, without_front
from gossamer.core.tcp.congestion.events import acknowledged, sampled
from gossamer.core.tcp.constants import RTT_INTERVAL_US
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.output import output
from gossamer.core.tcp.recovery.transmissions import after_ack
from gossamer.core.tcp.rtt import can_probe, measured, probe_at_us
from gossamer.core.tcp.send_space import gives_space
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timestamps import echoed_us, round_trip_us
from gossamer.core.tcp.window import offered_anew
from gossamer.core.wire.segment import ACK, CE, PSH
from gossamer.core.wire.text import Payload, octets_of

ESTABLISHED = State.ESTABLISHED
replace = msgspec.structs.replace


def predicted_in_order(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb, Actions] | None:
    """The connection after an in-order segment, or None when the segment is not of that kind."""
    segment = event.segment
    payload = segment.payload
    agreed = tcb.agreed
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    acked = (segment.ack - tcb.snd_una) & MASK
    if (
        (tcb.state is not ESTABLISHED and not _is_plain_ack(tcb, payload, acked))
        or segment.seq != tcb.rcv_nxt
        or segment.flags | PSH != ACK | PSH
        or acked > flight
        or segment.ts_val < 0
        or (segment.ts_val - tcb.ts_recent) & MASK >= HALF
        or segment.sack
        or not (acked or payload)
        or len(payload) > tcb.rcv_wnd
        or not segment.window
        or not tcb.snd_wnd
        or tcb.recovery is not None
        or tcb.reassembly is not None
        or not agreed.timestamps
        or agreed.accurate_ecn
        or segment.user_timeout_s
        or (segment.seq - tcb.snd_wl1) & MASK >= HALF
    ):
        return None
    if payload and (
        segment.ecn == CE
        or tcb.rcv_up is not None
        or (event.receive_bytes and (event.receive_bytes < len(payload) or tcb.rcv_buf_bytes))
    ):
        return None
    window = segment.window << agreed.snd_wind_shift
    if window != tcb.snd_wnd:
        tcb = replace(tcb, snd_wnd=window, max_snd_wnd=max(window, tcb.max_snd_wnd))
    return _in_order(tcb, event, flight, acked)


def _is_plain_ack(tcb: Tcb, payload: Payload, acked: int) -> bool:
    """Whether, in a later state than ESTABLISHED, a segment only acknowledges data: no text, and not our
    FIN."""
    return not payload and acked <= tcb.snd_buf_bytes and tcb.state > ESTABLISHED


def _in_order(tcb: Tcb, event: SegmentArrives, flight: int, acked: int) -> tuple[Tcb, Actions]:
    """All that an ACK of `acked` octets and the text behind it change."""
    segment, now_us, agreed = event.segment, event.now_us, tcb.agreed
    snd_buf, snd_buf_bytes, rtx_at_us = tcb.snd_buf, tcb.snd_buf_bytes, tcb.rtx_at_us
    rcv_nxt, ack_at_us = tcb.rcv_nxt, tcb.ack_at_us
    has_room = False
    if acked:
        congestion = tcb.congestion
        if (
            acked != snd_buf_bytes
            or congestion.cwnd < 2 * flight
            or congestion.peak_bytes
            or congestion.every_ack
            or now_us - tcb.rtt_at_us >= RTT_INTERVAL_US
            or tcb.snd_buf_offset
            or tcb.backoff
            or tcb.transmissions
            or tcb.send_limits is not None
            or tcb.record_ends
        ):
            tcb = _with_ack(tcb, event, flight, acked)
        parameters = agreed.parameters
        has_room = snd_buf_bytes > parameters.send_buffer_bytes // 2 and gives_space(
            parameters, snd_buf_bytes, snd_buf_bytes - acked
        )
        snd_buf_bytes -= acked
        snd_buf = tcb.snd_buf if snd_buf_bytes else ()
        if acked == flight:
            rtx_at_us = NEVER_US
        elif can_probe(tcb):
            rtx_at_us = probe_at_us(tcb, flight - acked, now_us)
        else:
            rtx_at_us = now_us + tcb.round_trip.rto_us
    payload = segment.payload
    if payload:
        rcv_nxt = Seq((rcv_nxt + len(payload)) & MASK)
        if (rcv_nxt - tcb.last_ack_sent) & MASK >= 2 * agreed.smss:
            ack_at_us = now_us
        elif ack_at_us == NEVER_US:
            ack_at_us = now_us + agreed.parameters.delayed_ack_us
    elif tcb.snd_wl1 != rcv_nxt:
        # The segment before bore text, and this one does not.
        tcb = replace(tcb, rcv_text_at_us=tcb.rcv_at_us)
    # RFC 7323 4.3: in order, SEG.SEQ =< Last.ACK.sent holds only when all before it has been acknowledged.
    ts_recent = segment.ts_val if tcb.last_ack_sent == segment.seq else tcb.ts_recent
    tcb = replace(
        tcb,
        rcv_nxt=rcv_nxt,
        snd_una=segment.ack,
        snd_buf=snd_buf,
        snd_buf_bytes=snd_buf_bytes,
        rtx_at_us=rtx_at_us,
        ack_at_us=ack_at_us,
        rcv_at_us=now_us,
        snd_wl1=segment.seq,
        ts_recent=ts_recent,
    )
    actions: Actions = (Signal.SEND_SPACE,) if has_room else ()
    if payload:
        octets = payload if type(payload) is bytes else octets_of(payload)
        if event.receive_bytes:
            actions = (*actions, Deliver(octets)) if has_room else (Deliver(octets),)
        else:
            tcb = _buffered(tcb, octets)
    # In a later state a FIN may be waiting behind the data.
    if snd_buf_bytes > flight - acked or ack_at_us <= now_us or tcb.state is not ESTABLISHED:
        tcb, sent = output(tcb, now_us)
        return tcb, sent + actions
    return (tcb if tcb.send_limits is None else send_limits.judged(tcb, now_us)), actions


def _with_ack(tcb: Tcb, event: SegmentArrives, flight: int, acked: int) -> Tcb:
    """The rarer changes of an ACK: the round-trip time, cwnd, the chunks of a send buffer that is not
    emptied."""
    segment, now_us = event.segment, event.now_us
    r_us = round_trip_us(tcb, segment, now_us)
    if r_us is not None:
        tcb = measured(tcb, r_us, now_us)
    if tcb.backoff:
        tcb = replace(tcb, backoff=0)
    if tcb.record_ends:
        tcb = replace(tcb, record_ends=record_ends.after_ack(tcb.record_ends, Seq(segment.ack)))
    if tcb.send_limits is not None:
        tcb = send_limits.acknowledged(tcb, tcb.snd_buf_bytes - acked, now_us)
    before = tcb
    if tcb.transmissions:
        tcb = replace(tcb, transmissions=after_ack(tcb, Seq(segment.ack)))
    congestion = tcb.congestion
    if congestion.cwnd < 2 * flight or congestion.peak_bytes or congestion.every_ack:
        after = replace(tcb, snd_una=segment.ack)
        echo_us = echoed_us(tcb, segment, now_us)
        if tcb.congestion.every_ack:
            after = replace(after, snd_buf_bytes=tcb.snd_buf_bytes - acked)
            after = sampled(before, after, (flight, flight - acked), now_us, echo_us)
            tcb = replace(tcb, congestion=after.congestion, delivery=after.delivery)
        else:
            grown = acknowledged(after, acked, flight, now_us, echo_us, event.acks)
            tcb = replace(tcb, congestion=grown)
    if acked < tcb.snd_buf_bytes or tcb.snd_buf_offset:
        chunks, offset = without_front(tcb.snd_buf, tcb.snd_buf_offset, acked)
        tcb = replace(tcb, snd_buf=chunks, snd_buf_offset=offset)
    return tcb


def _buffered(tcb: Tcb, payload: bytes) -> Tcb:
    """Text that no thread waits for."""
    return offered_anew(
        replace(
            tcb,
            rcv_buf=appended(tcb.rcv_buf, payload),
            rcv_buf_bytes=tcb.rcv_buf_bytes + len(payload),
            rcv_wnd=tcb.rcv_wnd - len(payload),
        )
    )
