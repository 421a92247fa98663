"""HyStart++: its thresholds, its phases, and a link whose queue it must not fill."""

import pytest

from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp.congestion import hystart
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.hystart import Rounds
from gossamer.core.tcp.congestion.named import named
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.congestion.slow_start import counted_bytes, grown
from gossamer.core.tcp.tcb import RoundTrip

MS = 1_000
SMSS = 1_448


def ack_of(octets: int, **values: int) -> Ack:
    fields = {"now_us": 0, "flight_bytes": 1 << 30, "smss": SMSS, "snd_una": 0, "snd_nxt": 1, **values}
    return Ack(acked_bytes=octets, round_trip=RoundTrip(100 * MS), **fields)


def round_of(rounds: Rounds, number: int, *rtts_us: int) -> Rounds:
    """A round of ACKs: the last of them acknowledges windowEnd, and the next ends a thousand further."""
    start, end = Seq(number * 1_000), Seq((number + 1) * 1_000)
    for count, r_us in enumerate(rtts_us, 1):
        rounds = hystart.on_ack(rounds, start if count == len(rtts_us) else Seq(start - 1), end, r_us)
    return rounds


def begun(*rtts_us: int) -> Rounds:
    return round_of(Rounds(Seq(0)), 0, *rtts_us)


@pytest.mark.parametrize(
    ("last_us", "threshold_us"),
    [(8 * MS, 4 * MS), (40 * MS, 5 * MS), (100 * MS, 12_500), (400 * MS, 16 * MS)],
)
def test_threshold__an_eighth_between_4_and_16_ms(last_us: int, threshold_us: int) -> None:
    """RFC 9406 4.2: max(MIN_RTT_THRESH, min(lastRoundMinRTT / 8, MAX_RTT_THRESH))."""
    assert hystart.threshold_us(last_us) == threshold_us


def test_slow_start__round_trip_rises_by_the_threshold__conservative_at_the_eighth_sample() -> None:
    rounds = begun(*[100 * MS] * 8)
    assert not round_of(rounds, 1, *[112 * MS] * 8, 112 * MS).is_conservative
    assert not round_of(rounds, 1, *[113 * MS] * 7).is_conservative, "seven samples say nothing"
    assert round_of(rounds, 1, *[113 * MS] * 8).is_conservative
    assert not round_of(rounds, 1, *[113 * MS] * 7, 100 * MS).is_conservative, "the least of a round counts"


def test_joined_acks__are_so_many_samples() -> None:
    """What came together had its smallest round-trip time in the latest, which the one ACK shows."""
    alone, together = Rounds(Seq(0)), Rounds(Seq(0))
    for r_us in (104 * MS, 103 * MS, 102 * MS):
        alone = hystart.on_ack(alone, Seq(MASK), Seq(1_000), r_us)
    together = hystart.on_ack(together, Seq(MASK), Seq(1_000), 102 * MS, acks=3)
    assert together == alone


def test_conservative__round_trip_falls_below_the_baseline__slow_start_goes_on() -> None:
    rounds = round_of(begun(*[100 * MS] * 8), 1, *[120 * MS] * 8)
    assert (rounds.is_conservative, rounds.growth_divisor) == (True, 4)
    rounds = round_of(rounds, 2, *[119 * MS] * 8)
    assert (rounds.is_conservative, rounds.growth_divisor, rounds.css_rounds) == (False, 1, 0)


def test_conservative__five_rounds__is_over() -> None:
    """The round in which it was entered is the first of them."""
    rounds = round_of(begun(*[100 * MS] * 8), 1, *[120 * MS] * 8)
    for number in range(2, 6):
        assert not rounds.is_over
        rounds = round_of(rounds, number, *[125 * MS] * 8)
    assert rounds.is_over


@pytest.mark.parametrize(("divisor_rounds", "octets", "growth"), [(0, 20, 8), (0, 3, 3), (1, 20, 2)])
def test_growth__at_most_eight_segments_of_an_ack__a_quarter_in_conservative(
    divisor_rounds: int, octets: int, growth: int
) -> None:
    rounds = round_of(begun(*[100 * MS] * 8), 1, *[120 * MS] * 8) if divisor_rounds else Rounds(Seq(9_000))
    after, _ = grown(Congestion(20 * SMSS), rounds, ack_of(octets * SMSS))
    assert after.cwnd == (20 + growth) * SMSS


def test_growth__paced__all_that_was_acknowledged() -> None:
    after, _ = grown(Congestion(20 * SMSS, pacing_rate=1), Rounds(Seq(9_000)), ack_of(20 * SMSS))
    assert after.cwnd == 40 * SMSS


def test_growth__later_slow_start__two_segments_and_one_after_a_timeout() -> None:
    """RFC 3465 2.2, 2.3."""
    after, rounds = grown(Congestion(20 * SMSS, 40 * SMSS), None, ack_of(5 * SMSS))
    assert (after.cwnd, rounds) == (22 * SMSS, None)
    assert counted_bytes(ack_of(5 * SMSS, is_recovering=True)) == SMSS


def overflow_of(
    name: str, rate: int, base_us: int, buffer_bytes: int, is_blind: bool = False
) -> tuple[Congestion, int]:
    """A first slow start over a bottleneck of `rate` bytes/s: the record when it is over, or when the queue
    would have overflowed, and the largest queue. `is_blind`: no ACK shows a round-trip time."""
    control = named(name)
    congestion, una, now_us, queue_max = control.begin(10 * SMSS, SMSS), 0, 0, 0
    bdp = rate * base_us // 1_000_000
    while congestion.cwnd < congestion.ssthresh:
        queue = max(0, congestion.cwnd - bdp)
        queue_max = max(queue_max, queue)
        if queue > buffer_bytes:
            break
        r_us = base_us + queue * 1_000_000 // rate
        now_us += max(2 * SMSS * r_us // congestion.cwnd, 1)
        una += 2 * SMSS
        congestion = control.on_ack(
            congestion,
            Ack(
                now_us=now_us,
                acked_bytes=2 * SMSS,
                flight_bytes=congestion.cwnd,
                smss=SMSS,
                snd_una=Seq(una),
                snd_nxt=Seq(una + congestion.cwnd),
                round_trip=RoundTrip(r_us, 0, 200 * MS),
                r_us=-1 if is_blind else r_us // MS * MS,
            ),
        )
    return congestion, queue_max


@pytest.mark.parametrize("name", ["cubic", "newreno"])
@pytest.mark.parametrize(("mbit", "base_us"), [(10, 50 * MS), (100, 20 * MS), (100, 100 * MS)])
def test_first_slow_start__deep_buffer__ends_before_the_queue_overflows(
    name: str, mbit: int, base_us: int
) -> None:
    rate = mbit * 125_000
    bdp = rate * base_us // 1_000_000
    congestion, queue_max = overflow_of(name, rate, base_us, 7 * bdp)
    assert congestion.ssthresh == congestion.cwnd
    assert bdp < congestion.cwnd
    assert queue_max < 7 * bdp
    _, queue_max = overflow_of(name, rate, base_us, 7 * bdp, is_blind=True)
    assert queue_max > 7 * bdp
