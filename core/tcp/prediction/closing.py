"""In FIN-WAIT-1 and FIN-WAIT-2: the ACK of all we sent, and the peer's FIN behind all it sent.

Round-trip time and cwnd are left as they are: nothing more is sent that would need them.

Source: RFC 9293 3.10.7.4, fifth and eighth.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import HALF, MASK, seq_add
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.arrival import text_at_us
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.output import acknowledgment
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.time_wait import enter
from gossamer.core.wire.segment import ACK, FIN

FIN_WAIT_1, FIN_WAIT_2 = State.FIN_WAIT_1, State.FIN_WAIT_2
replace = msgspec.structs.replace


def predicted_closing(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb | TimeWait, Actions] | None:
    """The connection in FIN-WAIT-2 or TIME-WAIT, or None when the segment is not of that kind."""
    segment = event.segment
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    if (
        segment.flags & ~FIN != ACK
        or segment.seq != tcb.rcv_nxt
        or segment.ack != tcb.snd_nxt
        or segment.payload
        or segment.sack
        or segment.ts_val < 0
        or (segment.ts_val - tcb.ts_recent) & MASK >= HALF
        or not tcb.agreed.timestamps
        or not tcb.rcv_wnd
        or tcb.recovery is not None
        or tcb.reassembly is not None
        or tcb.send_limits is not None
        or tcb.record_ends
        or tcb.snd_buf_bytes > tcb.agreed.parameters.send_buffer_bytes // 2
    ):
        return None
    if tcb.state is FIN_WAIT_1 and flight != tcb.snd_buf_bytes + 1:
        return None
    if segment.flags & FIN:
        return _time_wait(tcb, event)
    if tcb.state is not FIN_WAIT_1 or not segment.window:
        return None
    return _fin_wait_2(tcb, event)


def _ts_recent(tcb: Tcb, event: SegmentArrives) -> int:
    # RFC 7323 4.3: in order, SEG.SEQ =< Last.ACK.sent holds only when all before it has been acknowledged.
    return event.segment.ts_val if tcb.last_ack_sent == event.segment.seq else tcb.ts_recent


def _time_wait(tcb: Tcb, event: SegmentArrives) -> tuple[TimeWait, Actions]:
    ended: Actions = () if tcb.rcv_buf_bytes else (Signal.END_OF_STREAM,)
    rcv_nxt = seq_add(tcb.rcv_nxt, 1)
    tcb = replace(tcb, rcv_nxt=rcv_nxt, ts_recent=_ts_recent(tcb, event))
    record, rest = enter(tcb, event.now_us)
    return record, (*ended, acknowledgment(tcb, event.now_us), *rest)


def _fin_wait_2(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb, Actions]:
    segment, now_us = event.segment, event.now_us
    window = segment.window << tcb.agreed.snd_wind_shift
    slow_at_us = tcb.slow_at_us
    if tcb.receive_closed:
        slow_at_us = now_us + tcb.agreed.parameters.fin_wait_2_us
    tcb = replace(
        tcb,
        snd_una=segment.ack,
        snd_buf=(),
        snd_buf_bytes=0,
        rtx_at_us=NEVER_US,
        rcv_at_us=now_us,
        rcv_text_at_us=text_at_us(tcb),
        snd_wl1=segment.seq,
        ts_recent=_ts_recent(tcb, event),
        snd_wnd=window,
        snd_buf_offset=0,
        max_snd_wnd=max(window, tcb.max_snd_wnd),
        slow_at_us=slow_at_us,
        backoff=0,
        state=FIN_WAIT_2,
        transmissions=(),
    )
    return tcb, () if tcb.agreed.parameters.linger_us >= NEVER_US else (Signal.FIN_ACKED,)
