"""What the TCP is worth on paths, against what theory says of it: bursts, random loss, long fat paths,
fairness. Times are virtual; every figure repeats exactly."""

import pytest

from gossamer.core.records import replace
from gossamer.core.sim.loss import DropExactly
from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation

RTT_US = 100_000
WINDOW_SEGMENTS = 40
BURST = Scenario(
    congestion=("newreno",),
    rate_bps=0,
    delay_us=RTT_US // 2,
    buffer_bytes=WINDOW_SEGMENTS * 1448,
    transfer_bytes=1_500_000,
)
"""A window of 40 segments, limited by the receiver; the 300th segment stands in the middle of the flow."""

ENDLESS = 1 << 40


def run(scenario: Scenario) -> SimulationReport:
    return Simulation(scenario).run()


def recoveries(lost: int, sack: bool, congestion: str = "newreno") -> list[float]:
    """How many round trips it took, from the first retransmission on, when so many segments in a row are
    lost."""
    report = run(replace(BURST, models=(DropExactly(300, lost),), sack=sack, congestion=(congestion,)))
    assert report.has_finished
    assert report.forward.lost == lost
    return [us / RTT_US for us in report.flows[0].recoveries_us]


@pytest.mark.parametrize("congestion", ["newreno", "cubic"])
@pytest.mark.parametrize("lost", [1, 2, 3, 5, 8, 12, 20])
def test_burst_in_a_window__with_sack__two_round_trips(lost: int, congestion: str) -> None:
    assert max(recoveries(lost, sack=True, congestion=congestion)) < 2.2


@pytest.mark.parametrize("lost", [1, 2, 3, 5, 20])
def test_burst_in_a_window__without_sack__a_round_trip_for_each(lost: int) -> None:
    """RFC 6582 3.2 (5): a partial ACK brings the next segment, one a round trip."""
    assert max(recoveries(lost, sack=False)) == pytest.approx(lost, abs=0.3)


def test_random_loss__newreno__is_what_its_model_says() -> None:
    """Mathis: within a quarter, over a mean of seeds."""
    path = Scenario(congestion=("newreno",), rate_bps=20_000_000, loss=0.003, transfer_bytes=ENDLESS)
    reports = [run(replace(path, seed=seed, duration_us=30_000_000)) for seed in (1, 2, 3)]
    mean_bps = sum(report.goodput_bps for report in reports) / len(reports)
    assert mean_bps == pytest.approx(reports[0].bounds.least_bps, rel=0.25)


FAT = Scenario(rate_bps=50_000_000, delay_us=50_000, loss=0.0002, transfer_bytes=ENDLESS)
"""A bandwidth-delay product of 430 segments, and a loss in 5,000."""


def steady_share(congestion: str, duration_us: int) -> float:
    """The steady rate on the fat path over what the algorithm's own model predicts."""
    scenario = replace(FAT, congestion=(congestion,), duration_us=duration_us)
    report = Simulation(scenario, watches=False).run()
    return report.flows[0].steady_bps / report.bounds.least_bps


@pytest.mark.long
def test_long_fat_path__each_algorithm_as_its_model_says() -> None:
    """Mathis, RFC 9438 5.1 and the bottleneck itself: 10, 13 and 48 Mbit/s. The formulas of the first two
    count one loss in exactly 1/p segments; chance is kinder to CUBIC than to NewReno."""
    assert 0.7 < steady_share("newreno", 60_000_000) < 1.5
    assert 0.8 < steady_share("cubic", 60_000_000) < 2.2
    assert 0.9 < steady_share("bbr", 10_000_000) < 1.02


@pytest.mark.parametrize("congestion", ["newreno", "cubic"])
@pytest.mark.parametrize(("flows", "jain_min"), [(2, 0.95), (10, 0.9)])
def test_flows_of_one_kind__share_the_path_fairly_and_fill_it(
    congestion: str, flows: int, jain_min: float
) -> None:
    report = Simulation(
        Scenario(
            congestion=(congestion,),
            flows=flows,
            rate_bps=5_000_000,
            delay_us=20_000,
            stagger_us=400_000,
            transfer_bytes=ENDLESS,
            duration_us=30_000_000,
        ),
        watches=False,
    ).run()
    assert report.jain > jain_min
    assert report.utilisation is not None
    assert report.utilisation > 0.8


def test_rare_losses_in_windows_of_800_segments__each_is_sent_again_once_and_answered() -> None:
    """More runs of sending times than are remembered apart: they are joined, and nothing but what is lost
    may be taken for lost by that; what was sent twice for nothing would undo the answer to a loss."""
    scenario = Scenario(
        congestion=("cubic",),
        rate_bps=100_000_000,
        loss=0.0001,
        transfer_bytes=ENDLESS,
        duration_us=8_000_000,
    )
    report = Simulation(scenario, watches=False).run()
    assert report.forward.lost >= 3
    assert report.flows[0].retransmitted <= report.forward.lost + report.forward.overflowed
    assert report.goodput_bps < 2.5 * report.bounds.least_bps
