"""What is passed to the algorithms."""

import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.sim.states import NOW_US, send
from gossamer.core.tcp.congestion import events
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Tcb

SMSS = 1_448


def sending(congestion: str, cwnd: int, segments: int) -> Tcb:
    """So many segments not cumulatively acknowledged."""
    tcb = replace(states.established(TcpParameters(congestion=congestion)), snd_wnd=1 << 20)
    open_wide = replace(tcb, congestion=replace(tcb.congestion, cwnd=1 << 20))
    tcb, sent = send(open_wide, b"x" * segments * SMSS)
    assert len(sent) == segments
    return replace(tcb, congestion=replace(tcb.congestion, cwnd=cwnd * SMSS))


@pytest.mark.parametrize(("congestion", "ssthresh"), [("newreno", 5.0), ("cubic", 7.0)])
def test_loss__much_of_the_flight_has_arrived__ssthresh_comes_from_cwnd(
    congestion: str, ssthresh: float
) -> None:
    """In a long recovery SND.NXT - SND.UNA grows far beyond cwnd."""
    after = events.lost(sending(congestion, 10, 40), NOW_US)
    assert after.ssthresh == int(ssthresh * SMSS)
    after = events.timed_out(sending(congestion, 10, 40), NOW_US, first=True)
    assert after.ssthresh == int(ssthresh * SMSS)


@pytest.mark.parametrize(("congestion", "ssthresh"), [("newreno", 2.0), ("cubic", 2.8)])
def test_loss__less_in_flight_than_cwnd__ssthresh_comes_from_the_flight(
    congestion: str, ssthresh: float
) -> None:
    assert events.lost(sending(congestion, 10, 4), NOW_US).ssthresh == int(ssthresh * SMSS)


def test_acknowledged__algorithm_of_every_ack__hears_elsewhere() -> None:
    tcb = sending("bbr", 10, 10)
    assert isinstance(tcb.congestion, Congestion)
    assert events.acknowledged(tcb, SMSS, 10 * SMSS, NOW_US) is tcb.congestion


@pytest.mark.parametrize("congestion", ["newreno", "cubic"])
def test_random_loss_of_1_percent__the_queue_stays_empty(congestion: str) -> None:
    """Theory allows a third of this path: who overflows its queue does not slow down after a loss."""
    scenario = Scenario(
        congestion=(congestion,), transfer_bytes=4 << 20, rate_bps=10_000_000, delay_us=25_000, loss=0.01
    )
    report = Simulation(scenario).run()
    assert report.has_finished
    assert report.forward.overflowed < 100
    assert report.utilisation is not None
    assert report.utilisation < 0.6
