"""Log-linear buckets, and percentiles of what stands in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.log_linear import LogLinear, percentile_of, rank_of

COARSE = LogLinear(2, 26)


@given(st.integers(0, (1 << 26) - 1), st.integers(1, 8))
def test_bucket__of_any_value__holds_it_and_is_no_wider_than_its_share(value: int, bits: int) -> None:
    layout = LogLinear(bits, 26)
    bucket = layout.bucket_of(value)
    below = layout.top_of(bucket - 1) if bucket else -1
    assert below < value <= layout.top_of(bucket)
    assert layout.top_of(bucket) - below <= max(1, value >> bits)


def test_bucket__of_what_is_beyond_the_layout__the_first_and_the_last() -> None:
    assert COARSE.bucket_of(-5) == 0
    assert COARSE.bucket_of(1 << 40) == COARSE.bucket_of((1 << 26) - 1) == COARSE.buckets - 1
    assert COARSE.top_of(COARSE.buckets - 1) == (1 << 26) - 1


@pytest.mark.parametrize(
    ("counted", "percent", "top"),
    [
        ([], 50, 0),
        ([(7, 0), (9, 1)], 0, 9),
        ([(1, 98), (5, 1), (9, 1)], 98, 1),
        ([(1, 98), (5, 1), (9, 1)], 98.5, 5),
        ([(1, 98), (5, 1), (9, 1)], 100, 9),
    ],
)
def test_percentile__is_the_top_of_its_bucket(
    counted: list[tuple[int, int]], percent: float, top: int
) -> None:
    assert percentile_of(counted, percent) == top


def test_rank__outside_of_0_to_100__says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"percentile 101: allowed is 0\.\.100"):
        rank_of(101, 5)
