"""How fast the path delivers."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import bandwidth
from gossamer.core.tcp.congestion.bbr.memory import Bandwidth, Memory, MinRtt

from .paths import KNOWN, MS, RATE, RTT_US, acked


def test_sample__shorter_than_the_least_round_trip__is_none() -> None:
    assert bandwidth.sample(KNOWN, acked(rate=7_000)) == 7_000
    far = replace(KNOWN, min_rtt=MinRtt(RTT_US + MS))
    assert bandwidth.sample(far, acked(rate=7_000)) == 0


def test_max_bw__is_the_best_of_two_cycles() -> None:
    memory = Memory()
    for best, expected in ((5_000, 5_000), (3_000, 5_000), (1_000, 3_000), (2_000, 2_000)):
        memory = bandwidth.measured(bandwidth.measured(memory, acked(), best), acked(), best - 10)
        assert memory.max_bw == expected
        memory = bandwidth.advanced(memory)
    assert bandwidth.advanced(memory).max_bw == 2_000, "a cycle without a sample forgets nothing"


def test_app_limited__counts_only_when_it_is_the_best() -> None:
    fresh = replace(KNOWN, bandwidth=replace(KNOWN.bandwidth, cycle_max=0))
    assert bandwidth.measured(fresh, acked(limited=True), RATE - 1) is fresh
    assert bandwidth.measured(fresh, acked(limited=True), RATE + 1).max_bw == RATE + 1
    held = replace(fresh, min_rtt=replace(KNOWN.min_rtt, ignored_to_bytes=1))
    assert bandwidth.measured(held, acked(), RATE - 1) is held, "what ProbeRTT kept back"


def rounds_of(*rates: int, limited: bool = False) -> list[bool]:
    """Whether the pipe is taken for full after each of these rounds."""
    memory, found = Memory(bandwidth=Bandwidth()), []
    memory = replace(memory, rounds=replace(memory.rounds, is_start=True))
    for rate in rates:
        memory = bandwidth.filled(memory, acked(starts_round=True, limited=limited), rate)
        found.append(memory.bandwidth.is_full_reached)
    return found


def test_full_pipe__three_rounds_without_a_quarter_more() -> None:
    assert rounds_of(100, 125, 157, 190, 190, 190) == [False] * 5 + [True]
    assert not any(rounds_of(100, 100, 100, 126, 126, 126))
    assert not any(rounds_of(*[100] * 6, limited=True)), "a sender without data fills nothing"


def test_full_pipe__looked_for_anew__what_was_reached_stays_reached() -> None:
    memory = bandwidth.sought(KNOWN, 5)
    assert not memory.bandwidth.is_full_now
    assert memory.bandwidth.is_full_reached
    assert memory.bandwidth.full == 5
