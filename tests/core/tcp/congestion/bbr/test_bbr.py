"""BBR: its filters and modes by hand, and whole transfers over a bottleneck."""

import pytest

from gossamer.core.seq import Seq
from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.congestion.bbr import Bbr
from gossamer.core.tcp.congestion.bbr.memory import Memory, Mode, with_sample
from gossamer.core.tcp.congestion.bbr.modes import CYCLE, in_flight_bytes
from gossamer.core.tcp.congestion.control import Ack, Loss
from gossamer.core.tcp.delivery_rate import Rate
from gossamer.core.tcp.tcb import Congestion, RoundTrip

SMSS = 1_000
MS = 1_000
RATE = 1_000_000
BBR = Bbr()
RTT_US = 100 * MS
BDP = RATE * RTT_US // 1_000_000


def hears(congestion: Congestion, now_us: int, rate: int = RATE, **values: object) -> Congestion:
    """After an ACK of two segments, sampled at `rate`; each begins a round."""
    total = values.pop("total", congestion.memory.round_ends_at_bytes + 2 * SMSS)
    prior = values.pop("prior", congestion.memory.round_ends_at_bytes)
    limited = values.pop("limited", False)
    rtt_us = values.pop("rtt_us", RTT_US)
    sample = Rate(rate * 100 * MS // 1_000_000, 100 * MS, prior, limited, rtt_us)  # type: ignore[arg-type]  # kwargs
    fields = {"acked_bytes": 2 * SMSS, "delivered_bytes": 2 * SMSS, "pipe_bytes": BDP, "flight_bytes": BDP}
    fields |= {"snd_una": Seq(1), "snd_nxt": Seq(2), "rate": sample, "delivered_total": total}
    fields |= {"round_trip": RoundTrip(RTT_US), "smss": SMSS, "now_us": now_us} | values
    return BBR.on_ack(congestion, Ack(**fields))  # type: ignore[arg-type]  # kwargs of Ack


def cruising(**memory: object) -> Congestion:
    """In ProbeBW, the path known."""
    values = {
        "initial_cwnd": 10 * SMSS,
        "mode": Mode.PROBE_BW,
        "pacing_gain": 1.0,
        "cwnd_gain": 2.0,
        "rates": ((7, RATE),),
        "round_count": 7,
        "rtprop_us": RTT_US,
        "rtprop_at_us": 1,
        "is_pipe_filled": True,
        "full_rate": RATE,
        "cycle_index": 4,
        "cycle_at_us": 1,
    }
    return Congestion(2 * BDP, every_ack=True, pacing_rate=RATE, memory=Memory(**(values | memory)))  # type: ignore[arg-type]  # kwargs


def test_filter__keeps_the_maximum_of_ten_rounds() -> None:
    samples = ()
    for number, rate in enumerate([5, 9, 3, 4, 2, 1, 1, 1, 1, 1, 1, 1]):
        samples = with_sample(samples, number, rate)
        assert len(samples) <= 10
        assert samples[0][1] == max([5, 9, 3, 4, 2, 1, 1, 1, 1, 1, 1, 1][max(0, number - 9) : number + 1])


def test_startup__rate_doubles_each_round__goes_on_and_full_after_three_without_growth() -> None:
    congestion, modes = BBR.begin(10 * SMSS, SMSS), []
    for number, rate in enumerate([10_000, 20_000, 40_000, 49_000, 45_000, 48_000, 47_000]):
        congestion = hears(congestion, 1 + number * RTT_US, rate, pipe_bytes=1 << 30)
        modes.append(congestion.memory.mode)
    assert modes == [Mode.STARTUP] * 5 + [Mode.DRAIN] * 2
    assert congestion.pacing_rate == int(49_000 / 2.885)


def test_startup__app_limited_rounds__say_nothing() -> None:
    congestion = hears(BBR.begin(10 * SMSS, SMSS), 1, 50_000)
    for number in range(6):
        congestion = hears(congestion, 1 + number * RTT_US, 1_000, limited=True)
    assert congestion.memory.mode is Mode.STARTUP
    assert congestion.memory.rate == 50_000


def test_drain__queue_is_gone__cruises() -> None:
    draining = cruising(mode=Mode.DRAIN, pacing_gain=1 / 2.885, cwnd_gain=2.885)
    assert hears(draining, 2, pipe_bytes=2 * BDP).memory.mode is Mode.DRAIN
    after = hears(draining, 2, pipe_bytes=BDP)
    assert after.memory.mode is Mode.PROBE_BW
    assert after.memory.pacing_gain != 0.75, "4.3.4.3: not the draining phase first"


@pytest.mark.parametrize("una", [1, 1 << 20, 1 << 30, 3 << 30, 0xFFFF_FFFF, 123_456_789])
def test_cruise__first_phase__never_the_one_that_drains(una: int) -> None:
    after = hears(cruising(mode=Mode.DRAIN), 2, pipe_bytes=0, snd_una=Seq(una))
    assert after.memory.mode is Mode.PROBE_BW
    assert after.memory.cycle_index in {0, 2, 3, 4, 5, 6, 7}


def test_cycle__eight_phases_of_one_round_trip() -> None:
    congestion, gains = cruising(), []
    for number in range(1, 9):
        congestion = hears(congestion, number * (RTT_US + 2), pipe_bytes=2 * BDP)
        gains.append(congestion.memory.pacing_gain)
    assert gains == [*CYCLE[5:], *CYCLE[:5]]


def test_cycle__probing_phase__lasts_until_so_much_was_in_flight_or_lost() -> None:
    probing = cruising(cycle_index=0, pacing_gain=1.25)
    late_us = 2 * RTT_US
    assert hears(probing, late_us, pipe_bytes=BDP).memory.cycle_index == 0
    assert hears(probing, late_us, pipe_bytes=BDP, lost_bytes=SMSS).memory.cycle_index == 1
    assert hears(probing, late_us, pipe_bytes=2 * BDP).memory.cycle_index == 1
    assert hears(probing, 3, pipe_bytes=2 * BDP).memory.cycle_index == 0, "a round trip at least"


def test_windows__two_products_and_three_quanta() -> None:
    congestion = cruising()
    assert in_flight_bytes(congestion.memory, congestion, SMSS, 2.0) == 2 * BDP + 3 * 2 * SMSS
    congestion = hears(congestion, 2)
    assert congestion.cwnd == 2 * BDP + 2 * SMSS
    assert congestion.pacing_rate == RATE


def test_round_trip__not_seen_again_for_ten_seconds__four_segments_for_200_ms() -> None:
    congestion = hears(cruising(), 10_000_002, rtt_us=RTT_US + 5_000)
    assert congestion.memory.mode is Mode.PROBE_RTT
    assert congestion.cwnd == 4 * SMSS
    assert congestion.memory.rtprop_us == RTT_US + 5_000
    congestion = hears(congestion, 10_100_000, pipe_bytes=4 * SMSS)
    until_us = congestion.memory.probe_rtt_until_us
    assert until_us == 10_300_000
    congestion = hears(congestion, 10_250_000, pipe_bytes=4 * SMSS, rate=1)
    congestion = hears(congestion, 10_300_001, pipe_bytes=4 * SMSS, rate=1)
    assert congestion.memory.mode is Mode.PROBE_BW
    assert congestion.cwnd >= 2 * BDP, "BBRRestoreCwnd"
    assert congestion.memory.rate == RATE, "what ProbeRTT held back says nothing of the path"


def test_loss__first_round__one_octet_for_each_delivered_then_back_to_the_model() -> None:
    congestion = cruising()
    end = BBR.on_loss(congestion, Loss(now_us=2, flight_bytes=2 * BDP, smss=SMSS))
    assert end == congestion, "the model does not care"
    lost = hears(congestion, 2, is_recovering=True, pipe_bytes=BDP, lost_bytes=0, prior=-1)
    assert lost.cwnd == BDP + 2 * SMSS
    assert lost.memory.is_conserving
    total = lost.memory.round_ends_at_bytes
    after = hears(lost, 3, is_recovering=True, pipe_bytes=BDP, prior=total, total=total + 1)
    assert not after.memory.is_conserving
    over = hears(after, 4)
    assert over.cwnd >= 2 * BDP
    assert over.memory.prior_cwnd == 0


def test_timeout__one_segment_and_back_when_it_is_over() -> None:
    timed_out = BBR.on_rto(cruising(), Loss(now_us=2, flight_bytes=BDP, smss=SMSS), first=True)
    assert timed_out.cwnd == SMSS
    again = BBR.on_rto(timed_out, Loss(now_us=2, flight_bytes=BDP, smss=SMSS), first=False)
    assert again.memory.prior_cwnd == 2 * BDP
    assert hears(again, 3).cwnd >= 2 * BDP


def test_mark__less_in_flight_for_a_round_trip_and_the_rate_stays() -> None:
    marked = BBR.on_ecn(cruising(), Loss(now_us=2, flight_bytes=2 * BDP, smss=SMSS))
    assert marked.cwnd == 2 * BDP * 7 // 10
    held = hears(marked, 3, total=50 * SMSS)
    assert held.cwnd == marked.cwnd
    assert held.memory.held_to_bytes == 50 * SMSS + BDP
    over = hears(held, 4, total=held.memory.held_to_bytes)
    assert over.cwnd == marked.cwnd + 2 * SMSS
    assert over.memory.rate == RATE


def test_idle__cwnd_stays__and_the_rate_is_the_path_s() -> None:
    after = BBR.on_idle(cruising(pacing_gain=1.25), 10 * SMSS)
    assert (after.cwnd, after.pacing_rate) == (2 * BDP, RATE)
    assert after.memory.is_restarting
    assert hears(after, 20_000_000, rtt_us=2 * RTT_US).memory.mode is Mode.PROBE_BW, "not ProbeRTT after idle"


def transferred(congestion: str, transfer_bytes: int, **values: object) -> SimulationReport:
    """Through 10 Mbit/s with a round trip of 50 ms, every step checked."""
    scenario = Scenario(
        congestion=(congestion,),
        transfer_bytes=transfer_bytes,
        rate_bps=10_000_000,
        delay_us=25_000,
        **values,  # type: ignore[arg-type]  # kwargs of Scenario
    )
    return Simulation(scenario).run()


def test_bottleneck__deep_buffer__full_rate_and_a_queue_of_one_product() -> None:
    """CUBIC fills the same buffer to the brim."""
    product = 10_000_000 // 8 * 50 // 1_000
    report = transferred("bbr", 8 << 20, queue_bytes=16 * product)
    assert report.utilisation is not None
    assert report.utilisation > 0.93
    # Startup's queue is the largest: 2.885 products in flight, less the one that fits the path.
    assert report.forward.queue_bytes_max < 2.5 * product
    cubic = transferred("cubic", 8 << 20, queue_bytes=16 * product)
    assert cubic.forward.queue_bytes_max > 4 * product


def test_random_loss_of_5_percent__goes_on_where_the_others_collapse() -> None:
    goodput = {
        name: transferred(name, 4 << 20, loss=0.05).goodput_bps for name in ("bbr", "cubic", "newreno")
    }
    assert goodput["bbr"] > 7_500_000
    assert goodput["bbr"] > 4 * goodput["cubic"]
    assert goodput["bbr"] > 4 * goodput["newreno"]


def test_fifteen_seconds__round_trip_probed_and_the_rate_kept() -> None:
    report = transferred("bbr", 16 << 20, queue_bytes=1 << 20)
    assert report.ended_us > 10_000_000
    assert report.utilisation is not None
    assert report.utilisation > 0.93


@pytest.mark.parametrize("sack", [True, False])
def test_without_timestamps__still_arrives(sack: bool) -> None:
    assert transferred("bbr", 1 << 19, loss=0.01, timestamps=False, sack=sack).has_finished
