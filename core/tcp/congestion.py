"""Slow start and congestion avoidance.

Bytes are counted, not ACKs, so dividing ACKs gains a peer nothing (RFC 3465); and cwnd grows only while it is
what limits us.

Source: RFC 5681 3.1 and 4.1.
"""

from gossamer.core.tcp.handshake import initial_window
from gossamer.core.tcp.tcb import Congestion, Tcb


def on_ack(congestion: Congestion, acked_bytes: int, flight_bytes: int, smss: int) -> Congestion:
    """After an ACK of new data; `flight_bytes` is what was in flight before it."""
    cwnd, ssthresh = congestion.cwnd, congestion.ssthresh
    if cwnd >= 2 * flight_bytes:
        return congestion
    if cwnd < ssthresh:
        # RFC 5681 3.1: "cwnd += min (N, SMSS)"; with one ACK for two segments RFC 3465 allows L = 2.
        return Congestion(cwnd + min(acked_bytes, 2 * smss), ssthresh)
    if flight_bytes + smss < cwnd:
        return congestion
    # RFC 5681 3.1 (3): cwnd += SMSS*SMSS/cwnd for each full-sized segment acknowledged.
    return Congestion(cwnd + max(1, smss * min(acked_bytes, cwnd) // cwnd), ssthresh)


def halved(flight_bytes: int, smss: int) -> int:
    """ssthresh after a loss. Source: RFC 5681 3.1 (4): "max (FlightSize / 2, 2*SMSS)"."""
    return max(flight_bytes // 2, 2 * smss)


def after_idle(tcb: Tcb, now_us: int) -> Congestion:
    """Source: RFC 5681 4.1: "a TCP SHOULD set cwnd to no more than RW [...] if the TCP has not sent data in
    an interval exceeding the retransmission timeout", RW = min(IW, cwnd)."""
    congestion = tcb.congestion
    restart_window = initial_window(tcb.agreed)
    if congestion.cwnd <= restart_window or now_us - tcb.snd_at_us <= tcb.round_trip.rto_us:
        return congestion
    return Congestion(restart_window, congestion.ssthresh)
