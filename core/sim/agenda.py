"""What is to happen, in virtual time: one heap of plain tuples, and the clock that it moves.

Owns the order of events, those of one microsecond in the order in which they were entered, and the bound on
how many a run may have. It knows nothing of what happens.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import BoundExceeded

START_US = SECOND_US
"""The virtual clock begins here, so that no time of a run is 0."""


class Agenda:
    """The events of one run."""

    def __init__(self, events_max: int, now_us: int = START_US) -> None:
        self.now_us = now_us
        self.events_total = 0
        self._events_max = events_max
        self._order = 0
        self._is_stopped = False
        self._heap: list[tuple[int, int, Callable[[Any], None], Any]] = []

    def at(self, at_us: int, call: Callable[[Any], None], argument: Any) -> None:
        """Have `call(argument)` happen at a time."""
        self._order += 1
        heappush(self._heap, (at_us, self._order, call, argument))

    def stop(self) -> None:
        """End the run after the present event."""
        self._is_stopped = True

    def run(self, until_us: int = NEVER_US) -> None:
        """Let everything happen that is due before `until_us`, or until `stop`.

        Raises: BoundExceeded when the run has more events than it may.
        """
        heap, self._is_stopped = self._heap, False
        # What is read for every event stands in locals: this loop runs for each segment.
        now_us, remaining = self.now_us, self._events_max - self.events_total
        while heap and heap[0][0] < until_us and not self._is_stopped:
            at_us, _, call, argument = heappop(heap)
            if at_us > now_us:
                self.now_us = now_us = at_us
            remaining -= 1
            if remaining < 0:
                raise BoundExceeded(f"a run of more than {self._events_max} events has not converged")
            call(argument)
        self.events_total = self._events_max - remaining
