"""Samples of the delivery rate, by hand."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send
from gossamer.core.tcp import delivery_rate
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.delivery_rate import Delivered, LostRun, Rate
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Tcb

SMSS = 1_448
MS = 1_000

BBR = TcpParameters(congestion="bbr", pacing="off")


def sending(segments: int = 8) -> Tcb:
    return send(states.established(BBR), b"x" * segments * SMSS)[0]


def sampled(tcb: Tcb, acked: int, now_us: int, *blocks: tuple[int, int]) -> tuple[Tcb, int, Rate | None]:
    """After an ACK of so many segments, blocks counted from SND.UNA; and what delivery_rate says of it."""
    sack = tuple((seq_add(tcb.snd_una, a * SMSS), seq_add(tcb.snd_una, b * SMSS)) for a, b in blocks)
    ack = seq_add(tcb.snd_una, acked * SMSS)
    after, _ = segment_arrives(tcb, replace(from_peer(tcb, sack=sack), ack=ack), now_us)
    taken_in = replace(after, transmissions=tcb.transmissions)
    found = delivery_rate.after_ack(tcb, taken_in, (0, 0), now_us)
    return after, found.news_bytes, found.rate


def test_first_flight__acknowledged_in_two__rate_over_the_round_trip() -> None:
    tcb = sending()
    tcb, news, rate = sampled(tcb, 4, NOW_US + 100 * MS)
    assert rate is not None
    assert (news, rate.delivered_bytes, rate.interval_us, rate.prior_bytes) == (
        4 * SMSS,
        4 * SMSS,
        100 * MS,
        0,
    )
    assert rate.bytes_per_second == 57_920
    tcb, _, rate = sampled(tcb, 4, NOW_US + 110 * MS)
    assert rate is not None
    assert (rate.delivered_bytes, rate.interval_us, rate.round_trip_us) == (8 * SMSS, 110 * MS, 110 * MS)
    assert tcb.delivery is not None
    assert (tcb.delivery.delivered_bytes, tcb.delivery.delivered_at_us) == (8 * SMSS, NOW_US + 110 * MS)


def test_middle_of_a_run__no_exact_round_trip() -> None:
    _, _, rate = sampled(sending(), 4, NOW_US + 100 * MS)
    assert rate is not None
    assert rate.round_trip_us == -1


def test_compressed_acks__longer_send_interval_counts() -> None:
    """ACKs that were held back and come at once do not show a rate higher than what was sent."""
    tcb = states.established(BBR)
    tcb, _ = send(tcb, b"x" * 4 * SMSS)
    for number in range(1, 4):
        tcb, _ = send(tcb, b"x" * 2 * SMSS, NOW_US + number * 20 * MS)
    tcb, _, _ = sampled(tcb, 4, NOW_US + 100 * MS)
    _, _, rate = sampled(tcb, 6, NOW_US + 101 * MS)
    assert rate is not None
    assert rate.delivered_bytes == 10 * SMSS
    assert rate.interval_us == 101 * MS


def test_sack__counts_as_delivered_once() -> None:
    tcb = sending()
    tcb, news, rate = sampled(tcb, 0, NOW_US + 100 * MS, (2, 4))
    assert news == 2 * SMSS
    assert rate is not None
    tcb, news, _ = sampled(tcb, 0, NOW_US + 101 * MS, (2, 4))
    assert news == 0
    tcb, news, _ = sampled(tcb, 4, NOW_US + 102 * MS)
    assert news == 2 * SMSS
    assert tcb.delivery is not None
    assert tcb.delivery.delivered_bytes == 4 * SMSS


def heard(tcb: Tcb, pipes: tuple[int, int], now_us: int, *blocks: tuple[int, int]) -> Delivered:
    """What delivery_rate says of an ACK of these blocks alone."""
    sack = tuple((seq_add(tcb.snd_una, a * SMSS), seq_add(tcb.snd_una, b * SMSS)) for a, b in blocks)
    after, _ = segment_arrives(tcb, replace(from_peer(tcb, sack=sack), ack=tcb.snd_una), now_us)
    runs, lost = tcb.transmissions, ((tcb.snd_una, seq_add(tcb.snd_una, SMSS)),)
    assert after.recovery is not None
    recovery = replace(after.recovery, lost=lost)
    return delivery_rate.after_ack(tcb, replace(after, transmissions=runs, recovery=recovery), pipes, now_us)


def test_sample__what_was_in_flight_when_it_was_sent_and_what_was_lost_since() -> None:
    tcb = sending(8)
    tcb, _, rate = sampled(tcb, 2, NOW_US + 50 * MS)
    assert rate is not None
    assert (rate.in_flight_bytes, rate.lost_bytes) == (2 * SMSS, 0)
    tcb, _ = send(tcb, b"x" * 4 * SMSS, NOW_US + 60 * MS)
    # Six of the first flight are on their way, and four more.
    found = heard(tcb, (10 * SMSS, 5 * SMSS), NOW_US + 110 * MS, (6, 10))
    assert found.rate is not None
    assert (found.rate.in_flight_bytes, found.rate.lost_bytes) == (10 * SMSS, SMSS)
    assert found.delivery.lost_bytes == found.lost_bytes == SMSS


def test_lost__what_was_in_flight_when_it_was_sent__unless_it_was_sent_before() -> None:
    tcb = sending(8)
    found = heard(tcb, (8 * SMSS, 3 * SMSS), NOW_US + 50 * MS, (4, 8))
    assert found.lost == LostRun(SMSS, SMSS, is_app_limited=True)
    again = tuple(replace(run, delivery=None, retransmitted=True) for run in tcb.transmissions)
    sent_again = replace(tcb, transmissions=again)
    assert heard(sent_again, (8 * SMSS, 3 * SMSS), NOW_US + 50 * MS, (4, 8)).lost is None
    assert heard(tcb, (8 * SMSS, 4 * SMSS), NOW_US + 50 * MS, (4, 8)).lost is None, "nothing was lost"


def test_hole_filled_by_a_retransmission__no_sample() -> None:
    tcb = sending()
    tcb, _, _ = sampled(tcb, 0, NOW_US + 100 * MS, (1, 8))
    _, news, rate = sampled(tcb, 8, NOW_US + 200 * MS)
    assert (news, rate) == (SMSS, None)


def test_buffer_runs_dry__what_is_sent_next_is_app_limited_until_the_bubble_is_gone() -> None:
    tcb = sending(4)
    tcb, _, rate = sampled(tcb, 2, NOW_US + 100 * MS)
    assert rate is not None
    assert rate.is_app_limited, "the first flight fills no pipe"
    assert tcb.delivery is not None
    assert tcb.delivery.app_limited_bytes == 4 * SMSS
    tcb, _ = send(tcb, b"x" * 100 * SMSS, NOW_US + 100 * MS)
    tcb, _, _ = sampled(tcb, 2, NOW_US + 110 * MS)
    tcb, _ = send(tcb, b"x" * 100 * SMSS, NOW_US + 110 * MS)
    tcb, _, rate = sampled(tcb, 2, NOW_US + 200 * MS)
    assert rate is not None
    assert rate.is_app_limited
    assert tcb.delivery is not None
    assert tcb.delivery.app_limited_bytes == 0
    tcb, _ = send(tcb, b"x", NOW_US + 201 * MS)
    assert not tcb.transmissions[-1].delivery.app_limited_bytes  # type: ignore[union-attr]  # kept for BBR


def test_segment_sent_alone__gives_no_sample_and_counts_from_its_own_time() -> None:
    tcb, _ = send(states.established(BBR), b"x" * 100, NOW_US)
    assert tcb.delivery is None
    _, news, rate = sampled(tcb, 0, NOW_US + 5 * MS)
    assert (news, rate) == (0, None)
    more, _ = send(tcb, b"y" * 4 * SMSS, NOW_US + 10 * MS)
    assert more.delivery is not None
    assert (more.delivery.first_sent_at_us, more.delivery.app_limited_bytes) == (NOW_US, 100)


def test_transmissions__with_delivery__survive_the_codec() -> None:
    tcb = sending()
    assert tcb.transmissions[0].delivery is not None
    assert decode(encode(tcb)) == tcb


@pytest.mark.parametrize(("octets", "interval_us", "rate"), [(1_000, 1_000, 1_000_000), (5, 0, 0)])
def test_rate__bytes_a_second(octets: int, interval_us: int, rate: int) -> None:
    assert Rate(octets, interval_us, 0, False).bytes_per_second == rate
