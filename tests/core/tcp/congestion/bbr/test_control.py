"""BBR as a whole: what happens beside ACKs, and whole transfers over a bottleneck."""

import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, Aggregation, Mode, ShortTerm
from gossamer.core.tcp.parameters import TcpParameters

from .paths import BBR, BDP, KNOWN, RATE, SECOND, SMSS, START_US, UP, acked, hears, lost_in, on, sign


def test_pacing__a_percent_less_than_what_is_delivered__and_as_the_mode_has_it() -> None:
    gains = {Mode.DRAIN: 0.5, Mode.PROBE_BW_DOWN: 0.9, Mode.PROBE_BW_CRUISE: 1.0, Mode.PROBE_RTT: 1.0}
    for mode, gain in gains.items():
        memory = replace(KNOWN, mode=mode, drain_from_round=9)
        after = hears(on(memory), acked(pipe_bytes=2 * BDP))
        assert after.pacing_rate == int(gain * RATE * 0.99), mode
    assert hears(on(UP), acked()).pacing_rate == int(1.25 * RATE * 0.99)


def test_recovery__cwnd_stays__and_is_what_it_was_when_it_is_over() -> None:
    begun = BBR.on_loss(on(KNOWN), sign())
    assert (begun.cwnd, begun.memory.prior_cwnd) == (2 * BDP, 2 * BDP)
    within = hears(begun, acked(is_recovering=True))
    assert within.memory.is_recovering
    over = hears(replace(within, cwnd=BDP), acked())
    assert not over.memory.is_recovering
    assert over.cwnd == 2 * BDP + 2 * SMSS


def test_timeout__one_segment_and_back_when_it_is_over() -> None:
    timed_out = BBR.on_rto(on(KNOWN), sign(), first=True)
    assert timed_out.cwnd == SMSS
    again = BBR.on_rto(timed_out, sign(), first=False)
    assert again.memory.prior_cwnd == 2 * BDP
    assert hears(again, acked()).cwnd >= 2 * BDP
    probing = BBR.on_rto(on(UP), sign(120 * SMSS), first=True).memory
    assert (probing.mode, probing.inflight_longterm) == (Mode.PROBE_BW_DOWN, 120 * SMSS)


def test_mark__is_congestion__less_in_flight_until_the_next_probe_and_the_rate_stays() -> None:
    marked = BBR.on_ecn(on(KNOWN), sign())
    assert marked.cwnd == BDP * 7 // 10
    assert BBR.on_ecn(on(KNOWN), sign(SMSS)).cwnd == 4 * SMSS
    held = hears(marked, acked())
    assert (held.cwnd, held.memory.bw) == (marked.cwnd, RATE)
    probed = hears(held, acked(START_US + 3 * SECOND))
    assert probed.memory.short_term.inflight_bytes == UNBOUNDED
    assert BBR.on_ecn(on(UP), sign(2 * BDP)).memory.inflight_longterm == 2 * BDP
    young = replace(KNOWN, mode=Mode.STARTUP, bandwidth=replace(KNOWN.bandwidth, is_full_reached=False))
    marked = BBR.on_ecn(on(young), sign())
    assert marked.memory.bandwidth.is_full_reached
    assert marked.memory.undo_mode == 0, "it is no loss that may turn out to be none"


def test_undo__bounds_as_they_were__and_the_probe_that_the_loss_ended_begins_again() -> None:
    begun = BBR.on_loss(on(UP), sign())
    ended = hears(begun, acked(lost_bytes=SMSS, lost=lost_in(BDP, 9 * SMSS), is_recovering=True))
    assert (ended.memory.mode, ended.memory.undo_mode) == (Mode.PROBE_BW_DOWN, Mode.PROBE_BW_UP)
    undone = BBR.on_undo(ended, on(UP))
    assert undone.memory.mode is Mode.PROBE_BW_REFILL
    assert undone.memory.inflight_longterm == UNBOUNDED
    assert undone.memory.undo_mode == 0
    lowered = on(replace(KNOWN, short_term=ShortTerm(bw=5, inflight_bytes=5)), BDP)
    calm = BBR.on_undo(lowered, on(KNOWN))
    assert (calm.cwnd, calm.memory.bw, calm.memory.mode) == (2 * BDP, RATE, Mode.PROBE_BW_CRUISE)


def test_undo__of_what_ended_startup__starts_again() -> None:
    ended = replace(KNOWN, undo_mode=int(Mode.STARTUP))
    after = BBR.on_undo(on(ended), on(KNOWN)).memory
    assert (after.mode, after.bandwidth.is_full_reached) == (Mode.STARTUP, False)
    probing = BBR.on_undo(on(replace(ended, mode=Mode.PROBE_RTT)), on(KNOWN)).memory
    assert (probing.mode, probing.bandwidth.is_full_reached) == (Mode.PROBE_RTT, False)


def test_idle__cwnd_stays__and_the_rate_is_the_path_s() -> None:
    busy = replace(UP, aggregation=Aggregation(((1, 5),), 1, 5_000))
    after = BBR.on_idle(on(busy), 10 * SMSS)
    assert (after.cwnd, after.pacing_rate) == (2 * BDP, RATE * 99 // 100)
    assert after.memory.is_restarting
    assert after.memory.aggregation == Aggregation(((1, 5),), 1, 0)


def test_memory__survives_the_codec() -> None:
    tcb = states.established(TcpParameters(congestion="bbr"))
    memory = replace(UP, aggregation=Aggregation(((1, 5), (2, 3)), 1, 5), inflight_longterm=77)
    tcb = replace(tcb, congestion=on(replace(memory, short_term=ShortTerm(bw=3, losses=2))))
    found = decode(encode(tcb))
    assert found == tcb
    assert found.congestion.memory.mode is Mode.PROBE_BW_UP  # type: ignore[union-attr]  # a Tcb


def transferred(congestion: tuple[str, ...], transfer_bytes: int, **values: object) -> SimulationReport:
    """Through 5 Mbit/s with a round trip of 50 ms."""
    scenario = Scenario(
        congestion=congestion,
        flows=len(congestion),
        transfer_bytes=transfer_bytes,
        rate_bps=5_000_000,
        delay_us=25_000,
        **values,  # type: ignore[arg-type]  # kwargs of Scenario
    )
    return Simulation(scenario, watches=len(congestion) == 1).run()


PRODUCT = 5_000_000 // 8 * 50 // 1_000


def test_bottleneck__deep_buffer__full_rate_and_a_queue_of_little_more_than_one_product() -> None:
    """CUBIC fills the same buffer to the brim. The round trip is probed once."""
    report = transferred(("bbr",), 27 << 17, queue_bytes=16 * PRODUCT)
    assert report.ended_us > 5_500_000
    assert report.utilisation is not None
    assert report.utilisation > 0.93
    assert report.forward.queue_bytes_max < 1.5 * PRODUCT


def test_shallow_queue__cubic_keeps_its_share() -> None:
    """Version 1 left it a tenth."""
    report = transferred(("bbr", "cubic"), 1 << 30, queue_bytes=PRODUCT // 2, duration_us=12_000_000)
    shares = [flow.steady_bps for flow in report.flows]
    assert min(shares) > 0.3 * sum(shares)
    assert report.utilisation is not None
    assert report.utilisation > 0.9


def test_random_loss_of_1_percent__most_of_the_path_is_used() -> None:
    """CUBIC has a third of it."""
    assert transferred(("bbr",), 3 << 19, loss=0.01).goodput_bps > 3_250_000


@pytest.mark.parametrize("sack", [True, False])
def test_without_timestamps__still_arrives(sack: bool) -> None:
    assert transferred(("bbr",), 1 << 19, loss=0.01, timestamps=False, sack=sack).has_finished
