"""NewReno: slow start, congestion avoidance, half of it after a loss.

Bytes are counted, not ACKs, so dividing ACKs gains a peer nothing (RFC 3465); and cwnd grows only while it is
what limits us.

Source: RFC 5681 3.1, RFC 3465; RFC 9406 for the first slow start.
"""

import msgspec

from gossamer.core.tcp.congestion.control import Ack, Control, Loss, is_cwnd_limited
from gossamer.core.tcp.congestion.hystart import Rounds
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.congestion.slow_start import grown

replace = msgspec.structs.replace


class NewReno(Control):
    """Source: RFC 5681 3.1."""

    name = "newreno"
    memory = Rounds

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        """Slow start below ssthresh, congestion avoidance above. Source: RFC 5681 3.1."""
        if not is_cwnd_limited(congestion, ack):
            return congestion
        cwnd, smss = congestion.cwnd, ack.smss
        if cwnd < congestion.ssthresh:
            after, rounds = grown(congestion, congestion.memory, ack)
            return replace(after, memory=rounds)
        # (3): cwnd += SMSS*SMSS/cwnd for each full-sized segment acknowledged.
        return replace(congestion, cwnd=cwnd + max(1, smss * min(ack.acked_bytes, cwnd) // cwnd))

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        """Source: RFC 5681 3.1 (4), 3.2."""
        ssthresh = halved(loss.flight_bytes, loss.smss)
        return replace(congestion, cwnd=ssthresh, ssthresh=ssthresh, memory=None)


def halved(flight_bytes: int, smss: int) -> int:
    """ssthresh after a loss. Source: RFC 5681 3.1 (4): "max (FlightSize / 2, 2*SMSS)"."""
    return max(flight_bytes // 2, 2 * smss)
