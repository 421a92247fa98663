"""When request number n comes: the arrival processes of an open loop.

    even        n / rate
    poisson     exponential gaps, as requests of many independent users come; the same ones for the same seed
    phased      either of them, where the rate changes: time passes as quickly as requests come
    every nth   of another process, from one on: what one of several engines sends

Owns the offsets alone, pure functions of number, rate and seed: what is kept here is only what was computed
already. Bounds: one float for each BLOCK requests, and one block.
"""

from bisect import bisect_right
from itertools import accumulate
from random import Random
from typing import Final, Protocol

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.phases import Course

BLOCK: Final = 1_024


class Arrivals(Protocol):
    """An arrival process. Units: microseconds from its start, whole."""

    def offset_us(self, number: int) -> int:
        """When request `number` comes."""

    def count_by(self, us: int) -> int:
        """How many come at offset `us` at the latest."""


class EvenArrivals:
    """One every 1 / rate."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def offset_us(self, number: int) -> int:
        """When request `number` comes."""
        return int(number * SECOND_US / self.rate)

    def count_by(self, us: int) -> int:
        """How many come at offset `us` at the latest."""
        if us < 0:
            return 0
        count = int(us * self.rate / SECOND_US) + 1
        # The estimate is off by one at most: times are whole microseconds.
        while self.offset_us(count) <= us:
            count += 1
        while count and self.offset_us(count - 1) > us:
            count -= 1
        return count


class PoissonArrivals:
    """Exponential gaps, drawn block by block, each from a seed of its own."""

    def __init__(self, rate: float, seed: int) -> None:
        self.rate = rate
        self.seed = seed
        self._starts = [0.0]
        """When each block begins: where the last gap of the one before ended."""
        self._kept: tuple[int, list[float]] = (-1, [])

    def offset_us(self, number: int) -> int:
        """When request `number` comes."""
        block, index = divmod(number, BLOCK)
        return int(self._block(block)[index])

    def count_by(self, us: int) -> int:
        """How many come at offset `us` at the latest."""
        while int(self._starts[-1]) <= us:
            self._block(len(self._starts) - 1)
        block = max(0, bisect_right(self._starts, float(us)) - 1)
        return block * BLOCK + sum(int(each) <= us for each in self._block(block))

    def _block(self, block: int) -> list[float]:
        """The offsets of a block's requests."""
        while len(self._starts) <= block:
            self._draw(len(self._starts) - 1)
        if self._kept[0] != block:
            self._draw(block)
        return self._kept[1]

    def _draw(self, block: int) -> None:
        draw = Random(f"{self.seed}/{block}").expovariate
        gaps = (draw(self.rate) * SECOND_US for _ in range(BLOCK))
        offsets = list(accumulate(gaps, initial=self._starts[block]))[1:]
        if len(self._starts) == block + 1:
            self._starts.append(offsets[-1])
        self._kept = (block, offsets)


class PhasedArrivals:
    """Those of a rate that changes.

    Source: the time change of a Poisson process, as in Cinlar, "Introduction to Stochastic Processes", 4.7:
    where unit arrivals come at u, those of rate r(t) come when the integral of r is u.
    """

    def __init__(self, course: Course, units: Arrivals) -> None:
        self.course = course
        self.units = units
        """Arrivals of rate 1: its microseconds are millionths of a request."""

    def offset_us(self, number: int) -> int:
        """When request `number` comes."""
        return int(self.course.when_us(self.units.offset_us(number) / SECOND_US))

    def count_by(self, us: int) -> int:
        """How many come at offset `us` at the latest."""
        if us < 0:
            return 0
        count = self.units.count_by(int(self.course.count_by(us) * SECOND_US))
        # Off by few: both ways round to whole microseconds.
        while self.offset_us(count) <= us:
            count += 1
        while count and self.offset_us(count - 1) > us:
            count -= 1
        return count


class EveryNth:
    """Of a process, the requests first, first + step, first + 2 * step ..."""

    def __init__(self, arrivals: Arrivals, first: int, step: int) -> None:
        self.arrivals = arrivals
        self.first, self.step = first, step

    def offset_us(self, number: int) -> int:
        """When request `number` of these comes."""
        return self.arrivals.offset_us(self.first + number * self.step)

    def count_by(self, us: int) -> int:
        """How many of these come at offset `us` at the latest."""
        return max(0, -(-(self.arrivals.count_by(us) - self.first) // self.step))


def arrivals_of(process: str, rate: float, seed: int, course: Course | None = None) -> Arrivals:
    """The arrival process of that name, at a constant rate or along a course."""
    if course is not None:
        return PhasedArrivals(course, arrivals_of(process, 1.0, seed))
    return PoissonArrivals(rate, seed) if process == "poisson" else EvenArrivals(rate)
