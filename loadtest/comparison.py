"""Whether one run is better than another: ratios with intervals, and a verdict on each. A pure decider.

    two lists of slices -> for each figure: B / A, an interval that holds it 99 times in 100, better | worse |
    not decided

Slices of a run (seconds, alternating runs, or rounds of a bench) are drawn again and again, with replacement,
and the ratio of each drawing says how far chance alone takes it. Neighbouring requests are alike; so whole
slices are drawn, never single requests.

Owns the statistics. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 13.3 (percentile
intervals) and 8.6 (blocks).
"""

from collections.abc import Sequence
from random import Random
from statistics import median
from typing import Final, TypeVar

import msgspec

from gossamer.loadtest.histogram import BUCKETS, LANE_BYTES, bucket_top_us
from gossamer.loadtest.record import IntervalRecord

DRAWINGS: Final = 400
SLICES_MAX: Final = 30
"""More slices are joined: what a drawing costs is bounded."""
SLICES_MIN: Final = 5
"""With fewer, nothing is decided."""
CONFIDENCE: Final = 0.99
COUNT_MAX: Final = 1 << 48
PERCENTS: Final = (50.0, 90.0, 99.0)
RATE: Final = "rate"

T = TypeVar("T")


class Slice(msgspec.Struct, frozen=True):
    """What one slice of a run has counted; `lanes` are the response times, 8 octets a bucket."""

    duration_us: int
    answered: int
    wrong: int
    lanes: bytes


class FigureRatio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure of two runs. Units: microseconds, requests a second, shares."""

    name: str
    one: float
    other: float
    ratio: float | None
    """None where there is nothing to divide by."""
    least: float | None
    most: float | None
    verdict: str
    """better, worse or not decided: of the other, beside the one."""


def slice_of(interval: IntervalRecord) -> Slice:
    """A slice of a run that was written; what was not answered counts as long as it had waited.

    Raises: ValueError for what is no histogram.
    """
    pairs = [*pairs_of(interval.counts), *pairs_of(interval.floors)]
    if not all(0 <= bucket < BUCKETS and 0 <= count < COUNT_MAX for bucket, count in pairs):
        raise ValueError("a bucket or a count that no run has")
    total = sum(count << 8 * LANE_BYTES * bucket for bucket, count in pairs)
    lanes = total.to_bytes(LANE_BYTES * (1 + max((bucket for bucket, _ in pairs), default=-1)), "little")
    duration_us = interval.end_us - interval.start_us
    return Slice(duration_us, interval.answered, interval.errors + interval.unanswered, lanes)


def pairs_of(sparse: Sequence[int]) -> list[tuple[int, int]]:
    """Buckets and counts."""
    return list(zip(sparse[::2], sparse[1::2], strict=True))


def joined(slices: Sequence[Slice]) -> Slice:
    """Several slices as one."""
    length = max((len(each.lanes) for each in slices), default=0)
    total = sum(int.from_bytes(each.lanes, "little") for each in slices)
    return Slice(
        sum(each.duration_us for each in slices),
        sum(each.answered for each in slices),
        sum(each.wrong for each in slices),
        total.to_bytes(length, "little"),
    )


def bounded(slices: Sequence[Slice]) -> list[Slice]:
    """At most SLICES_MAX of them, neighbours joined."""
    size = -(-len(slices) // SLICES_MAX) or 1
    return [joined(slices[first : first + size]) for first in range(0, len(slices), size)]


def figures_of(whole: Slice) -> dict[str, float]:
    """What is compared."""
    counts = memoryview(whole.lanes).cast("Q").tolist()
    total = sum(counts)
    found = {f"p{percent:g}": float(percentile_us(counts, total, percent)) for percent in PERCENTS}
    mean = sum(bucket_top_us(bucket) * count for bucket, count in enumerate(counts) if count)
    found["mean"] = mean / total if total else 0.0
    found[RATE] = whole.answered * 1e6 / max(1, whole.duration_us)
    found["errors"] = whole.wrong / max(1, whole.wrong + whole.answered)
    return found


def percentile_us(counts: Sequence[int], total: int, percent: float) -> int:
    """A percentile of counts by bucket."""
    left = max(1, -int(-total * percent // 100))
    for bucket, count in enumerate(counts):
        left -= count
        if left <= 0:
            return bucket_top_us(bucket)
    return 0


def compare(
    one: Sequence[Slice], other: Sequence[Slice], seed: int = 0, *, paired: bool = False
) -> list[FigureRatio]:
    """Every figure of the other run beside the one; `paired` where slice n of both were made side by side."""
    one, other = bounded(one), bounded(other)
    draw = Random(seed)
    ratios: dict[str, list[float]] = {}
    for _ in range(DRAWINGS if min(len(one), len(other)) >= SLICES_MIN else 0):
        first, second = drawn(one, other, draw, paired=paired and len(one) == len(other))
        before, after = figures_of(joined(first)), figures_of(joined(second))
        for name in before:
            if before[name] and after[name]:
                ratios.setdefault(name, []).append(after[name] / before[name])
    before, after = figures_of(joined(one)), figures_of(joined(other))
    return [
        compared(name, before[name], after[name], ratios.get(name, []), more_is_better=name == RATE)
        for name in before
    ]


def compare_medians(
    name: str, one: Sequence[float], other: Sequence[float], draw: Random, *, more_is_better: bool
) -> FigureRatio:
    """The median of the other's samples beside that of the one's, each of which has one at least."""
    is_enough = min(len(one), len(other)) >= SLICES_MIN
    ratios = []
    for _ in range(DRAWINGS if is_enough else 0):
        first, second = drawn(one, other, draw, paired=False)
        before, after = median(first), median(second)
        if before and after:
            ratios.append(after / before)
    found = compared(name, median(one), median(other), ratios, more_is_better=more_is_better)
    if found.ratio is None and is_enough and are_apart(one, other):
        is_more = max(one) < min(other)
        verdict = "better" if is_more == more_is_better else "worse"
        return msgspec.structs.replace(found, verdict=verdict)
    return found


def are_apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether all samples of one lie below all of the other's: by chance once in a hundred, of five each."""
    return max(one) < min(other) or max(other) < min(one)


def drawn(one: Sequence[T], other: Sequence[T], draw: Random, *, paired: bool) -> tuple[list[T], list[T]]:
    """As many slices as there are, some of them several times."""
    first = [draw.randrange(len(one)) for _ in one]
    second = first if paired else [draw.randrange(len(other)) for _ in other]
    return [one[index] for index in first], [other[index] for index in second]


def compared(
    name: str, one: float, other: float, ratios: list[float], *, more_is_better: bool
) -> FigureRatio:
    """One figure."""
    ratio = other / one if one and other else None
    if len(ratios) < DRAWINGS * 0.9 or ratio is None:
        return FigureRatio(name, one, other, ratio, None, None, "not decided")
    ratios.sort()
    tail = (1 - CONFIDENCE) / 2
    least, most = ratios[int(tail * len(ratios))], ratios[-1 - int(tail * len(ratios))]
    verdict = verdict_on(least, most, more_is_better=more_is_better)
    return FigureRatio(name, one, other, ratio, least, most, verdict)


def verdict_on(least: float, most: float, *, more_is_better: bool) -> str:
    """What an interval of ratios says."""
    if least <= 1 <= most:
        return "not decided"
    is_more = least > 1
    return "better" if is_more == more_is_better else "worse"
