"""The persist timer: probes of a window that is closed, or too small to be worth using.

Bounds: an answered probe keeps the connection for ever (RFC 6429), an unanswered one counts; the wait is capped, so
nothing is indexed past its end as in the seed.

Source: RFC 9293 3.8.6.1 and 3.8.6.2.1 (4).
"""

import msgspec
from gossamer.core.seq import MASK, seq_add
from gossamer.core.tcp.actions import Actions, Failure, Signal
from gossamer.core.tcp.closed import failed
from gossamer.core.tcp.output import flight_bytes, retransmission
from gossamer.core.tcp.rtt import backed_off_us
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts.retransmission import is_given_up

replace = msgspec.structs.replace


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    """Send one octet from SND.UNA, or what a small window takes."""
    unanswered = now_us - tcb.rcv_at_us > 2 * backed_off_us(tcb)
    if unanswered and is_given_up(tcb, now_us):
        return failed(tcb, Failure.TIMED_OUT)
    length = max(1, min(tcb.snd_wnd, tcb.agreed.smss, tcb.snd_buf_bytes))
    end = seq_add(tcb.snd_una, length)
    again = flight_bytes(tcb) > 0
    # "The transmitting host SHOULD send the first zero-window probe when a zero window has existed for the retransmission
    # timeout period, and SHOULD increase exponentially the interval between successive probes."
    tcb = replace(
        tcb,
        backoff=tcb.backoff + 1,
        snd_nxt=tcb.snd_nxt if (tcb.snd_nxt - tcb.snd_una) & MASK >= length else end,
    )
    tcb = replace(tcb, rtx_at_us=now_us + backed_off_us(tcb))
    probe = retransmission(tcb, now_us, tcb.snd_una, length)
    return tcb, (probe, Signal.RETRANSMITTED) if again else (probe,)
