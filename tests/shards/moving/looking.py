"""What a loop waits by where queues move: real descriptors, and sources that stand in for queues."""

import select
from collections.abc import Callable

from gossamer.core.clock import VirtualClock
from gossamer.core.sim.crowd import CrowdSource

TURN_US = 20


class LookingWaiter:
    """A `Waiter` that never sleeps, over real descriptors and a crowd's sources; one turn at a time."""

    def __init__(self, clock: VirtualClock, sources: dict[int, CrowdSource]) -> None:
        self._clock = clock
        self._sources = sources
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._poll = select.poll()
        self.stop: Callable[[], None] = lambda: None

    def wait(self, timeout_us: int) -> None:
        del timeout_us
        self._clock.advance(TURN_US)
        self.stop()
        for fd, events in self._poll.poll(0):
            self._callbacks[fd](events)
        for fd, source in tuple(self._sources.items()):
            if len(source) and fd in self._callbacks:
                self._callbacks[fd](1)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        self._callbacks[fd] = callback
        if fd not in self._sources:
            self._poll.register(fd, events & 0xFFFF)

    def unwatch(self, fd: int) -> None:
        del self._callbacks[fd]
        if fd not in self._sources:
            self._poll.unregister(fd)
