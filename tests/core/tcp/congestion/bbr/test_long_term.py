"""How much in flight lost too much, when bandwidth was probed."""

import pytest

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import long_term
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, AckPhase, Memory, Mode

from .paths import BDP, KNOWN, RATE, SMSS, UP, acked, hears, lost_in, on


@pytest.mark.parametrize(
    ("lost", "has_sack", "expected"),
    [(0, True, False), (2, True, False), (3, True, True), (1, False, True), (0, False, False)],
)
def test_too_high__more_than_two_percent_of_what_was_in_flight(
    lost: int, has_sack: bool, expected: bool
) -> None:
    assert long_term.is_too_high(lost * SMSS, 100 * SMSS, has_sack) is expected


def test_loss_of_a_probe__bounds_what_is_in_flight__ends_the_probe__and_is_answered_once() -> None:
    ack = acked(lost_bytes=SMSS, lost=lost_in(150 * SMSS, 4 * SMSS), pipe_bytes=2 * BDP)
    after = hears(on(UP), ack).memory
    # 149 before it, with 3 lost: more than 2 % already.
    assert after.inflight_longterm == 149 * SMSS
    assert after.mode is Mode.PROBE_BW_DOWN
    assert after.probe.was_too_high
    assert not after.probe.is_sample
    ack = acked(lost_bytes=SMSS, lost=lost_in(100 * SMSS, 50 * SMSS))
    assert hears(on(after), ack).memory.inflight_longterm == 149 * SMSS


def test_loss_of_a_probe__inside_a_large_burst__only_its_first_part_was_safe() -> None:
    after = hears(on(UP), acked(lost_bytes=40 * SMSS, lost=lost_in(198 * SMSS, 40 * SMSS))).memory
    assert after.inflight_longterm == 158 * SMSS + int(0.02 * 158 * SMSS / 0.98)


def test_loss_of_a_probe__far_below_the_product__no_more_than_three_tenths_are_lost() -> None:
    ack = acked(lost_bytes=SMSS, lost=lost_in(20 * SMSS, 5 * SMSS), lost_since=5 * SMSS)
    after = hears(on(UP), ack).memory
    assert after.inflight_longterm == BDP * 7 // 10


@pytest.mark.parametrize(
    ("memory", "lost"),
    [(UP, lost_in(200 * SMSS, 4 * SMSS)), (KNOWN, lost_in(150 * SMSS, 9 * SMSS)), (UP, None)],
    ids=["2 %", "of no probe", "sent again before"],
)
def test_loss__that_says_nothing_of_a_probe__sets_no_bound(memory: Memory, lost: object) -> None:
    after = hears(on(memory), acked(lost_bytes=SMSS, lost=lost))
    assert after.memory.inflight_longterm == UNBOUNDED
    assert after.memory.mode is memory.mode


def test_loss_of_a_probe__app_limited__ends_it_without_a_bound() -> None:
    ack = acked(lost_bytes=SMSS, lost=lost_in(100 * SMSS, 4 * SMSS, limited=True), pipe_bytes=2 * BDP)
    after = hears(on(UP), ack).memory
    assert (after.mode, after.inflight_longterm) == (Mode.PROBE_BW_DOWN, UNBOUNDED)


def test_more_in_flight_went_well__the_bound_rises() -> None:
    bounded = replace(UP, inflight_longterm=BDP)
    assert hears(on(bounded), acked(in_flight=BDP + SMSS)).memory.inflight_longterm == BDP + SMSS
    lossy = acked(in_flight=BDP + SMSS, lost_since=5 * SMSS)
    assert hears(on(bounded), lossy).memory.inflight_longterm == BDP


def test_cwnd_is_used_up_to_the_bound__it_rises_by_what_is_acknowledged() -> None:
    bounded = replace(UP, inflight_longterm=BDP, probe=replace(UP.probe, up_acked_per_segment=SMSS))
    after = hears(on(bounded, BDP), acked())
    assert after.memory.inflight_longterm == BDP + 2 * SMSS
    idle = hears(on(bounded, BDP), acked(pipe_bytes=BDP // 2))
    assert idle.memory.inflight_longterm == BDP, "cwnd was not what held it back"


def test_round_after_the_probe__its_samples_begin_a_new_cycle() -> None:
    stopped = replace(KNOWN, probe=replace(KNOWN.probe, is_sample=True, acks=AckPhase.PROBE_STOPPING))
    after = hears(on(stopped), acked(starts_round=True)).memory
    assert (after.probe.acks, after.probe.is_sample) == (AckPhase.INIT, False)
    assert (after.bandwidth.cycle_max, after.max_bw) == (0, RATE)
    assert hears(on(stopped), acked(starts_round=True, limited=True)).memory.bandwidth.cycle_max == RATE


def test_careful_probe__without_loss__is_followed_by_a_real_one() -> None:
    careful = replace(KNOWN.probe, acks=AckPhase.PROBE_STOPPING, was_precautionary=True)
    ack = acked(starts_round=True)
    assert hears(on(replace(KNOWN, probe=careful)), ack).memory.mode is Mode.PROBE_BW_REFILL
    again = replace(careful, was_too_high=True)
    assert hears(on(replace(KNOWN, probe=again)), ack).memory.mode is Mode.PROBE_BW_CRUISE
