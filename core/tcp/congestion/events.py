"""What happened to a connection, told to its congestion control.

The one place where the rest of the TCP meets the algorithms: each function takes the connection and gives the
record after it.
"""

from gossamer.core.seq import MASK
from gossamer.core.tcp.congestion.control import Ack, Loss
from gossamer.core.tcp.congestion.named import control_of
from gossamer.core.tcp.tcb import Congestion, Phase, Tcb


def acknowledged(
    tcb: Tcb, acked_bytes: int, flight_bytes: int, now_us: int, r_us: int | None = None
) -> Congestion:
    """After an ACK of new data that `tcb` has already taken in; `flight_bytes` is what was in flight before
    it, `r_us` the round-trip time that it showed, if it did."""
    ack = Ack(
        now_us=now_us,
        acked_bytes=acked_bytes,
        flight_bytes=flight_bytes,
        smss=tcb.agreed.smss,
        snd_una=tcb.snd_una,
        snd_nxt=tcb.snd_nxt,
        round_trip=tcb.round_trip,
        r_us=-1 if r_us is None else r_us,
        is_recovering=tcb.recovery is not None and tcb.recovery.phase is not Phase.DISORDER,
    )
    return control_of(tcb).on_ack(tcb.congestion, ack)


def _loss(tcb: Tcb, now_us: int) -> Loss:
    return Loss(now_us=now_us, flight_bytes=(tcb.snd_nxt - tcb.snd_una) & MASK, smss=tcb.agreed.smss)


def lost(tcb: Tcb, now_us: int) -> Congestion:
    """Fast recovery begins."""
    return control_of(tcb).on_loss(tcb.congestion, _loss(tcb, now_us))


def timed_out(tcb: Tcb, now_us: int, first: bool) -> Congestion:
    """The retransmission timer fired."""
    return control_of(tcb).on_rto(tcb.congestion, _loss(tcb, now_us), first)


def marked(tcb: Tcb, now_us: int) -> Congestion:
    """The peer echoed a congestion mark. Source: RFC 3168 6.1.2."""
    return control_of(tcb).on_ecn(tcb.congestion, _loss(tcb, now_us))


def recovered(tcb: Tcb, now_us: int) -> Congestion:
    """Fast recovery is over."""
    return control_of(tcb).on_recovered(tcb.congestion, _loss(tcb, now_us))


def undone(tcb: Tcb, before: Congestion) -> Congestion:
    """What was taken for a loss was none. Source: RFC 4015 3.2."""
    return control_of(tcb).on_undo(tcb.congestion, before)
