"""How long responses take: from their request's head to when the stack has all of it, counted in buckets.

Owns the buckets and their names in the worker's row. A response to a hot request costs no clock of its own:
most are sent in the turn in which their request came to its thread, and all of those have taken as long as
that turn, which is told once it is over. So the time that a request waits for others of its turn counts, and
for the flush of the functional TCP. What waited in the kernel before does not.
"""

from array import array
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.log_linear import LogLinear
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import Handler, SystemCall

LAYOUT: Final = LogLinear(2, 26)
"""Up to 67 s, right to a quarter."""
QUICK_US: Final = 1024
QUICK: Final = bytes(map(LAYOUT.bucket_of, range(QUICK_US)))
"""The buckets of times that most turns take, looked up instead of computed."""
TOPS_US: Final = tuple(LAYOUT.top_of(bucket) for bucket in range(LAYOUT.buckets))
COUNTS: Final = tuple(f"responses_in_{top_us}_us_total" for top_us in TOPS_US)
"""What each bucket is called in a row: its responses took at most so long, and longer than those of the one
before."""
SUM: Final = "response_us_total"


class ResponseTimes:
    """Counts responses by their time; a loop, since it is told of each turn's end. Bounds: LAYOUT's."""

    __slots__ = ("at_once", "clock", "counts", "hits_seen", "hits_total", "sum_us", "turned_us")

    takes: Mapping[type[SystemCall[Any]], Handler] = MappingProxyType({})

    def __init__(self, clock: Clock) -> None:
        self.clock: Clock = clock
        self.counts: array[int] = array("Q", bytes(8 * LAYOUT.buckets))
        self.sum_us: int = 0
        self.hits_total: int = 0
        """Requests whose response was ready when they came, or at once; its caller counts them."""
        self.at_once: int = 0
        """Those of them that were answered in the turn that is not over yet."""
        self.turned_us: int = 0
        """When the last turn in which such a request came was over: what had begun before and is sent now was
        kept waiting by its peer."""
        self.hits_seen: int = 0

    def record(self, took_us: int) -> None:
        """Count a response."""
        self.counts[QUICK[took_us] if 0 <= took_us < QUICK_US else LAYOUT.bucket_of(took_us)] += 1
        self.sum_us += took_us

    def record_since(self, began_us: int) -> None:
        """Count a response that has been sent now."""
        self.record(self.clock() - began_us)

    def statistics(self) -> Iterator[tuple[str, int]]:
        """The counters by their names."""
        yield from zip(COUNTS, self.counts, strict=True)
        yield SUM, self.sum_us

    # What the scheduler asks.

    def start(self, scheduler: SchedulerPort) -> None:
        """Nothing is asked of the scheduler."""

    def turn(self, now_us: int) -> int:
        """A turn that began then is over."""
        hits_total = self.hits_total
        if hits_total != self.hits_seen:
            self.hits_seen = hits_total
            self.turned_us = over_us = self.clock()
            took_us, count = over_us - now_us, self.at_once
            self.at_once = 0
            self.counts[QUICK[took_us] if took_us < QUICK_US else LAYOUT.bucket_of(took_us)] += count
            self.sum_us += took_us * count
        return NEVER_US

    def close(self) -> None:
        """Nothing is held."""
