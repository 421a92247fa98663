"""A rate that changes: how many are due by when, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.arrivals import Arrivals, EveryNth, arrivals_of
from gossamer.loadtest.pace import Shape, due_total
from gossamer.loadtest.phases import Course, RatePhase, parse_rate

rates = st.sampled_from([0.0, 1.0, 10.0, 333.3])
phases = st.builds(RatePhase, rates, rates, st.integers(1_000, 3_000_000))
courses = (
    st.lists(phases, min_size=1, max_size=5).map(Course).filter(lambda course: course.counts[-1] > 0.001)
)


def test_parse__phases() -> None:
    assert parse_rate("100:30s,100-2000:2m") == (
        RatePhase(100, 100, 30 * SECOND_US),
        RatePhase(100, 2000, 120 * SECOND_US),
    )
    assert parse_rate("1e3") == 1000


WRONG = ["", "nan", "-1", "1:", "1:0s", ":1s", "1-:1s", "0:1s", "1:1s,", "inf:1s", "1:never"]


@pytest.mark.parametrize("text", WRONG)
def test_parse__neither__refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"could not convert|^[\w:,-]*$"):
        parse_rate(text)


@given(courses, st.floats(0, 0.999))
def test_course__when__inverts_count(course: Course, share: float) -> None:
    count = share * course.counts[-1]
    assert course.count_by(course.when_us(count)) == pytest.approx(count, rel=1e-6, abs=1e-3)


@given(courses, st.sampled_from(["even", "poisson"]), st.integers(0, 2_000_000))
def test_arrivals__count_by__agrees_with_the_offsets(course: Course, process: str, us: int) -> None:
    arrivals = arrivals_of(process, course.rate, 1, course)
    us = min(us, course.duration_us)
    count = arrivals.count_by(us)
    assert arrivals.offset_us(count) > us
    assert count == 0 or arrivals.offset_us(count - 1) <= us


def test_arrivals__a_ramp__its_area() -> None:
    course = Course((RatePhase(100, 100, SECOND_US), RatePhase(100, 300, 2 * SECOND_US)))
    shape = Shape(0, course.duration_us, 1 << 60, arrivals_of("even", course.rate, 0, course))
    assert due_total(shape, course.duration_us) == 500
    assert due_total(shape, SECOND_US) == pytest.approx(100, abs=1)


@given(st.sampled_from(["even", "poisson"]), st.integers(1, 5), st.integers(0, 100_000))
def test_every_nth__all_of_them__the_whole(process: str, step: int, us: int) -> None:
    whole = arrivals_of(process, 777.0, 3)
    parts: list[Arrivals] = [EveryNth(whole, first, step) for first in range(step)]
    assert sum(part.count_by(us) for part in parts) == whole.count_by(us)
    assert [parts[number % step].offset_us(number // step) for number in range(20)] == [
        whole.offset_us(number) for number in range(20)
    ]
