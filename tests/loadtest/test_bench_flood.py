"""The measurement of a flood over a link counts what its names say."""

import pytest

from gossamer.loadtest import bench_flood
from gossamer.loadtest.bench_flood import Flooded, line, us_a_syn

CALM = Flooded(sent=0, taken=600, worker_us=10_000, newcomers=100, refused=0, slowest_ms=2)


def test_us_a_syn__newcomers_beside__what_they_cost_is_taken_off() -> None:
    flooded = Flooded(sent=1_000, taken=1_300, worker_us=20_000, newcomers=50, refused=0, slowest_ms=3)
    assert us_a_syn(flooded, CALM) == (20_000 - 50 * 100) / (1_300 - 50 * 6)


def test_us_a_syn__no_syn_came__no_figure() -> None:
    assert us_a_syn(CALM, CALM) != us_a_syn(CALM, CALM), "not a number"


def test_line__newcomers_without_an_answer__are_among_those_that_came() -> None:
    flooded = Flooded(sent=64, taken=70, worker_us=9e9, newcomers=9, refused=1, slowest_ms=3.4)
    assert "9 of 10 answered, the slowest after 3 ms" in line(1_000, flooded, CALM)


@pytest.mark.needs("nfqueue")
@pytest.mark.slow
def test_compare__a_short_flood__its_syns_come_and_newcomers_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench_flood, "SECONDS", 0.5)
    said: list[str] = []
    bench_flood.compare((2_000,), said.append)
    _, _, calm, flooded = (each.split() for each in said)
    assert (calm[0], calm[1]) == ("0", "0")
    assert int(flooded[1]) >= 64
    assert int(flooded[2]) > int(flooded[1]) // 2
    assert int(flooded[4]) > 0


def test_main__not_possible_here__says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_flood, "missing_requirement", lambda: "needs root (network namespaces)")
    assert bench_flood.main([]) == "needs root (network namespaces)"
