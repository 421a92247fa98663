"""The histogram against a sorted list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.loadtest.histogram import BUCKETS, VALUE_MAX_US, Histogram, bucket_of, bucket_top_us

latencies = st.one_of(st.integers(0, 1_000), st.integers(0, VALUE_MAX_US))


@given(latencies)
def test_bucket__any_value__its_top_is_at_most_one_percent_above(value: int) -> None:
    top = bucket_top_us(bucket_of(value))
    assert value <= top <= value * 1.008


@given(latencies)
def test_bucket__top_of_one__next_value_is_in_the_next(value: int) -> None:
    bucket = bucket_of(value)
    assert bucket_of(bucket_top_us(bucket) + 1) == min(bucket + 1, BUCKETS - 1)


def test_bucket__largest_and_beyond__stay_within_the_array() -> None:
    assert bucket_of(VALUE_MAX_US) == BUCKETS - 1
    assert bucket_of(VALUE_MAX_US * 1000) == BUCKETS - 1


@given(st.lists(latencies, min_size=1, max_size=50), st.sampled_from([0.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentile__samples__is_the_ranked_sample(samples: list[int], percent: float) -> None:
    histogram = Histogram()
    for sample in samples:
        histogram.record(sample)
    rank = max(1, -int(-len(samples) * percent // 100))
    exact = sorted(samples)[rank - 1]
    assert exact <= histogram.percentile_us(percent) <= max(exact * 1.008, exact)


@given(st.lists(latencies), st.lists(latencies))
def test_merge__two__is_one_of_all(left: list[int], right: list[int]) -> None:
    parts, whole = (Histogram(), Histogram()), Histogram()
    for part, samples in zip(parts, (left, right), strict=True):
        for sample in samples:
            part.record(sample)
            whole.record(sample)
    parts[0].merge(parts[1])
    assert parts[0].counts == whole.counts
    assert (parts[0].max_us, parts[0].sum_us) == (whole.max_us, whole.sum_us)


def test_percentile__nothing_recorded__is_zero() -> None:
    assert Histogram().percentile_us(99) == 0
    assert Histogram().mean_us() == 0.0


@pytest.mark.parametrize("percent", [-1, 100.1])
def test_percentile__outside_0_100__is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Histogram().percentile_us(percent)


def test_at_least__five_of_a_hundred__high_percentiles_are_the_least_value() -> None:
    histogram = Histogram()
    for _ in range(95):
        histogram.record(1_000)
    histogram.record_at_least(1_000_000, 5)
    assert (histogram.percentile_us(50), histogram.is_at_least(50)) == (1_003, False)
    assert (histogram.percentile_us(95), histogram.is_at_least(95)) == (1_003, False)
    assert histogram.is_at_least(99)
    assert histogram.percentile_us(99) == histogram.max_us == 1_000_000


def test_at_least__given_up_sooner_than_others_took__what_it_may_push_up_is_marked() -> None:
    histogram = Histogram()
    for value_us in range(1_000, 101_000, 1_000):
        histogram.record(value_us)
    histogram.record_at_least(10, 10)
    assert histogram.percentile_us(50) < 50_000
    assert histogram.is_at_least(50), "the ten may all have taken longer"


@given(
    st.lists(st.tuples(latencies, st.booleans()), min_size=1, max_size=40),
    st.sampled_from([0.0, 50.0, 90.0, 99.0, 100.0]),
)
def test_at_least__any_samples__the_truth_is_never_below_and_equal_where_not_marked(
    samples: list[tuple[int, bool]], percent: float
) -> None:
    histogram = Histogram()
    for value, is_floor in samples:
        if is_floor:
            histogram.record_at_least(value)
        else:
            histogram.record(value)
    rank = max(1, -int(-len(samples) * percent // 100))
    lowest = sorted(value for value, _ in samples)[rank - 1]
    known = sorted(value for value, is_floor in samples if not is_floor)
    assert lowest <= histogram.percentile_us(percent) <= lowest * 1.008
    if not histogram.is_at_least(percent):
        assert rank <= len(known)
        assert known[rank - 1] <= lowest * 1.017 + 1


def test_merge__floors__are_added() -> None:
    one, other = Histogram(), Histogram()
    other.record_at_least(5_000, 3)
    one.merge(other)
    assert (one.floors_total, one.max_us, one.is_at_least(50)) == (3, 5_000, True)
