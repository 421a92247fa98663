"""Comparisons: what is decided of runs that differ, and of runs that do not."""

from random import Random

import pytest

from gossamer.loadtest.comparison import (
    FigureRatio,
    Slice,
    bounded,
    compare,
    compare_medians,
    slice_of,
)
from gossamer.loadtest.histogram import Histogram
from gossamer.loadtest.record import IntervalRecord


def slices(seed: int, faster: float = 1.0, count: int = 12, answered: int = 150) -> list[Slice]:
    """Slices of a server whose mean wanders from second to second."""
    random, found = Random(seed), []
    for _ in range(count):
        drift, times = random.uniform(0.9, 1.1), Histogram()
        for _ in range(answered):
            times.record(int(random.lognormvariate(8, 0.4) * drift / faster))
        found.append(Slice(1_000_000, answered, 0, times.counted()))
    return found


def verdicts(found: list[FigureRatio]) -> dict[str, str]:
    return {each.name: each.verdict for each in found}


def test_compare__half_as_slow__better_in_its_times() -> None:
    found = compare(slices(1), slices(2, faster=2.0))
    assert verdicts(found) == {
        "p50": "better",
        "p90": "better",
        "p99": "better",
        "mean": "better",
        "rate": "not decided",
        "errors": "not decided",
    }
    p50 = found[0]
    assert p50.least is not None
    assert p50.most is not None
    assert p50.least < 0.5 < p50.most


def test_compare__the_same__seldom_decided() -> None:
    found = [verdicts(compare(slices(2 * n), slices(2 * n + 1)))["p50"] for n in range(2)]
    assert "not decided" in found


def test_compare__a_lower_rate__worse() -> None:
    assert verdicts(compare(slices(1), slices(2, answered=100)))["rate"] == "worse"


def test_compare__too_few_slices__not_decided() -> None:
    assert set(verdicts(compare(slices(1, count=3), slices(2, faster=9, count=3))).values()) == {
        "not decided"
    }


def test_bounded__many__joined() -> None:
    assert sum(each.answered for each in bounded(slices(1, count=70, answered=1))) == 70
    assert len(bounded(slices(1, count=70, answered=1))) <= 30
    assert bounded([]) == []


def interval(counts: list[int]) -> IntervalRecord:
    return IntervalRecord(0, 1, 1, 1, 0, 0, 1.0, 1, 1, 1, 1, 1, counts, [])


@pytest.mark.parametrize("counts", [[1], [-1, 1], [1 << 40, 1], [1, -1], [1, 1 << 60]])
def test_slice__no_histogram__refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"a bucket or a count|zip"):
        slice_of(interval(counts))


def test_compare_medians__faster_slower_and_the_same() -> None:
    draw, samples = Random(1), [10.0, 10.2, 10.4, 10.6, 10.8, 11.0]
    slower = [1.5 * each for each in samples]
    worse = compare_medians("us", samples, slower, draw, more_is_better=False)
    assert (worse.verdict, worse.ratio) == ("worse", pytest.approx(1.5))
    assert compare_medians("rate", samples, slower, draw, more_is_better=True).verdict == "better"
    assert compare_medians("us", samples, samples, draw, more_is_better=False).verdict == "not decided"
    assert compare_medians("us", samples[:4], slower, draw, more_is_better=False).verdict == "not decided"


def test_compare_medians__nothing_to_divide_by__decided_where_all_lie_apart() -> None:
    lost, none = [1.0, 2.0, 1.0, 4.0, 1.0], [0.0] * 5
    found = compare_medians("lost", none, lost, Random(1), more_is_better=False)
    assert (found.verdict, found.ratio) == ("worse", None)
    assert compare_medians("lost", none, none, Random(1), more_is_better=False).verdict == "not decided"


def test_compare_medians__the_same_distribution__seldom_decided() -> None:
    draw = Random(7)
    decided = 0
    for _ in range(100):
        one, other = ([draw.lognormvariate(0, 0.1) for _ in range(6)] for _ in range(2))
        decided += compare_medians("us", one, other, draw, more_is_better=False).verdict != "not decided"
    assert decided <= 5
