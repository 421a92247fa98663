"""Header prediction: the segments that arrive in order on a connection where nothing is out of the ordinary.

One look at the header, one `replace`. Whatever it does not recognise it leaves (returns None) to the eight checks; a property test holds
what it does equal to what they do.

Source: RFC 9293 3.10.7.4 (what it is equal to); the idea is Van Jacobson's.
"""

import msgspec
from gossamer.core.clock import NEVER_US
from gossamer.core.seq import HALF, MASK, Seq
from gossamer.core.tcp import congestion
from gossamer.core.tcp.actions import Actions, Deliver, Signal
from gossamer.core.tcp.buffer import append, drop_front
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.output import output
from gossamer.core.tcp.rtt import estimate, timeout_us
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, PSH

ESTABLISHED = State.ESTABLISHED
replace = msgspec.structs.replace


def predicted(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb, Actions] | None:
    """The connection after an in-order segment, or None when the segment is not of that kind."""
    segment = event.segment
    agreed = tcb.agreed
    payload = segment.payload
    acked = (segment.ack - tcb.snd_una) & MASK
    window = segment.window << agreed.snd_wind_shift
    if (
        tcb.state is not ESTABLISHED
        or segment.seq != tcb.rcv_nxt
        or segment.flags | PSH != ACK | PSH
        or acked > (tcb.snd_nxt - tcb.snd_una) & MASK
        or segment.ts_val < 0
        or (segment.ts_val - tcb.ts_recent) & MASK >= HALF
        or not (payload or acked)
        or len(payload) > tcb.rcv_wnd
        or not window
        or not tcb.snd_wnd
        or tcb.recovery is not None
        or tcb.reassembly is not None
        or not agreed.timestamps
        or tcb.receive_closed
        or 0 < event.receive_bytes < len(payload)
        or (event.receive_bytes and tcb.rcv_buf_bytes)
    ):
        return None
    return _in_order(tcb, event, acked, window)


def _in_order(tcb: Tcb, event: SegmentArrives, acked: int, window: int) -> tuple[Tcb, Actions]:
    segment, now_us = event.segment, event.now_us
    payload, agreed = segment.payload, tcb.agreed
    changes: dict[str, object] = {
        "snd_wnd": window,
        "snd_wl1": segment.seq,
        "snd_wl2": segment.ack,
        "rcv_at_us": now_us,
        # Last.ACK.sent is at or after the segment only when all before it was acknowledged (RFC 7323 4.3).
        "ts_recent": segment.ts_val if tcb.last_ack_sent == segment.seq else tcb.ts_recent,
    }
    if window > tcb.max_snd_wnd:
        changes["max_snd_wnd"] = window
    actions: Actions = ()
    unsent = 0
    if acked:
        actions, unsent = _acknowledged(tcb, event, acked, changes)
    if payload:
        actions += _text(tcb, event, changes)
    tcb = replace(tcb, **changes)
    if unsent or tcb.snd_buf_bytes > (tcb.snd_nxt - tcb.snd_una) & MASK or tcb.ack_at_us <= now_us:
        tcb, sent = output(tcb, now_us)
        return tcb, actions + sent
    return tcb, actions


def _acknowledged(
    tcb: Tcb, event: SegmentArrives, acked: int, changes: dict[str, object]
) -> tuple[Actions, int]:
    """What the ACK of new data changes; (actions, octets still in the buffer and not in flight)."""
    segment, now_us = event.segment, event.now_us
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    rto_us = tcb.rto_us
    ticks = (now_us // 1000 + tcb.agreed.ts_offset - segment.ts_ecr) & MASK
    if segment.ts_ecr and ticks < HALF >> 8:
        srtt_us, rttvar_us = estimate(tcb.srtt_us, tcb.rttvar_us, ticks * 1000)
        rto_us = timeout_us(srtt_us, rttvar_us, tcb.agreed.parameters)
        changes.update(srtt_us=srtt_us, rttvar_us=rttvar_us, rto_us=rto_us)
    left = tcb.snd_buf_bytes - acked
    changes.update(snd_una=segment.ack, snd_buf_bytes=left, snd_at_us=now_us)
    if tcb.backoff:
        changes["backoff"] = 0
    if left:
        changes["snd_buf"], changes["snd_buf_offset"] = drop_front(tcb.snd_buf, tcb.snd_buf_offset, acked)
    else:
        changes["snd_buf"], changes["snd_buf_offset"] = (), 0
    changes["rtx_at_us"] = NEVER_US if acked == flight else now_us + rto_us
    grown = congestion.on_ack(tcb.congestion, acked, flight, tcb.agreed.smss)
    if grown is not tcb.congestion:
        changes["congestion"] = grown
    limit = tcb.agreed.parameters.send_buffer_bytes // 2
    return ((Signal.SEND_SPACE,) if left <= limit < tcb.snd_buf_bytes else ()), left - (flight - acked)


def _text(tcb: Tcb, event: SegmentArrives, changes: dict[str, object]) -> Actions:
    """Octets in order: to the thread that waits, else to the buffer; and when to acknowledge them."""
    payload = event.segment.payload
    size = len(payload)
    rcv_nxt = Seq((tcb.rcv_nxt + size) & MASK)
    changes["rcv_nxt"] = rcv_nxt
    agreed = tcb.agreed
    if (rcv_nxt - tcb.last_ack_sent) & MASK >= 2 * agreed.smss:
        changes["ack_at_us"] = event.now_us
    elif tcb.ack_at_us == NEVER_US:
        changes["ack_at_us"] = event.now_us + agreed.parameters.delayed_ack_us
    if event.receive_bytes:
        return (Deliver(payload),)
    changes.update(
        rcv_buf=append(tcb.rcv_buf, payload),
        rcv_buf_bytes=tcb.rcv_buf_bytes + size,
        rcv_wnd=tcb.rcv_wnd - size,
    )
    return ()
