"""CUBIC against the numbers of RFC 9438."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import Seq
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.congestion.control import Ack, Loss
from gossamer.core.tcp.congestion.cubic import ALPHA, Cubic, Curve, seconds_to_plateau, w_cubic
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.tcb import RoundTrip

SMSS = 1_000
MS = 1_000
CUBIC = Cubic()


def avoiding(cwnd: float, curve: Curve) -> Congestion:
    """In congestion avoidance, cwnd in segments."""
    return Congestion(int(cwnd * SMSS), 2 * SMSS, memory=curve)


def acked(
    congestion: Congestion, now_us: int, segments: float = 1, flight: int = 0, rtt_us: int = 100 * MS
) -> Congestion:
    return CUBIC.on_ack(
        congestion,
        Ack(
            now_us=now_us,
            acked_bytes=int(segments * SMSS),
            flight_bytes=flight or congestion.cwnd,
            smss=SMSS,
            snd_una=Seq(0),
            snd_nxt=Seq(1),
            round_trip=RoundTrip(rtt_us, rtt_us // 2, 3 * rtt_us),
        ),
    )


def lost(congestion: Congestion, flight: int = 0) -> Congestion:
    return CUBIC.on_loss(congestion, Loss(now_us=0, flight_bytes=flight or congestion.cwnd, smss=SMSS))


@pytest.mark.parametrize(
    ("w_max", "cwnd_epoch", "k"), [(100, 70, 4.217163), (10, 7, 1.957434), (1000, 700, 9.085603), (50, 50, 0)]
)
def test_k__cubic_root_of_what_is_missing(w_max: float, cwnd_epoch: float, k: float) -> None:
    """K = ((W_max - cwnd_epoch) / 0.4) ^ (1/3): 75 ^ (1/3), 7.5 ^ (1/3), 750 ^ (1/3)."""
    assert seconds_to_plateau(w_max, cwnd_epoch) == pytest.approx(k, abs=1e-6)


@pytest.mark.parametrize(
    ("t", "w"), [(0, 70), (2.1085815, 96.25), (4.217163, 100), (6.3257445, 103.75), (8.434326, 130)]
)
def test_w__concave_to_the_plateau_then_convex(t: float, w: float) -> None:
    """At K/2 an eighth of the way is missing: 100 - 30/8."""
    assert w_cubic(Curve(w_max=100, k=4.217163), t) == pytest.approx(w, abs=1e-3)


def test_alpha__nine_seventeenths() -> None:
    assert pytest.approx(9 / 17) == ALPHA


def test_loss__beta_of_flight__and_w_max_is_cwnd() -> None:
    after = lost(avoiding(100, Curve()))
    assert (after.cwnd, after.ssthresh) == (70 * SMSS, 70 * SMSS)
    assert (after.memory.w_max, after.memory.cwnd_prior, after.memory.epoch_at_us) == (100, 100, 0)


def test_loss__below_the_last_plateau__fast_convergence() -> None:
    """RFC 9438 4.7: W_max = cwnd * (1 + beta) / 2."""
    assert lost(avoiding(80, Curve(w_max=100))).memory.w_max == pytest.approx(68)


def test_loss__tiny_flight__two_segments_stay() -> None:
    assert lost(avoiding(2, Curve()), flight=SMSS).ssthresh == 2 * SMSS


def test_avoidance__first_ack__epoch_begins_and_k_is_set() -> None:
    after = acked(avoiding(70, Curve(w_max=100, cwnd_prior=100)), 5_000_000)
    curve = after.memory
    assert (curve.epoch_at_us, curve.w_max) == (5_000_000, 100)
    assert curve.k == pytest.approx(4.217163, abs=1e-6)
    # At t = 0 Reno is ahead: 9/17 of a segment a round trip.
    assert after.cwnd == int((70 + 9 / 17 / 70) * SMSS)
    # 50 ms later the target is W(0.05 + 0.1) = 73.0887, of which (target - cwnd) / cwnd for one segment.
    later = acked(after, 5_050_000)
    assert later.cwnd == int(70_007.563 + (73.0887 - 70.0076) / 70.0076 * SMSS)


def test_avoidance__one_round_trip_of_acks__cwnd_comes_near_the_target() -> None:
    congestion = avoiding(70, Curve(w_max=100, cwnd_prior=100))
    for number in range(70):
        congestion = acked(congestion, 5_000_000 + number * 100 * MS // 70)
    assert congestion.cwnd / SMSS == pytest.approx(w_cubic(congestion.memory, 0.1), abs=1.5)


def test_avoidance__far_below_the_curve__at_most_half_as_much_again() -> None:
    curve = Curve(
        w_max=1_000, k=1.0, epoch_at_us=1_000_000, limited_at_us=1_000_000 + 6_000_000, cwnd_prior=1_000
    )
    after = acked(avoiding(100, replace(curve, w_est=10)), 7_000_001)
    assert after.cwnd == int((100 + 50 / 100) * SMSS)


def test_avoidance__small_window_short_round_trip__reno_friendly() -> None:
    """K is 1.96 s; in 20 round trips of 10 ms W_est grows by nine seventeenths of a segment each."""
    congestion, now_us = avoiding(7, Curve(w_max=10, cwnd_prior=10)), 1_000_000
    for _ in range(20):
        for _ in range(round(congestion.cwnd / SMSS)):
            congestion = acked(congestion, now_us, rtt_us=10 * MS)
        now_us += 10 * MS
    assert congestion.memory.w_est >= w_cubic(congestion.memory, 0.2)
    # Above cwnd_prior alpha is 1: 3 segments at 9/17 take 5.7 round trips, and 14 more follow.
    assert congestion.cwnd / SMSS == pytest.approx(10 + 14.3, abs=1.5)


def test_avoidance__not_limited_by_cwnd__no_growth() -> None:
    congestion = avoiding(70, Curve(w_max=100))
    assert acked(congestion, 1_000_000, flight=60 * SMSS) is congestion


def test_avoidance__application_paused__the_curve_is_shifted_by_the_pause() -> None:
    """RFC 9438 5.8: no jump after ten idle seconds."""
    busy = acked(avoiding(70, Curve(w_max=100, cwnd_prior=100)), 1_000_000)
    went_on = acked(busy, 1_100_000)
    paused = acked(busy, 11_000_000)
    assert paused.cwnd <= went_on.cwnd
    assert paused.memory.epoch_at_us == 11_000_000


def test_avoidance__growth_below_an_octet__is_kept() -> None:
    curve = Curve(w_max=100_000, k=0.0, epoch_at_us=1, limited_at_us=1_000_001, w_est=1.0, cwnd_prior=1e6)
    congestion = avoiding(100_000, curve)
    for number in range(1_000):
        congestion = acked(congestion, 1_000_001 + number)
    assert congestion.cwnd > 100_000 * SMSS
    assert 0 <= congestion.memory.fraction < 1


def test_rto__one_segment_and_the_next_avoidance_begins_on_its_plateau() -> None:
    """RFC 9438 4.8."""
    after = CUBIC.on_rto(
        avoiding(100, Curve(w_max=120, k=3.0, epoch_at_us=9)),
        Loss(now_us=0, flight_bytes=100 * SMSS, smss=SMSS),
        first=True,
    )
    assert (after.cwnd, after.ssthresh) == (SMSS, 70 * SMSS)
    begun = acked(replace(after, cwnd=70 * SMSS), 5_000_000).memory
    assert (begun.w_max, begun.k, begun.epoch_at_us) == (70, 0.0, 5_000_000)


def test_undo__spurious_loss__everything_as_before() -> None:
    """RFC 9438 4.9: cwnd, ssthresh, W_max, K, t_epoch and W_est."""
    before = acked(avoiding(100, Curve(w_max=120, cwnd_prior=120)), 1_000_000)
    before = replace(before, ssthresh=90 * SMSS)
    assert CUBIC.on_undo(lost(before), before) == before


def test_idle__slow_start_again_and_a_new_epoch() -> None:
    before = acked(avoiding(100, Curve(w_max=120, cwnd_prior=120)), 1_000_000)
    after = CUBIC.on_idle(before, 10 * SMSS)
    assert (after.cwnd, after.ssthresh, after.memory.epoch_at_us) == (10 * SMSS, before.ssthresh, 0)
    assert after.memory.w_max == before.memory.w_max


def average_window(p: float, rtt_us: int, losses: int) -> float:
    """The average cwnd in segments when every 1/p-th segment is lost."""
    congestion, now_us, sent = avoiding(20, Curve()), 1_000_000, 0.0
    area = began_us = 0.0
    for number in range(losses + 2):
        if number == 2:
            area, began_us = 0.0, now_us
        while sent < 1 / p:
            step_us = 2 * rtt_us * SMSS / congestion.cwnd
            area += congestion.cwnd * step_us
            now_us += max(1, round(step_us))
            sent += 2
            congestion = acked(congestion, now_us, segments=2, rtt_us=rtt_us)
        congestion, sent = lost(congestion), 0.0
        area += congestion.cwnd * rtt_us
        now_us += rtt_us
    return area / (now_us - began_us) / SMSS


@pytest.mark.parametrize(("p", "segments"), [(1e-2, 12), (1e-3, 38), (1e-4, 187), (1e-5, 1054)])
def test_response__table_of_the_rfc(p: float, segments: int) -> None:
    """RFC 9438 5.1: average windows at RTT 0.1 s, C = 0.4; where Reno is faster, Reno's."""
    assert average_window(p, 100 * MS, 6) == pytest.approx(segments, rel=0.12)


def test_established__whole_life_through_step__memory_survives_the_codec() -> None:
    tcb, _ = send(states.established(), b"x" * 200_000)
    for number in range(2, 11, 2):
        ack = tcb.snd_una + 2 * 1448 - tcb.snd_nxt
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=ack), NOW_US + 50 * MS + number)
    assert tcb.congestion.memory.rounds is not None
    assert decode(encode(tcb)) == tcb
