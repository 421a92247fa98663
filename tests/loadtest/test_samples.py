"""Figures of a benchmark from samples made up here."""

import pytest
from gossamer.loadtest.bench_http import parse_wrk
from gossamer.loadtest.samples import Sample, Threshold, median_cost_us, median_ratio, summary

from gossamer.loadtest.servers import ServerError


def sample(cost_us: int, requests: int = 100) -> Sample:
    return Sample(requests, 0, 2.0, cost_us * requests, 3 * cost_us * requests, cost_us * requests // 2)


def test_median_ratio__a_slow_round_hits_both__ratio_stays() -> None:
    rounds = {"a": [sample(10), sample(90), sample(12)], "b": [sample(5), sample(45), sample(6)]}
    assert median_ratio(rounds, "a", "b") == 2.0
    assert median_cost_us(rounds["a"]) == 12


def test_summary__medians_per_request() -> None:
    found = summary([sample(10), sample(20), sample(11)])
    assert found["cpu_us_per_request"] == 11
    assert found["machine_cpu_us_per_request"] == 33
    assert found["softirq_us_per_request"] == 5.5
    assert found["requests_per_second"] == 50


@pytest.mark.parametrize(("figure", "is_met"), [(1.5, True), (1.51, False)])
def test_target__limit__is_the_last_that_passes(figure: float, is_met: bool) -> None:
    assert Threshold("t", figure, 1.5, "x", "wrk").is_met is is_met


WRK = """Running 1s test @ http://127.0.0.1:8081/
  109166 requests in 1.00s, 24.88MB read
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (WRK, (109166, 0)),
        (WRK + "  Socket errors: connect 1, read 2, write 3, timeout 4\n", (109166, 10)),
        (WRK + "  Non-2xx or 3xx responses: 7\n", (109166, 7)),
    ],
)
def test_parse_wrk__its_output__requests_and_errors(output: str, expected: tuple[int, int]) -> None:
    assert parse_wrk(output) == expected


def test_parse_wrk__no_output__is_an_error() -> None:
    with pytest.raises(ServerError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")
