"""The loop that sleeps, in virtual time: for tests and simulators.

Owns the queue of what happens when. Waiting moves a `VirtualClock` on at once to the next event or to the
end of the wait, so that a run needs no real time and is the same every time."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from gossamer.core.clock import NEVER_US, VirtualClock
from gossamer.core.errors import GossamerError


class DeadlockError(GossamerError):
    """Every thread is blocked, and nothing will ever happen again."""


class VirtualWaiter:
    """A `Waiter` without descriptors that can be ready: what happens is put in by `at`.

    >>> from gossamer import sys_sleep
    >>> from gossamer.lowlevel import Scheduler, SleepLoop
    >>> from gossamer.testing import VirtualClock, VirtualWaiter
    >>> clock = VirtualClock(now_us=0)
    >>> scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
    >>> async def sleeps():
    ...     await sys_sleep(3_600_000_000)
    >>> thread = scheduler.spawn(sleeps())
    >>> scheduler.run()
    >>> clock() // 60_000_000
    60
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, us: int, callback: Callable[[], None]) -> None:
        """Have `callback` called at `us` of the clock; those of one time in the order of their coming."""
        heappush(self._events, (us, next(self._order), callback))

    def wait(self, timeout_us: int) -> None:
        """Move the clock, and call the callbacks that are due then.

        Raises: DeadlockError where there is no timeout and no event.
        """
        now_us = self._clock()
        until_us = now_us + timeout_us if timeout_us < NEVER_US else NEVER_US
        if self._events:
            until_us = min(until_us, max(now_us, self._events[0][0]))
        if until_us >= NEVER_US:
            raise DeadlockError("every thread is blocked, and no event is due")
        self._clock.advance(until_us - now_us)
        while self._events and self._events[0][0] <= until_us:
            heappop(self._events)[2]()

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Accept it: a virtual descriptor is never ready."""

    def unwatch(self, fd: int) -> None:
        """Nothing was watched."""
