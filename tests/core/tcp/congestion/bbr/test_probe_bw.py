"""When ProbeBW goes from one phase to the next."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr.memory import AckPhase, Memory, Mode

from .paths import BDP, KNOWN, RATE, SECOND, SMSS, START_US, UP, acked, hears, on

DOWN = replace(KNOWN, mode=Mode.PROBE_BW_DOWN)


def mode_after(memory: Memory, cwnd: int = 2 * BDP, **values: object) -> Mode:
    return hears(on(memory, cwnd), acked(**values)).memory.mode  # type: ignore[arg-type, no-any-return]


def test_down__until_no_queue_is_ours_and_others_have_headroom() -> None:
    assert mode_after(DOWN, pipe_bytes=BDP + 1) is Mode.PROBE_BW_DOWN
    assert mode_after(DOWN, pipe_bytes=BDP) is Mode.PROBE_BW_CRUISE
    bounded = replace(DOWN, inflight_longterm=BDP)
    assert mode_after(bounded, pipe_bytes=BDP * 86 // 100) is Mode.PROBE_BW_DOWN
    assert mode_after(bounded, pipe_bytes=BDP * 85 // 100) is Mode.PROBE_BW_CRUISE


def test_cruise__until_two_to_three_seconds_are_over() -> None:
    late_us = START_US + 2 * SECOND
    assert mode_after(KNOWN, now_us=late_us) is Mode.PROBE_BW_CRUISE
    assert mode_after(KNOWN, now_us=late_us + 1) is Mode.PROBE_BW_REFILL
    assert mode_after(DOWN, now_us=late_us + 1) is Mode.PROBE_BW_REFILL


def test_cruise__or_until_reno_would_have_grown_by_as_much_as_is_in_flight() -> None:
    """63 rounds at most, and as many as there are segments where that is less."""
    for rounds, cwnd, expected in (
        (62, 2 * BDP, Mode.PROBE_BW_CRUISE),
        (63, 2 * BDP, Mode.PROBE_BW_REFILL),
        (19, 20 * SMSS, Mode.PROBE_BW_CRUISE),
        (20, 20 * SMSS, Mode.PROBE_BW_REFILL),
    ):
        memory = replace(KNOWN, probe=replace(KNOWN.probe, rounds_since_up=rounds))
        assert mode_after(memory, cwnd) is expected


def test_refill__for_a_round() -> None:
    refilling = replace(KNOWN, mode=Mode.PROBE_BW_REFILL, probe=replace(KNOWN.probe, acks=AckPhase.REFILLING))
    assert mode_after(refilling) is Mode.PROBE_BW_REFILL
    assert mode_after(refilling, starts_round=True) is Mode.PROBE_BW_UP


def test_up__until_the_rate_does_not_grow() -> None:
    assert mode_after(UP) is Mode.PROBE_BW_UP
    after = hears(on(replace(UP, bandwidth=KNOWN.bandwidth)), acked()).memory
    assert after.mode is Mode.PROBE_BW_DOWN
    assert not after.probe.was_precautionary


def test_up__held_by_the_bound__a_rate_that_does_not_grow_says_nothing() -> None:
    bounded = replace(UP, inflight_longterm=BDP, bandwidth=KNOWN.bandwidth)
    after = hears(on(bounded, BDP + 2 * SMSS), acked(rate=RATE // 2)).memory
    assert after.mode is Mode.PROBE_BW_UP
    assert (after.bandwidth.full, after.bandwidth.is_full_now) == (RATE // 2, False)


def test_up__after_a_probe_that_lost_too_much__stops_where_that_did() -> None:
    careful = replace(UP, inflight_longterm=BDP + SMSS, probe=replace(UP.probe, was_too_high=True))
    assert mode_after(careful) is Mode.PROBE_BW_UP
    after = hears(on(careful), acked(pipe_bytes=BDP + SMSS)).memory
    assert after.mode is Mode.PROBE_BW_DOWN
    assert (after.probe.was_precautionary, after.probe.was_too_high) == (True, False)
