"""What a few measurements say of their median: an interval that holds it 95 times in 100. Pure.

    six samples or more -> their median, and two of them between which the true one lies
    fewer               -> their median, the least and the greatest; nothing is decided by them

The least of n samples lies above the true median, or the greatest below it, 2 times in 2^n, whatever their
distribution is: so no assumption is made of it. With many samples as many are left out at either end as the
95 times in 100 allow.

Owns that interval and what it decides. Source: Conover, "Practical Nonparametric Statistics", 3.2 (confidence
interval for a quantile).
"""

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import Final, Literal

import msgspec

CONFIDENCE: Final = 0.95
SAMPLES_MIN: Final = 6
"""With fewer there is no such interval: 2 / 2^5 is more than 5 in 100."""

Side = Literal["below", "above", "not decided"]


class Figure(msgspec.Struct, frozen=True):
    """A figure that was measured several times."""

    median: float
    least: float
    greatest: float
    low: float | None
    """Where the interval begins; None with fewer than 6 samples."""
    high: float | None
    rounds: int
    """How many samples there are."""


def figure(samples: Sequence[float]) -> Figure:
    """Of one sample or more."""
    ordered = sorted(samples)
    outside = left_out(len(ordered))
    low, high = (None, None) if outside is None else (ordered[outside], ordered[-1 - outside])
    return Figure(round(median(ordered), 4), ordered[0], ordered[-1], low, high, len(ordered))


def left_out(count: int) -> int | None:
    """How many of so many samples lie outside the interval, at either end; None where there is none."""
    found, below = None, 0
    for number in range(count // 2):
        below += comb(count, number)
        if 2 * below > (1 - CONFIDENCE) * 2**count:
            break
        found = number
    return found


def side_of(found: Figure, limit: float) -> Side:
    """On which side of a limit the median lies, as far as the interval decides it."""
    if found.low is None or found.high is None or found.low <= limit <= found.high:
        return "not decided"
    return "below" if found.high < limit else "above"
