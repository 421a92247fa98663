"""Delivery rate: how fast what was sent arrives, estimated with each ACK.

Owns `Tcb.delivery`, kept while the congestion control hears of every ACK. Each run of `Tcb.transmissions`
remembers it as it was when the run was sent; the ACK that delivers the run gives a sample: what was delivered
meanwhile, over the time that it took to be sent or to be acknowledged, whichever is longer.

An ACK that only fills a hole with what was sent again gives no sample: which transmission it answers is not
known.

Source: draft-cheng-iccrg-delivery-rate-estimation-00 3; draft-ietf-ccwg-bbr-06 4.1.2 (what was in flight and
lost).
"""

from bisect import bisect_left

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_lt
from gossamer.core.tcp.recovery.records import Delivery, Run
from gossamer.core.tcp.recovery.transmissions import runs_of
from gossamer.core.tcp.tcb import Tcb

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
    in_flight_bytes: int = 0
    """rs.tx_in_flight: what was in the network once it was sent, itself among it."""
    lost_bytes: int = 0
    """rs.lost: taken for lost since."""

    @property
    def bytes_per_second(self) -> int:
        """The sample."""
        return self.delivered_bytes * SECOND_US // self.interval_us if self.interval_us > 0 else 0


class LostRun(msgspec.Struct, frozen=True, gc=False):
    """The last of what an ACK has shown to be lost, where it was sent but once."""

    in_flight_bytes: int
    """What was in the network once it was sent, itself among it."""
    lost_bytes: int
    """Taken for lost since, itself among it."""
    is_app_limited: bool


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """What an ACK says of delivery."""

    delivery: Delivery
    """`Tcb.delivery` after it."""
    news_bytes: int
    """Delivered by it, selectively or not."""
    lost_bytes: int
    """Taken for lost with it."""
    rate: Rate | None = None
    lost: LostRun | None = None


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


def after_ack(before: Tcb, tcb: Tcb, pipes: tuple[int, int], now_us: int) -> Delivered:
    """What an ACK says that `tcb` has taken in; `pipes` is what was in the network before it, and now."""
    pipe_before, pipe = pipes
    delivery, position = before.delivery or begun(before, now_us), _position(tcb)
    news = max(seq_diff(position, delivery.position), 0)
    lost_bytes = max(pipe_before - news - pipe, 0)
    total = delivery.delivered_bytes + news
    bubble_bytes = _bubble(tcb, delivery, total, pipe)
    lost_total = delivery.lost_bytes + lost_bytes
    after = replace(delivery, delivered_bytes=total, app_limited_bytes=bubble_bytes, lost_bytes=lost_total)
    lost = _newest_lost(before, tcb, lost_total) if lost_bytes else None
    if not news:
        return Delivered(after, 0, lost_bytes, None, lost)
    after = replace(after, delivered_at_us=now_us, position=position)
    run = _newest_delivered(before, tcb)
    if run is None or run.delivery is None or run.retransmitted:
        return Delivered(after, news, lost_bytes, None, lost)
    rate = _sample(run, run.delivery, after, _edge(tcb))
    return Delivered(replace(after, first_sent_at_us=run.sent_at_us), news, lost_bytes, rate, lost)


def _sample(run: Run, sent: Delivery, after: Delivery, edge: Seq) -> Rate:
    """The sample of a run that was delivered up to `edge` by the ACK that came last."""
    now_us = after.delivered_at_us
    return Rate(
        delivered_bytes=after.delivered_bytes - sent.delivered_bytes,
        # 3.3: "it uses the longer of the send_elapsed and ack_elapsed".
        interval_us=max(run.sent_at_us - sent.first_sent_at_us, now_us - sent.delivered_at_us),
        prior_bytes=sent.delivered_bytes,
        is_app_limited=sent.app_limited_bytes > 0,
        round_trip_us=now_us - run.sent_at_us if run.right == edge else -1,
        in_flight_bytes=_in_flight(sent, edge),
        lost_bytes=after.lost_bytes - sent.lost_bytes,
    )


def _in_flight(sent: Delivery, edge: Seq) -> int:
    """What was in the network when new data up to `edge` was sent: all before it that had not arrived, since
    what was lost goes again before new data does."""
    return (edge - sent.position) & MASK


def _newest_lost(before: Tcb, tcb: Tcb, lost_total: int) -> LostRun | None:
    """The farthest octet of what this ACK has shown to be lost, when all that was lost before lies behind
    it."""
    edge = _lost_edge(tcb)
    if not seq_lt(_lost_edge(before), edge):
        return None
    index = bisect_left(
        tcb.transmissions, (edge - tcb.snd_una) & MASK, key=lambda run: (run.right - tcb.snd_una) & MASK
    )
    run = tcb.transmissions[index] if index < len(tcb.transmissions) else None
    if run is None or run.delivery is None:
        return None
    sent = run.delivery
    return LostRun(_in_flight(sent, edge), lost_total - sent.lost_bytes, sent.app_limited_bytes > 0)


def _lost_edge(tcb: Tcb) -> Seq:
    """The end of the farthest octet that is taken for lost."""
    recovery = tcb.recovery
    return recovery.lost[-1][1] if recovery is not None and recovery.lost else tcb.snd_una


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
