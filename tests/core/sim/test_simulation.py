"""Whole runs: same seed, same figures; oracles that find what they are for; measures that are true."""

import msgspec
import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.records import replace
from gossamer.core.sim.loss import BurstLoss, DropExactly
from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation, bounds
from gossamer.core.tcp.actions import Deliver
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.step import Connection, Outcome, step
from gossamer.core.tcp.tcb import Tcb

SMALL = Scenario(congestion=("newreno",), transfer_bytes=200_000, rate_bps=20_000_000, delay_us=10_000)


def run(scenario: Scenario) -> SimulationReport:
    return Simulation(scenario).run()


def test_same_seed__same_report__another_seed__another() -> None:
    lossy = replace(SMALL, loss=0.03, reorder=0.02, duplicate=0.02, jitter_us=2_000)
    first, second, third = run(lossy), run(lossy), run(replace(lossy, seed=2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    assert first.forward != third.forward


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": 0.05},
        {"ack_loss": 0.3},
        {"models": (BurstLoss(0.01, 0.3),)},
        {"blackouts": ((100_000, 900_000),)},
        {"duplicate": 0.1, "reorder": 0.1, "jitter_us": 3_000},
        {"corrupt": 0.05},
        {"sack": False, "loss": 0.03},
        {"timestamps": False, "loss": 0.03},
        {"queue_bytes": 16_000},
        {"queue_bytes": 40_000, "mark_bytes": 12_000, "loss": 0.01},
        {"buffer_bytes": 4_000},
        {"delay_us": 0},
        {"rate_bps": 0, "loss": 0.02},
        {"mtu_changes": ((60_000, 1_100),)},
        {"mtu_changes": ((60_000, 1_100),), "icmp": False},
        {"flows": 5, "stagger_us": 3_000, "delay_step_us": 2_000},
    ],
    ids=lambda change: ",".join(change) or "clean",
)
def test_whatever_the_wire_does__all_is_delivered_and_the_oracle_is_content(
    change: dict[str, object],
) -> None:
    report = run(replace(SMALL, **change))
    assert report.has_finished
    assert all(flow.delivered_bytes == SMALL.transfer_bytes for flow in report.flows)
    assert report.steps_checked > 100
    assert report.migrations > 0


def test_clean_path__is_full_and_nothing_is_sent_twice() -> None:
    report = run(replace(SMALL, transfer_bytes=4_000_000, buffer_bytes=200_000, queue_bytes=400_000))
    (flow,) = report.flows
    assert flow.retransmitted == flow.timeouts == report.forward.lost == 0
    assert report.utilisation is not None
    assert report.utilisation > 0.9
    assert report.bounds.path_bps is not None
    assert report.goodput_bps < report.bounds.path_bps


def test_small_buffer__a_buffer_a_round_trip() -> None:
    scenario = replace(
        SMALL, buffer_bytes=14 * SMALL.smss, rate_bps=0, delay_us=50_000, transfer_bytes=1_000_000
    )
    report = run(scenario)
    assert report.bounds.least_bps == 14 * SMALL.smss * 8 * 10
    assert 0.8 < report.goodput_bps / report.bounds.least_bps < 1


def test_losses__are_counted_once_on_the_wire_and_as_retransmissions() -> None:
    report = run(replace(SMALL, models=(DropExactly(40, 3),)))
    assert report.forward.lost == 3
    assert report.flows[0].retransmitted >= 3
    assert len(report.flows[0].recoveries_us) == 1


def test_mtu__that_shrinks__is_learned_at_once_or_found_out_by_timeouts() -> None:
    reported = run(replace(SMALL, mtu_changes=((60_000, 1_100),)))
    assert reported.forward.too_big > 0
    silent = run(replace(SMALL, mtu_changes=((60_000, 1_100),), icmp=False))
    assert silent.flows[0].timeouts > reported.flows[0].timeouts
    assert silent.ended_us > reported.ended_us


def test_duration__ends_an_endless_flow__and_says_what_it_reached() -> None:
    report = run(replace(SMALL, transfer_bytes=1 << 33, duration_us=2_000_000))
    assert not report.has_finished
    assert report.ended_us == 2_000_000
    assert report.flows[0].ended_us is None
    assert report.flows[0].steady_bps == pytest.approx(20e6 * 1448 / 1500, rel=0.05)


def test_blackout_for_ever__the_flow_fails_and_the_run_ends() -> None:
    report = run(replace(SMALL, blackouts=((50_000, 1 << 50),)))
    assert not report.has_finished
    assert report.flows[0].failure == "connection timed out"


def test_a_tcp_that_delivers_the_wrong_octets__is_found() -> None:
    def mangles(connection: Connection, event: Event) -> Outcome:
        after, actions = step(connection, event)
        return after, tuple(
            replace(action, data=b"?" + action.data[1:]) if isinstance(action, Deliver) else action
            for action in actions
        )

    simulation = Simulation(SMALL, watches=False)
    simulation.stepper = mangles
    with pytest.raises(AssertionError, match="not what was sent"):
        simulation.run()


def test_a_tcp_that_forgets_its_timer__is_found() -> None:
    def forgets(connection: Connection, event: Event) -> Outcome:
        after, actions = step(connection, event)
        return (replace(after, rtx_at_us=NEVER_US) if isinstance(after, Tcb) else after), actions

    simulation = Simulation(SMALL)
    simulation.stepper = forgets
    with pytest.raises(AssertionError, match="timer"):
        simulation.run()


def test_bounds__without_loss__are_path_and_buffer() -> None:
    found = bounds(Scenario(rate_bps=10_000_000, delay_us=50_000, buffer_bytes=12_500))
    assert found.loss_bps is None
    assert found.least_bps == found.window_bps == 1_000_000


def test_queue_that_marks__ends_hear_it__next_to_nothing_is_lost() -> None:
    narrow = replace(SMALL, transfer_bytes=2_000_000, queue_bytes=40_000)
    marking, dropping = run(replace(narrow, mark_bytes=15_000)), run(narrow)
    assert marking.forward.marked > 0
    assert dropping.forward.marked == 0
    assert marking.forward.overflowed < dropping.forward.overflowed / 10
