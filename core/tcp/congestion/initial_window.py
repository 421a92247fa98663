"""With how much a connection begins, and begins again after it was idle.

Source: RFC 6928 2, RFC 5681 3.1 and 4.1.
"""

from functools import lru_cache

from gossamer.core.tcp.congestion.named import control_of, named
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.tcb import Agreed, Tcb


def initial_window(agreed: Agreed) -> int:
    """IW in bytes. Source: RFC 6928 2: "min (10*MSS, max (2*MSS, 14600))"."""
    segments = agreed.parameters.initial_window_segments
    return min(segments * agreed.smss, max(2 * agreed.smss, segments * 1460))


def initial_congestion(agreed: Agreed) -> Congestion:
    """The record of a new connection, under the algorithm that its parameters name."""
    return _begun(agreed.parameters.congestion, initial_window(agreed), agreed.smss)


@lru_cache(maxsize=1024)
def _begun(name: str, cwnd: int, smss: int) -> Congestion:
    """Connections of one kind share one record until they grow."""
    return named(name).begin(cwnd, smss)


def after_idle(tcb: Tcb, now_us: int) -> Congestion:
    """Source: RFC 5681 4.1: "a TCP SHOULD set cwnd to no more than RW [...] if the TCP has not sent data in
    an interval exceeding the retransmission timeout", RW = min(IW, cwnd)."""
    congestion = tcb.congestion
    restart_window = initial_window(tcb.agreed)
    if not tcb.agreed.parameters.restart_after_idle:
        return congestion
    if congestion.cwnd <= restart_window or now_us - tcb.snd_at_us <= tcb.round_trip.rto_us:
        return congestion
    return control_of(tcb).on_idle(congestion, restart_window)
