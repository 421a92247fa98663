"""Slow start: how cwnd grows below ssthresh, for every algorithm that has one.

Bytes are counted, not ACKs, so dividing ACKs gains a peer nothing.

Source: RFC 5681 3.1, RFC 3465 2.2 and 2.3, RFC 9406 4.2.
"""

import msgspec

from gossamer.core.tcp.congestion import hystart
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.hystart import Rounds
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import ABC_SEGMENTS, HYSTART_SEGMENTS, SSTHRESH_INITIAL

replace = msgspec.structs.replace


def grown(congestion: Congestion, rounds: Rounds | None, ack: Ack) -> tuple[Congestion, Rounds | None]:
    """cwnd and ssthresh after an ACK in slow start, and what HyStart++ remembers of it."""
    if congestion.ssthresh != SSTHRESH_INITIAL:
        # RFC 9406 4.3: "An implementation SHOULD use HyStart++ only for the initial slow start".
        return replace(congestion, cwnd=congestion.cwnd + counted_bytes(ack)), None
    rounds = rounds or Rounds(ack.snd_nxt)
    if rounds.is_conservative and not ack.has_css:
        return replace(congestion, ssthresh=congestion.cwnd), None
    # RFC 9406 4.2: "cwnd = cwnd + min(N, L * SMSS)", in CSS divided by CSS_GROWTH_DIVISOR; 4.3: "L = infinity
    # if paced, L = 8 if non-paced".
    limit = HYSTART_SEGMENTS * ack.smss * ack.acks
    is_free = congestion.pacing_rate or not ack.has_limit
    counted = ack.acked_bytes if is_free else min(ack.acked_bytes, limit)
    cwnd = congestion.cwnd + counted // rounds.growth_divisor
    heard = hystart.on_ack if ack.has_css else hystart.on_ack_at_once
    rounds = heard(rounds, ack.snd_una, ack.snd_nxt, ack.r_us, ack.acks)
    if rounds.is_over:
        return replace(congestion, cwnd=cwnd, ssthresh=cwnd), None
    return replace(congestion, cwnd=cwnd), rounds


def counted_bytes(ack: Ack) -> int:
    """RFC 5681 3.1: "cwnd += min (N, SMSS)"; RFC 3465 2.3: L = 2*SMSS, but "L=1*SMSS" in slow start after a
    timeout, when ACKs may stand for what was sent before it."""
    if not ack.has_limit:
        return ack.acked_bytes
    limit = ack.smss if ack.is_recovering else ABC_SEGMENTS * ack.smss
    return min(ack.acked_bytes, limit * ack.acks)
