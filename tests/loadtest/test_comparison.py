"""Comparisons: what is decided of runs that differ, and of runs that do not."""

from random import Random

import pytest

from gossamer.loadtest.comparison import FigureRatio, Slice, bounded, compare, slice_of
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
