"""A run by the second: what was sent, answered and wrong in each, and how long it took.

    watch -> cut(now, tally) at each edge -> Interval: what the tally has counted since the edge before

Owns the edges, and how two histograms are told apart: their counters only rise, so that the difference of
all of them is one subtraction of two long integers. Bounds: INTERVALS_MAX intervals of a second, as many of
two, of four, and so on: a day has 4,800.
"""

from typing import Any, Final

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest.histogram import Histogram
from gossamer.loadtest.tally import Tally

INTERVALS_MAX: Final = 600
COUNTERS: Final = ("sent", "answered", "errors", "unanswered")
HISTOGRAMS: Final = ("response", "floors", "generator_lag", "connection_lag")


class Interval(msgspec.Struct, frozen=True):
    """What one interval has counted. Units: microseconds from the start of the run; lanes of 8 octets, one a
    bucket, for histograms."""

    start_us: int
    end_us: int
    sent: int = 0
    answered: int = 0
    errors: int = 0
    unanswered: int = 0
    response: bytes = b""
    floors: bytes = b""
    """Of response times, those of which only the least is known."""
    generator_lag: bytes = b""
    connection_lag: bytes = b""

    def times(self) -> Histogram:
        """The response times."""
        return Histogram.of(self.response, self.floors)

    def lag(self) -> Histogram:
        """How late the generator was."""
        return Histogram.of(self.generator_lag)


class Totals(msgspec.Struct, frozen=True):
    """What a tally had counted at an edge."""

    sent: int = 0
    answered: int = 0
    errors: int = 0
    unanswered: int = 0
    response: bytes = b""
    floors: bytes = b""
    generator_lag: bytes = b""
    connection_lag: bytes = b""


def totals_of(tally: Tally) -> Totals:
    """A copy of what a tally has counted."""
    answered = tally.answered_total
    return Totals(
        tally.sent_total,
        answered,
        tally.errors_total,
        tally.outcomes_total - answered,
        tally.response.counted(),
        tally.response.counted_floors(),
        tally.generator_lag.counted(),
        tally.connection_lag.counted(),
    )


class Timeline:
    """The intervals of a run, from its start on."""

    def __init__(self, start_us: int = NEVER_US) -> None:
        self.start_us = start_us
        self.width_us = SECOND_US
        self.intervals: list[Interval] = []
        self.edge_us = start_us + self.width_us
        """Where the next interval ends."""
        self._cut_us = start_us
        self._before = Totals()

    def cut(self, now_us: int, tally: Tally) -> Interval | None:
        """End an interval, if it is time; which it was."""
        return self._cut(now_us, tally) if now_us >= self.edge_us else None

    def end(self, now_us: int, tally: Tally) -> Interval | None:
        """The run is over: the last interval is as long as it is."""
        if (
            self.start_us < now_us < NEVER_US
            and tally.outcomes_total > self._before.answered + self._before.unanswered
        ):
            return self._cut(now_us, tally)
        return None

    def _cut(self, now_us: int, tally: Tally) -> Interval:
        found, before = totals_of(tally), self._before
        counted = {name: getattr(found, name) - getattr(before, name) for name in COUNTERS}
        lanes: dict[str, Any] = {
            name: minus(getattr(found, name), getattr(before, name)) for name in HISTOGRAMS
        }
        interval = Interval(self._cut_us - self.start_us, now_us - self.start_us, **counted, **lanes)
        self.intervals.append(interval)
        if len(self.intervals) % INTERVALS_MAX == 0:
            self.width_us *= 2
        self._before, self._cut_us = found, now_us
        while self.edge_us <= now_us:
            self.edge_us += self.width_us
        return interval


def minus(now: bytes, before: bytes) -> bytes:
    """The difference of each lane; none has fallen."""
    difference = int.from_bytes(now, "little") - int.from_bytes(before, "little")
    return difference.to_bytes(len(now), "little")


def plus(one: bytes, other: bytes) -> bytes:
    """The sum of each lane."""
    total = int.from_bytes(one, "little") + int.from_bytes(other, "little")
    return total.to_bytes(max(len(one), len(other)), "little")


def added(one: Interval, other: Interval) -> Interval:
    """Two intervals as one: of two engines at one time, or one after the other."""
    counted: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in COUNTERS}
    lanes: dict[str, Any] = {name: plus(getattr(one, name), getattr(other, name)) for name in HISTOGRAMS}
    start_us, end_us = min(one.start_us, other.start_us), max(one.end_us, other.end_us)
    return Interval(start_us, end_us, **counted, **lanes)


def side_by_side(one: list[Interval], other: list[Interval]) -> list[Interval]:
    """The intervals of two engines, whose edges are the same, as those of one run."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    pairs = zip(longer, shorter, strict=False)
    return [*(added(*pair) for pair in pairs), *longer[len(shorter) :]]
