"""Medians, the intervals that hold them, and how often they do."""

from math import comb
from random import Random

import pytest

from gossamer.loadtest.intervals import CONFIDENCE, SAMPLES_MIN, Figure, figure, left_out, side_of


def test_figure__six_samples__from_the_least_to_the_greatest() -> None:
    assert figure([6, 1, 5, 2, 4, 3]) == Figure(3.5, 1, 6, 1, 6, 6)


def test_figure__fewer__no_interval_and_nothing_decided() -> None:
    found = figure([1, 2, 3, 4, 5])
    assert (found.low, found.high) == (None, None)
    assert (found.least, found.greatest, found.median) == (1, 5, 3)
    assert side_of(found, 100) == "not decided"


def test_figure__nine_samples__one_is_left_out_at_either_end() -> None:
    found = figure(range(1, 10))
    assert (found.low, found.high) == (2, 8)


@pytest.mark.parametrize("count", [*range(SAMPLES_MIN, 30), 99])
def test_left_out__as_many_as_the_chance_allows(count: int) -> None:
    def chance(outside: int) -> float:
        return 2 * sum(comb(count, number) for number in range(outside + 1)) / 2**count

    outside = left_out(count)
    assert outside is not None
    assert chance(outside) <= 1 - CONFIDENCE < chance(outside + 1)


def test_interval__of_a_skewed_distribution__holds_its_median_as_often_as_it_says() -> None:
    draw, runs = Random(1), 2_000
    held = 0
    for _ in range(runs):
        found = figure([draw.lognormvariate(0, 1) for _ in range(7)])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1 <= found.high
    assert held / runs > CONFIDENCE


@pytest.mark.parametrize(
    ("limit", "side"), [(0.5, "above"), (1, "not decided"), (6, "not decided"), (7, "below")]
)
def test_side__what_the_interval_decides(limit: float, side: str) -> None:
    assert side_of(figure([1, 2, 3, 4, 5, 6]), limit) == side
