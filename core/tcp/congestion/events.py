"""Reports to a connection's congestion control what happened to the connection.

The one place where the rest of the TCP meets the algorithms: each function takes the connection and gives the
record after it.
"""

import msgspec

from gossamer.core.seq import HALF, MASK
from gossamer.core.tcp import delivery_rate
from gossamer.core.tcp.congestion.control import Ack, Loss
from gossamer.core.tcp.congestion.named import control_of
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.pacing import rate_of_window
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def acknowledged(
    tcb: Tcb, acked_bytes: int, flight_bytes: int, now_us: int, r_us: int | None = None, acks: int = 1
) -> Congestion:
    """After an ACK of new data that `tcb` has already taken in; `flight_bytes` is what was in flight before
    it, `r_us` the round-trip time that it showed, if it did, `acks` how many ACKs it stands for."""
    if tcb.congestion.every_ack:
        return tcb.congestion
    ack = Ack(
        now_us=now_us,
        acked_bytes=acked_bytes,
        flight_bytes=flight_bytes,
        smss=tcb.agreed.smss,
        snd_una=tcb.snd_una,
        snd_nxt=tcb.snd_nxt,
        round_trip=tcb.round_trip,
        r_us=-1 if r_us is None else r_us,
        is_recovering=_is_recovering(tcb),
        acks=acks,
        has_limit=tcb.agreed.parameters.slow_start_limit,
        has_css=tcb.agreed.parameters.conservative_slow_start,
    )
    after = _paced(tcb, control_of(tcb).on_ack(_with_peak(tcb, ack), ack))
    if after.peak_bytes and tcb.snd_una == tcb.snd_nxt:
        after = replace(after, peak_bytes=0)
    return after


def _with_peak(tcb: Tcb, ack: Ack) -> Congestion:
    """With the most that was in flight in a round trip that is not over.

    Source: RFC 7661 4.2, which looks at "the maximum FlightSize" of a period rather than at one ACK.
    """
    congestion = tcb.congestion
    if ack.snd_una == ack.snd_nxt or not (congestion.peak_bytes or congestion.cwnd < 2 * ack.flight_bytes):
        # With the last octet acknowledged the next round trip begins anew; and what does not fill half of
        # cwnd makes nothing grow.
        return congestion
    before = (ack.snd_una - ack.acked_bytes) & MASK
    is_over = (before - congestion.peak_to) & MASK < HALF
    if ack.flight_bytes <= congestion.peak_bytes and not is_over:
        return congestion
    return replace(congestion, peak_bytes=ack.flight_bytes, peak_to=ack.snd_nxt)


def sampled(before: Tcb, tcb: Tcb, pipes: tuple[int, int], now_us: int, r_us: int | None) -> Tcb:
    """After any ACK, for who hears every one: `tcb` has taken it in, and so has loss recovery; `pipes` is
    what was in the network before it, and now."""
    delivered = delivery_rate.after_ack(before, tcb, pipes, now_us)
    ack = Ack(
        now_us=now_us,
        acked_bytes=(tcb.snd_una - before.snd_una) & MASK,
        flight_bytes=(before.snd_nxt - before.snd_una) & MASK,
        smss=tcb.agreed.smss,
        snd_una=tcb.snd_una,
        snd_nxt=tcb.snd_nxt,
        round_trip=tcb.round_trip,
        r_us=-1 if r_us is None else r_us,
        is_recovering=_is_recovering(tcb),
        pipe_bytes=pipes[1],
        delivered_bytes=delivered.news_bytes,
        delivered_total=delivered.delivery.delivered_bytes,
        lost_bytes=delivered.lost_bytes,
        rate=delivered.rate,
        lost=delivered.lost,
        has_sack=tcb.agreed.sack,
    )
    congestion = control_of(tcb).on_ack(tcb.congestion, ack)
    return replace(tcb, congestion=_paced(tcb, congestion), delivery=delivered.delivery)


def _is_recovering(tcb: Tcb) -> bool:
    return tcb.recovery is not None and tcb.recovery.phase is not Phase.DISORDER


def _paced(tcb: Tcb, congestion: Congestion) -> Congestion:
    """With the pacing rate that the parameters ask for."""
    wanted = tcb.agreed.parameters.pacing
    if wanted == "auto":
        return congestion
    if wanted == "off":
        return replace(congestion, pacing_rate=0)
    if control_of(tcb).paces:
        return congestion
    return replace(congestion, pacing_rate=rate_of_window(congestion, tcb.round_trip.srtt_us))


def _loss(tcb: Tcb, now_us: int) -> Loss:
    # Differs: RFC 5681 2 counts as FlightSize all that is not cumulatively acknowledged. In a long recovery
    # most of that has arrived, and ssthresh would rise with a loss; so at most cwnd counts (RFC 9438 4.6
    # allows cwnd).
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    return Loss(now_us=now_us, flight_bytes=min(flight, tcb.congestion.cwnd), smss=tcb.agreed.smss)


def lost(tcb: Tcb, now_us: int) -> Congestion:
    """Fast recovery begins."""
    return _paced(tcb, control_of(tcb).on_loss(tcb.congestion, _loss(tcb, now_us)))


def timed_out(tcb: Tcb, now_us: int, first: bool) -> Congestion:
    """The retransmission timer fired."""
    return _paced(tcb, control_of(tcb).on_rto(tcb.congestion, _loss(tcb, now_us), first))


def marked(tcb: Tcb, now_us: int) -> Congestion:
    """The peer echoed a congestion mark. Source: RFC 3168 6.1.2."""
    return _paced(tcb, control_of(tcb).on_ecn(tcb.congestion, _loss(tcb, now_us)))


def recovered(tcb: Tcb, now_us: int) -> Congestion:
    """Fast recovery is over."""
    return _paced(tcb, control_of(tcb).on_recovered(tcb.congestion, _loss(tcb, now_us)))


def undone(tcb: Tcb, before: Congestion) -> Congestion:
    """What was taken for a loss was none. Source: RFC 4015 3.2."""
    return _paced(tcb, control_of(tcb).on_undo(tcb.congestion, before))
