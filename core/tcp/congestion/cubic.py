"""CUBIC: cwnd follows a cubic curve of the time since the last loss, whatever the round-trip time.

Concave up to W_max, where the last loss was, then convex beyond it to search for more; where Reno would be
faster (short round trips, small windows) it is followed instead. The first slow start is HyStart++'s.

The RFC's words: windows in segments, times in seconds. A segment is `smss` octets; what cwnd has below one
octet is kept, so that slow growth is not rounded away.

Source: RFC 9438.
"""

from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.control import Ack, Control, Loss, is_cwnd_limited
from gossamer.core.tcp.congestion.hystart import Rounds
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.congestion.slow_start import grown
from gossamer.core.tcp.constants import CUBIC_BETA, CUBIC_C, CUBIC_TARGET_MAX

replace = msgspec.structs.replace

ALPHA: Final = 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA)
"""alpha_cubic: with beta_cubic, as much as Reno on the average. Source: RFC 9438 4.3."""


class Curve(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What CUBIC remembers. Source: RFC 9438 4.1.2."""

    w_max: float = 0.0
    """Where the plateau is, segments; 0 when no loss has shown it."""
    k: float = 0.0
    """Seconds from the beginning of congestion avoidance to the plateau."""
    epoch_at_us: int = 0
    """t_epoch: when this congestion avoidance began; 0 when it has not."""
    limited_at_us: int = 0
    """When an ACK last came while cwnd was what limits."""
    w_est: float = 0.0
    """W_est: where Reno would be, segments."""
    cwnd_prior: float = 0.0
    """cwnd when ssthresh was last set, segments."""
    fraction: float = 0.0
    """Of an octet, beyond cwnd."""
    rounds: Rounds | None = None
    """HyStart++, in the first slow start."""


class Cubic(Control):
    """Source: RFC 9438."""

    name = "cubic"
    memory = Curve

    def begin(self, cwnd: int, smss: int) -> Congestion:
        del smss
        return Congestion(cwnd, memory=Curve())

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        """Source: RFC 9438 5.8: CUBIC does not raise cwnd while something else limits the sender."""
        if not is_cwnd_limited(congestion, ack):
            return congestion
        if congestion.cwnd < congestion.ssthresh:
            return _in_slow_start(congestion, ack)
        return _in_avoidance(congestion, ack)

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        """Source: RFC 9438 4.6: "ssthresh = flight_size * beta_cubic", "max(ssthresh, 2)"."""
        ssthresh = max(int(loss.flight_bytes * CUBIC_BETA), 2 * loss.smss)
        curve, cwnd = congestion.memory, congestion.cwnd / loss.smss
        # RFC 9438 4.7: "if cwnd < W_max and fast convergence is enabled, further reduce W_max".
        w_max = cwnd * (1 + CUBIC_BETA) / 2 if cwnd < curve.w_max else cwnd
        return replace(
            congestion, cwnd=ssthresh, ssthresh=ssthresh, memory=Curve(w_max=w_max, cwnd_prior=cwnd)
        )

    def on_rto(self, congestion: Congestion, loss: Loss, first: bool) -> Congestion:
        # RFC 9438 4.8: after a timeout "K is set to 0, and W_max is set to cwnd at the beginning of the
        # current congestion avoidance stage".
        # 4.6: "Some implementations of CUBIC currently use cwnd instead of flight_size", which must not grow
        # where it is not used, as on_ack sees to. After a timeout cwnd is one segment, and ssthresh only says
        # how far slow start goes: by FlightSize the loss of one small response would have the next ones begin
        # with two segments, and go on by one a round trip. Fast recovery sets cwnd itself to ssthresh, and a
        # window that was not used for long would be a burst: FlightSize counts there.
        after = super().on_rto(congestion, replace(loss, flight_bytes=congestion.cwnd), first)
        prior = congestion.cwnd / loss.smss if first else congestion.memory.cwnd_prior
        return replace(after, memory=Curve(cwnd_prior=prior))

    def on_idle(self, congestion: Congestion, restart_window: int) -> Congestion:
        # What follows is slow start up to ssthresh, and then a new congestion avoidance.
        after = super().on_idle(congestion, restart_window)
        return replace(after, memory=replace(congestion.memory, epoch_at_us=0, fraction=0.0))


def _in_slow_start(congestion: Congestion, ack: Ack) -> Congestion:
    curve = congestion.memory
    after, rounds = grown(congestion, curve.rounds, ack)
    if rounds is not curve.rounds:
        curve = replace(curve, rounds=rounds)
    if after.ssthresh != congestion.ssthresh:
        # RFC 9438 4.10: having left slow start without a loss, "CUBIC sets cwnd_prior = cwnd".
        curve = replace(curve, cwnd_prior=after.cwnd / ack.smss)
    return replace(after, memory=curve)


def _in_avoidance(congestion: Congestion, ack: Ack) -> Congestion:
    """Source: RFC 9438 4.2 to 4.5."""
    smss = ack.smss
    curve: Curve = congestion.memory
    cwnd = (congestion.cwnd + curve.fraction) / smss
    curve = _timed(curve, cwnd, ack)
    segments = min(ack.acked_bytes, congestion.cwnd) / smss
    # RFC 9438 4.3: "W_est = W_est + alpha_cubic * segments_acked / cwnd"; once W_est has reached cwnd_prior
    # alpha_cubic is 1.
    w_est = curve.w_est + (ALPHA if curve.w_est < curve.cwnd_prior else 1.0) * segments / cwnd
    t = (ack.now_us - curve.epoch_at_us) / SECOND_US
    if w_cubic(curve, t) < w_est:
        # "the CUBIC sender is in the Reno-friendly region and cwnd SHOULD be set to W_est".
        after = max(cwnd, w_est)
    else:
        # RFC 9438 4.4, 4.5: "cwnd MUST be incremented by (target - cwnd) / cwnd for each received new ACK".
        target = min(
            max(w_cubic(curve, t + ack.round_trip.srtt_us / SECOND_US), cwnd), CUBIC_TARGET_MAX * cwnd
        )
        after = cwnd + (target - cwnd) / cwnd * segments
    octets = int(after * smss)
    curve = replace(curve, w_est=w_est, limited_at_us=ack.now_us, fraction=after * smss - octets)
    return replace(congestion, cwnd=octets, memory=curve)


def w_cubic(curve: Curve, t: float) -> float:
    """Segments, `t` seconds into congestion avoidance. Source: RFC 9438 4.2, figure 1: "W_cubic(t) = C *
    (t - K)^3 + W_max"."""
    return CUBIC_C * (t - curve.k) ** 3 + curve.w_max


def _timed(curve: Curve, cwnd: float, ack: Ack) -> Curve:
    """The curve, begun if it has not; without the time in which it was not cwnd that limited."""
    if not curve.epoch_at_us:
        return _begun(curve, cwnd, ack.now_us)
    # RFC 9438 4.2 and 5.8: the time in which something else limited does not count; the curve is shifted, not
    # begun again. While cwnd limits, ACKs are never an RTO apart.
    gap_us = ack.now_us - curve.limited_at_us
    if gap_us > ack.round_trip.rto_us:
        return replace(curve, epoch_at_us=curve.epoch_at_us + gap_us)
    return curve


def _begun(curve: Curve, cwnd: float, now_us: int) -> Curve:
    """Congestion avoidance begins: cwnd is cwnd_epoch now, and W_est. Source: RFC 9438 4.2, 4.3, figure 2."""
    if curve.w_max <= cwnd:
        # 4.8, 4.10: without a plateau above, this is the plateau.
        return replace(curve, epoch_at_us=now_us, limited_at_us=now_us, w_max=cwnd, k=0.0, w_est=cwnd)
    return replace(
        curve, epoch_at_us=now_us, limited_at_us=now_us, k=seconds_to_plateau(curve.w_max, cwnd), w_est=cwnd
    )


def seconds_to_plateau(w_max: float, cwnd_epoch: float) -> float:
    """K. Source: RFC 9438 4.2, figure 2: "K = cubic_root((W_max - cwnd_epoch) / C)". To the microsecond, so
    that no machine's last bit matters."""
    return round(float(((w_max - cwnd_epoch) / CUBIC_C) ** (1 / 3)), 6)
