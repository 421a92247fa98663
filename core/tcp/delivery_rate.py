"""Delivery rate: how fast what was sent arrives, estimated with each ACK.

Owns `Tcb.delivery`, kept while the congestion control hears of every ACK. Each run of `Tcb.transmissions`
remembers it as it was when the run was sent; the ACK that delivers the run gives a sample: what was delivered
meanwhile, over the time that it took to be sent or to be acknowledged, whichever is longer.

An ACK that only fills a hole with what was sent again gives no sample: which transmission it answers is not
known.

Source: draft-cheng-iccrg-delivery-rate-estimation-00 3.
"""

from bisect import bisect_left

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_lt
from gossamer.core.tcp.recovery.transmissions import runs_of
from gossamer.core.tcp.tcb import Delivery, Run, Tcb

replace = msgspec.structs.replace


class Rate(msgspec.Struct, frozen=True, gc=False):
    """A sample of the delivery rate."""

    delivered_bytes: int
    """rs.delivered: during the interval."""
    interval_us: int
    prior_bytes: int
    """rs.prior_delivered: how much had been delivered when it was sent."""
    is_app_limited: bool
    """Whether a lack of data held sending back, so that it left more slowly than it might have."""
    round_trip_us: int = -1
    """How long ago it was sent; -1 where only its neighbours' time is kept."""

    @property
    def bytes_per_second(self) -> int:
        """The sample."""
        return self.delivered_bytes * SECOND_US // self.interval_us if self.interval_us > 0 else 0


def begun(tcb: Tcb, now_us: int) -> Delivery:
    """Nothing is delivered yet."""
    return Delivery(0, now_us, now_us, _position(tcb))


def before_sending(tcb: Tcb, now_us: int) -> Delivery:
    """`delivery` when new data is about to leave."""
    delivery = tcb.delivery or begun(tcb, now_us)
    if tcb.transmissions:
        return delivery
    # 3.2: "If there are no packets in flight yet, then we can start the delivery rate interval at the current
    # time". Without runs, what is in flight left alone, at snd_at_us.
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    start_us = tcb.snd_at_us if flight else now_us
    return replace(
        delivery,
        delivered_at_us=start_us,
        first_sent_at_us=start_us,
        app_limited_bytes=max(delivery.delivered_bytes + flight, 1),
    )


def _position(tcb: Tcb) -> Seq:
    """What the peer has of the sequence space, pushed together at its begin."""
    recovery = tcb.recovery
    beyond = recovery.sacked_bytes + recovery.dup_acked_bytes if recovery is not None else 0
    return seq_add(tcb.snd_una, beyond)


def after_ack(before: Tcb, tcb: Tcb, pipe_bytes: int, now_us: int) -> tuple[Delivery, int, Rate | None]:
    """`delivery` after an ACK that `tcb` has taken in, how much it delivered, and its sample."""
    delivery, position = before.delivery or begun(before, now_us), _position(tcb)
    news = max(seq_diff(position, delivery.position), 0)
    total = delivery.delivered_bytes + news
    bubble_bytes = _bubble(tcb, delivery, total, pipe_bytes)
    after = replace(delivery, delivered_bytes=total, app_limited_bytes=bubble_bytes)
    if not news:
        return after, 0, None
    after = replace(after, delivered_at_us=now_us, position=position)
    run = _newest_delivered(before, tcb)
    if run is None or run.delivery is None or run.retransmitted:
        return after, news, None
    rate = _sample(run, run.delivery, total, now_us, run.right == _edge(tcb))
    return replace(after, first_sent_at_us=run.sent_at_us), news, rate


def _sample(run: Run, sent: Delivery, total: int, now_us: int, is_exact: bool) -> Rate:
    return Rate(
        delivered_bytes=total - sent.delivered_bytes,
        # 3.3: "it uses the longer of the send_elapsed and ack_elapsed".
        interval_us=max(run.sent_at_us - sent.first_sent_at_us, now_us - sent.delivered_at_us),
        prior_bytes=sent.delivered_bytes,
        is_app_limited=sent.app_limited_bytes > 0,
        round_trip_us=now_us - run.sent_at_us if is_exact else -1,
    )


def _bubble(tcb: Tcb, delivery: Delivery, total: int, pipe_bytes: int) -> int:
    """C.app_limited. Source: 3.4: nothing is left to send and cwnd has room."""
    if (
        tcb.snd_buf_bytes < ((tcb.snd_nxt - tcb.snd_una) & MASK) + tcb.agreed.smss
        and pipe_bytes < tcb.congestion.cwnd
    ):
        return max(total + pipe_bytes, 1)
    return delivery.app_limited_bytes if delivery.app_limited_bytes >= total else 0


def _edge(tcb: Tcb) -> Seq:
    """The end of the farthest octet that is delivered."""
    recovery = tcb.recovery
    return recovery.sacked[-1][1] if recovery is not None and recovery.sacked else tcb.snd_una


def _newest_delivered(before: Tcb, tcb: Tcb) -> Run | None:
    """The run of the farthest octet, when this ACK delivered it."""
    edge = _edge(tcb)
    if not seq_lt(_edge(before), edge):
        return None
    una, runs = before.snd_una, runs_of(before)
    index = bisect_left(runs, (edge - una) & MASK, key=lambda run: (run.right - una) & MASK)
    return runs[index] if index < len(runs) else None
