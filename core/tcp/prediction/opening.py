"""In SYN-RECEIVED: the ACK that ends the handshake of a listener's connection, alone.

Source: RFC 9293 3.10.7.4, fifth, SYN-RECEIVED.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.keepalive import idle_deadline_us
from gossamer.core.tcp.rtt import measured
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timestamps import is_old_duplicate, round_trip_us
from gossamer.core.wire.segment import ACK

ESTABLISHED = State.ESTABLISHED


def predicted_opening(tcb: Tcb, event: SegmentArrives) -> tuple[Tcb, Actions] | None:
    """The established connection, or None when the segment is not that ACK."""
    segment, now_us = event.segment, event.now_us
    if (
        segment.flags != ACK
        or segment.seq != tcb.rcv_nxt
        or segment.ack != tcb.snd_nxt
        or segment.payload
        or segment.user_timeout_s
        or segment.ts_val < 0
        or not tcb.agreed.timestamps
        or tcb.backoff
        or tcb.agreed.parameters.defer_accept_us
        or tcb.agreed.parameters.deviations.receive_space_bytes
        or tcb.snd_buf_bytes
        or tcb.rcv_buf_bytes
        or tcb.reassembly is not None
        or tcb.fast_open is not None
        or is_old_duplicate(tcb, segment, now_us)
    ):
        return None
    r_us = round_trip_us(tcb, segment, now_us)
    if r_us is not None:
        tcb = measured(tcb, r_us, now_us)
    window = segment.window << tcb.agreed.snd_wind_shift
    tcb = msgspec.structs.replace(
        tcb,
        snd_una=segment.ack,
        rtx_at_us=NEVER_US,
        rcv_at_us=now_us,
        rcv_text_at_us=now_us,
        snd_wl1=segment.seq,
        ts_recent=segment.ts_val,
        snd_wnd=window,
        max_snd_wnd=max(window, tcb.max_snd_wnd),
        slow_at_us=idle_deadline_us(tcb, now_us),
        state=ESTABLISHED,
    )
    return tcb, (Signal.ESTABLISHED,)
