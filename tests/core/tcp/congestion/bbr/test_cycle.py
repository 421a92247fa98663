"""What entering the phases of ProbeBW does."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import cycle
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, AckPhase, Mode, ShortTerm

from .paths import BDP, DELIVERED, KNOWN, RATE, SECOND, SMSS, START_US, on


def test_down__waits_two_to_three_seconds__by_chance() -> None:
    waits, rounds = set(), set()
    for number in range(64):
        memory = cycle.down(KNOWN, START_US + number * 7_919)
        assert 2 * SECOND <= memory.probe.wait_us < 3 * SECOND
        waits.add(memory.probe.wait_us)
        rounds.add(memory.probe.rounds_since_up)
    assert len(waits) == 64
    assert max(waits) - min(waits) > SECOND * 8 // 10
    assert rounds == {0, 1}
    assert (memory.mode, memory.probe.acks) == (Mode.PROBE_BW_DOWN, AckPhase.PROBE_STOPPING)
    assert memory.short_term.bw_latest == 0


def test_refill__forgets_what_loss_said_of_the_moment() -> None:
    lowered = replace(KNOWN, short_term=ShortTerm(bw=5, inflight_bytes=5))
    memory = cycle.refilling(lowered)
    assert (memory.short_term.bw, memory.short_term.inflight_bytes) == (UNBOUNDED, UNBOUNDED)
    assert (memory.mode, memory.probe.acks) == (Mode.PROBE_BW_REFILL, AckPhase.REFILLING)
    assert memory.rounds.ends_at_bytes == DELIVERED


def test_up__looks_for_a_full_pipe__and_grows_by_1_2_4_segments_a_round() -> None:
    memory = cycle.up(KNOWN, on(KNOWN), SMSS, RATE)
    assert (memory.mode, memory.probe.acks) == (Mode.PROBE_BW_UP, AckPhase.PROBE_STARTING)
    assert memory.probe.is_sample
    assert (memory.bandwidth.full, memory.bandwidth.is_full_now) == (RATE, False)
    steps = [memory.probe.up_acked_per_segment]
    for _ in range(40):
        memory = cycle.steeper(memory, on(memory), SMSS)
        steps.append(memory.probe.up_acked_per_segment)
    assert steps[:4] == [2 * BDP, BDP, BDP // 2, BDP // 4]
    assert steps[-1] == SMSS
