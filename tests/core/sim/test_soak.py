"""The soak: its kinds are runs that end, and what an oracle finds is told."""

import pytest

from gossamer.core.sim import soak
from gossamer.core.sim.simulation import Simulation


def test_soak__kinds__are_scenarios() -> None:
    for kind in soak.KINDS:
        assert soak.scenario_of(kind, 7).seed == 7


def test_soak__burst_that_takes_15_retransmissions__is_waited_out() -> None:
    assert Simulation(soak.scenario_of("bursts, no SACK", 135)).run().has_finished


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        # A probe that was lost, and acknowledged as what was sent again in its place.
        ("black hole, no SACK", 834),
        # The last ACK is lost until nobody is there any more.
        ("blackout", 914),
        ("bursts, no SACK", 619),
        # Seven SYNs are lost.
        ("20 %", 995),
        ("20 %, no SACK", 995),
    ],
)
def test_soak__once_never_ended__ends(kind: str, seed: int) -> None:
    assert Simulation(soak.scenario_of(kind, seed)).run().has_finished


def test_soak__breach__names_kind_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def breach(_simulation: Simulation) -> None:
        raise AssertionError("SND.UNA went back")

    monkeypatch.setattr(Simulation, "run", breach)
    found = list(soak.faults(range(3, 4)))
    assert len(found) == len(soak.KINDS)
    assert found[0] == "bursts, seed 3: SND.UNA went back"
