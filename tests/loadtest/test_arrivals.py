"""Arrival processes: what they promise of gaps and counts."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.arrivals import BLOCK, Arrivals, EvenArrivals, PoissonArrivals

BOTH = st.one_of(
    st.builds(EvenArrivals, st.floats(0.5, 1e5)),
    st.builds(PoissonArrivals, st.floats(0.5, 1e5), st.integers(0, 1 << 32)),
)


@given(BOTH, st.integers(0, 5 * BLOCK))
def test_count_by__offset_of_any_request__counts_it_and_no_later_one(arrivals: Arrivals, number: int) -> None:
    at_us = arrivals.offset_us(number)
    count = arrivals.count_by(at_us)
    assert count > number
    assert arrivals.offset_us(count - 1) <= at_us < arrivals.offset_us(count)


@given(BOTH, st.integers(0, 3 * BLOCK))
def test_offset__next_request__not_before_this(arrivals: Arrivals, number: int) -> None:
    assert 0 <= arrivals.offset_us(number) <= arrivals.offset_us(number + 1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [100.0, 5_000.0])
def test_poisson__gaps__pass_a_kolmogorov_test(seed: int, rate: float) -> None:
    count = 5_000
    arrivals = PoissonArrivals(rate, seed)
    offsets = [arrivals.offset_us(number) for number in range(count + 1)]
    gaps = sorted(after - before for before, after in pairwise(offsets))
    furthest = 0.0
    for rank, gap_us in enumerate(gaps):
        # A gap is known to one microsecond: its middle is compared.
        share = 1 - math.exp(-rate * (gap_us + 0.5) / SECOND_US)
        furthest = max(furthest, abs(share - rank / count), abs(share - (rank + 1) / count))
    assert furthest * math.sqrt(count) < 1.95, "one in a thousand samples of the right distribution is so far"


def test_poisson__asked_in_any_order__the_same_offsets() -> None:
    forwards, backwards = PoissonArrivals(1_000, 7), PoissonArrivals(1_000, 7)
    numbers = range(0, 4 * BLOCK, 97)
    found = [forwards.offset_us(number) for number in numbers]
    assert [backwards.offset_us(number) for number in reversed(numbers)] == found[::-1]
    assert PoissonArrivals(1_000, 8).offset_us(0) != found[0]
