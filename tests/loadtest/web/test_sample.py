"""Figures and ratios from samples made up here."""

from gossamer.loadtest.intervals import figure
from gossamer.loadtest.web.sample import (
    Comparison,
    Latency,
    WebSample,
    comparison,
    figures,
    ratio,
    values_of,
)


def sample(cost_us: float, units: float = 100, rate: float = 50, p50: float = 0) -> WebSample:
    latency = Latency(p50, 2 * p50, 3 * p50) if p50 else None
    spent_ns = round(cost_us * units * 1_000)
    return WebSample(units, 0, units / rate, spent_ns, spent_ns // 2, 700, 1 << 20, latency)


def test_ratio__a_slow_round_hits_both__median_and_edges_of_the_pairs() -> None:
    above, below = [sample(10), sample(90), sample(13)], [sample(5), sample(45), sample(5)]
    assert ratio(above, below, lambda each: each.cost_us) == figure([2.0, 2.0, 2.6])


def test_ratio__a_round_failed__that_pair_is_left_out() -> None:
    above, below = [None, sample(9), sample(10)], [sample(1), sample(3), None]
    assert ratio(above, below, lambda each: each.cost_us) == figure([3.0])
    assert ratio([None], [sample(1)], lambda each: each.cost_us) is None


def test_comparison__cost_sum_and_rate() -> None:
    found = comparison([sample(20, rate=25)], [sample(10)])
    assert found == Comparison(figure([2.0]), figure([2.0]), figure([0.5]), None, None)
    seen = comparison([sample(20, p50=300)], [sample(10, p50=100)])
    assert seen is not None
    assert (seen.p50, seen.p99) == (figure([3.0]), figure([3.0]))
    assert comparison([], [sample(1)]) is None


def test_figures__medians_greatest_memory_and_all_errors() -> None:
    found = figures([sample(10, p50=100), None, sample(20, p50=300), sample(12, p50=200)])
    assert found is not None
    assert (found.rounds, found.errors_total) == (3, 0)
    assert (found.cpu_us_per_unit, found.cpu_with_client_us_per_unit) == (12, 18)
    assert (found.machine_us_per_unit, found.units_per_second) == (7, 50)
    assert found.latency_us == Latency(200, 400, 600)
    assert figures([None, None]) is None


def test_cost__of_two_units__half() -> None:
    assert (sample(6, units=2).cost_us, sample(6, units=2).cost_with_client_us) == (6, 9)


def test_values__columns_of_a_bench__latency_where_it_is_known() -> None:
    assert values_of(sample(6, rate=50)) == {"CPU us a request": 6, "requests/s": 50}
    assert values_of(sample(6, p50=100)) == {
        "CPU us a request": 6,
        "requests/s": 50,
        "p50 us": 100,
        "p99 us": 200,
    }
