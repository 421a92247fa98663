"""A rate that changes: phases of a constant or a rising and falling rate, one after another.

    100:30s,100-2000:2m,2000:5m        100/s for 30 s, then up to 2,000/s within 2 min, then 5 min of that

Owns how phases are written, and how many requests are due by when: the integral of the rate, and its inverse.
Pure.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.shards.units import parse_duration_us

RATE_MAX: Final = 1e7
PHASES_MAX: Final = 1_000
PHASE_US_MAX: Final = 7 * 86_400 * SECOND_US


class RatePhase(msgspec.Struct, frozen=True):
    """One phase: the rate goes evenly from its first to its last. Units: requests a second."""

    first: float
    last: float
    duration_us: int

    @property
    def count(self) -> float:
        """The requests of the whole phase."""
        return (self.first + self.last) / 2 * self.duration_us / SECOND_US

    def count_by(self, us: float) -> float:
        """The requests of its first `us`."""
        seconds, whole = us / SECOND_US, self.duration_us / SECOND_US
        return self.first * seconds + (self.last - self.first) * seconds * seconds / (2 * whole)

    def when_us(self, count: float) -> float:
        """When that many have come."""
        slope = (self.last - self.first) / (self.duration_us / SECOND_US)
        # The root of first * t + slope * t^2 / 2 = count, in the form that bears a slope of 0.
        root = sqrt(max(0.0, self.first * self.first + 2 * slope * count))
        return 2 * count / (self.first + root) * SECOND_US if self.first + root else 0.0


def parse_rate(text: str) -> float | tuple[RatePhase, ...]:
    """A rate, or phases. Raises: ValueError."""
    if ":" not in text:
        return rate_of(text)
    phases = tuple(parse_phase(part) for part in text.split(","))
    if len(phases) > PHASES_MAX or not any(phase.count for phase in phases):
        raise ValueError(text)
    return phases


def parse_phase(text: str) -> RatePhase:
    """One of them. Raises: ValueError."""
    rates, _, duration = text.partition(":")
    first, dash, last = rates.partition("-")
    duration_us = parse_duration_us(duration)
    if not 0 < duration_us <= PHASE_US_MAX:
        raise ValueError(text)
    return RatePhase(rate_of(first), rate_of(last if dash else first), duration_us)


def rate_of(text: str) -> float:
    """Requests a second. Raises: ValueError."""
    rate = float(text)
    if not 0 <= rate <= RATE_MAX:
        raise ValueError(text)
    return rate


class Course:
    """Phases one after another: how many requests by when, and when that many."""

    def __init__(self, phases: Sequence[RatePhase]) -> None:
        self.phases = phases
        self.starts_us = [0, *accumulate(phase.duration_us for phase in phases)]
        self.counts = [0.0, *accumulate(phase.count for phase in phases)]

    @property
    def duration_us(self) -> int:
        """Of all phases."""
        return self.starts_us[-1]

    @property
    def rate(self) -> float:
        """The mean."""
        return self.counts[-1] * SECOND_US / self.duration_us

    def count_by(self, us: float) -> float:
        """The requests that are due by then; nothing is due after the last phase."""
        index = min(bisect_right(self.starts_us, us), len(self.phases)) - 1
        into_us = min(us - self.starts_us[index], self.phases[index].duration_us)
        return self.counts[index] + self.phases[index].count_by(into_us)

    def when_us(self, count: float) -> float:
        """When that many were due; after the end for more than there are."""
        if count >= self.counts[-1]:
            return float(self.duration_us + 1)
        index = bisect_right(self.counts, count) - 1
        return self.starts_us[index] + self.phases[index].when_us(count - self.counts[index])
