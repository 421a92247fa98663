"""The interface of a congestion control, and the records that are passed to it.

Owns `Control`: subclass it, override `on_ack` and `on_loss`, and name it in config.toml
(`tcp.congestion = "module:attribute"`). All methods are pure: the algorithm's whole memory stands in the
`Congestion` record, in `memory` when it needs more than cwnd and ssthresh.

Source: RFC 5681 3.
"""

from typing import Any, ClassVar

import msgspec

from gossamer.core.seq import Seq
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.delivery_rate import LostRun, Rate
from gossamer.core.tcp.tcb import RoundTrip

replace = msgspec.structs.replace


class Ack(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An ACK of new data."""

    now_us: int
    acked_bytes: int
    flight_bytes: int
    """What was in flight before it."""
    smss: int
    snd_una: Seq
    """After the ACK, as all that follows."""
    snd_nxt: Seq
    round_trip: RoundTrip
    """With this ACK's measurement, if there was one."""
    r_us: int = -1
    """The round-trip time that this ACK showed; -1 when it showed none."""
    acks: int = 1
    """How many ACKs it stands for, where the receiver has joined them (`core.wire.joining`)."""
    has_limit: bool = True
    """Whether slow start is limited for each ACK (`tcp.slow_start_limit`)."""
    has_css: bool = True
    """Whether slow start ends by way of Conservative Slow Start (`tcp.conservative_slow_start`)."""
    is_recovering: bool = False
    """Whether a loss is being recovered from: after a timeout, and in fast recovery for an algorithm that
    hears every ACK."""
    pipe_bytes: int = 0
    """What is in the network. Like all that follows, set only for an algorithm that hears every ACK."""
    delivered_bytes: int = 0
    """By this ACK, selectively or not."""
    delivered_total: int = 0
    lost_bytes: int = 0
    """Taken for lost with this ACK."""
    rate: Rate | None = None
    """The sample of the delivery rate, if there is one."""
    lost: LostRun | None = None
    """What of `lost_bytes` was sent last, if it had not been sent before."""
    has_sack: bool = True
    """Whether more than one loss of a round trip can be seen."""


class Loss(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A sign of congestion: a lost segment, a timeout, or an ECN echo."""

    now_us: int
    flight_bytes: int
    """FlightSize, at most cwnd."""
    smss: int


def is_cwnd_limited(congestion: Congestion, ack: Ack) -> bool:
    """Whether cwnd is what limits the sender, so that it may grow.

    What was in flight counts at its most in the last round trip, since the later ACKs of one burst find less
    of it. In slow start it is while that is more than half of cwnd: a sender that is paced or writes in
    bursts would never fill it. Source: RFC 7661 4.2 ("cwnd-limited").
    """
    flight = max(ack.flight_bytes, congestion.peak_bytes)
    if congestion.cwnd >= 2 * flight:
        return False
    if congestion.cwnd < congestion.ssthresh or congestion.pacing_rate:
        return True
    return flight + ack.smss >= congestion.cwnd


class Control:
    """A congestion control. What is not overridden is RFC 5681's."""

    name: ClassVar[str]
    memory: ClassVar[Any] = None
    """The frozen Struct of `Congestion.memory`, None when there is none."""
    paces: ClassVar[bool] = False
    """Whether it says itself at what rate segments leave."""

    def begin(self, cwnd: int, smss: int) -> Congestion:
        """The record of a new connection; `cwnd` is the initial window in bytes."""
        del smss
        return Congestion(cwnd)

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        """After an ACK of new data while nothing is being recovered, and in recovery from a timeout.

        It is called only when cwnd is what limits the sender. Where the record says `every_ack` it is called
        for every ACK, also of nothing new, and also during loss recovery; its answer is cwnd.
        """
        raise NotImplementedError

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        """Loss recovery begins without a timeout: once for each window of data."""
        raise NotImplementedError

    def on_rto(self, congestion: Congestion, loss: Loss, first: bool) -> Congestion:
        """The retransmission timer fired; `first` unless it is again for the same data.

        RFC 5681 3.1 (4) and (5): ssthresh once per loss, "cwnd MUST be set to no more than the loss window,
        LW, which equals 1 full-sized segment".
        """
        ssthresh = self.on_loss(congestion, loss).ssthresh if first else congestion.ssthresh
        return replace(congestion, cwnd=loss.smss, ssthresh=ssthresh)

    def on_ecn(self, congestion: Congestion, loss: Loss) -> Congestion:
        """The peer echoes a congestion mark. RFC 3168 6.1.2: as if a single packet had been dropped."""
        return self.on_loss(congestion, loss)

    def on_recovered(self, congestion: Congestion, loss: Loss) -> Congestion:
        """Fast recovery is over.

        Source: RFC 6582 3.2 (4): "Set cwnd to [...] min (ssthresh, max(FlightSize, SMSS) + SMSS)".
        """
        flight = max(loss.flight_bytes, loss.smss)
        return replace(congestion, cwnd=min(congestion.ssthresh, flight + loss.smss))

    def on_undo(self, congestion: Congestion, before: Congestion) -> Congestion:
        """What seemed lost was not: `before` is the record as it was. Source: RFC 4015 3.2."""
        return replace(
            before,
            cwnd=max(congestion.cwnd, before.cwnd),
            ssthresh=max(congestion.ssthresh, before.ssthresh),
        )

    def on_idle(self, congestion: Congestion, restart_window: int) -> Congestion:
        """Nothing was sent for an RTO. Source: RFC 5681 4.1."""
        return replace(congestion, cwnd=restart_window)
