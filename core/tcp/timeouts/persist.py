"""The persist timer: probes of a window that is closed, or too small to be worth using.

Bounds: an answered probe keeps a connection that its user still holds (RFC 6429), up to the user timeout; an
unanswered one counts; the wait is capped, so nothing is indexed past its end as in the seed.

Source: RFC 9293 3.8.6.1 and 3.8.6.2.1 (4).
"""

import msgspec

from gossamer.core.seq import MASK, seq_add
from gossamer.core.tcp import record_ends
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.closed import timed_out
from gossamer.core.tcp.output import flight_bytes, make_segment, retransmission
from gossamer.core.tcp.recovery.transmissions import after_retransmission
from gossamer.core.tcp.rtt import backed_off_us
from gossamer.core.tcp.send_space import low_water
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts.retransmission import is_given_up
from gossamer.core.tcp.user_timeout import in_force_us
from gossamer.core.wire.segment import ACK

replace = msgspec.structs.replace


def waited_us(tcb: Tcb) -> int:
    """How long the probes so far have taken: `backoff` waits, each twice the one before up to the ceiling."""
    rto_max_us = tcb.agreed.parameters.rto_max_us
    doubled = min(tcb.backoff, 16)
    waits_us = (min(tcb.round_trip.rto_us << n, rto_max_us) for n in range(doubled))
    return sum(waits_us) + (tcb.backoff - doubled) * rto_max_us


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    """Send one octet from SND.UNA, or what a small window takes; or, where that is asked for, nothing."""
    unanswered = now_us - tcb.rcv_at_us > 2 * backed_off_us(tcb)
    # A connection closed both ways has no user who could give up: answers do not keep it alive (RFC 6429 4).
    if (unanswered or tcb.receive_closed) and is_given_up(tcb, now_us):
        return timed_out(tcb)
    if waited_us(tcb) >= in_force_us(tcb):
        return timed_out(tcb)
    if not tcb.snd_wnd and tcb.agreed.parameters.window_probe == "empty":
        return _empty(tcb, now_us)
    length = max(1, min(tcb.snd_wnd, tcb.agreed.smss, tcb.snd_buf_bytes))
    if tcb.record_ends:
        length = record_ends.within(tcb, tcb.snd_una, length)
    end = seq_add(tcb.snd_una, length)
    is_retransmission, before = flight_bytes(tcb) > 0, tcb
    # "The transmitting host SHOULD send the first zero-window probe when a zero window has existed for the
    # retransmission timeout period, and SHOULD increase exponentially the interval between successive
    # probes."
    # An answer says little about the path: the probe counts as sent again, so that nothing is measured by it.
    snd_nxt = tcb.snd_nxt if (tcb.snd_nxt - tcb.snd_una) & MASK >= length else end
    tcb = replace(
        tcb,
        backoff=tcb.backoff + 1,
        retransmits_total=tcb.retransmits_total + is_retransmission,
        snd_nxt=snd_nxt,
        transmissions=after_retransmission(replace(tcb, snd_nxt=snd_nxt), tcb.snd_una, end, now_us),
        recovery=tcb.recovery and replace(tcb.recovery, again_since_us=0),
    )
    tcb = replace(tcb, rtx_at_us=now_us + backed_off_us(tcb))
    probe = retransmission(tcb, now_us, tcb.snd_una, length)
    space = low_water(before, tcb)
    return tcb, (probe, Signal.RETRANSMITTED, *space) if is_retransmission else (probe, *space)


def _empty(tcb: Tcb, now_us: int) -> tuple[Tcb, Actions]:
    """A segment without text from before SND.UNA: out of the peer's window, so that it must answer. Differs:
    RFC 9293 3.8.6.1 sends an octet of new data."""
    tcb = replace(tcb, backoff=tcb.backoff + 1)
    tcb = replace(tcb, rtx_at_us=now_us + backed_off_us(tcb))
    return tcb, (make_segment(tcb, now_us, seq_add(tcb.snd_una, -1), ACK),)
