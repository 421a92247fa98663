"""Deadlines of many owners, made for being re-armed lazily.

Owns which owner is due when. It never looks into an owner. An owner stands in the heap once; if its real
deadline moved on meanwhile, it is pushed again when it is handed out, so that a request on a living
connection costs no heap operation.

Deadlines of one tick of `resolution_us` share a dict, in the order they came, and the heap orders the ticks:
an owner costs about 40 bytes, a push into a tick that is there one store, and taking an owner out again one
look-up. An owner is never handed out early, and at most one tick late."""

from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from gossamer.core.clock import NEVER_US

Owner = TypeVar("Owner")

RESOLUTION_US: Final = 1_000
"""As fine as the kernel's epoll_wait, which counts milliseconds."""


class DeadlineHeap(Generic[Owner]):
    """Owners, distinguished by their hash, ordered by deadline; those of one tick in the order they came.

    >>> from gossamer.lowlevel import DeadlineHeap
    >>> heap = DeadlineHeap(resolution_us=1)
    >>> heap.push(30, "late")
    >>> heap.push(10, "early")
    >>> heap.next_at_us, heap.pop_due(20, limit=5)
    (10, ['early'])
    """

    __slots__ = ("_due", "_heap", "_resolution_us", "_ticks", "next_at_us")

    def __init__(self, resolution_us: int = RESOLUTION_US) -> None:
        self._resolution_us = resolution_us
        self._heap: list[int] = []
        self._ticks: dict[int, dict[Owner, None]] = {}
        self._due: list[Owner] = []
        self.next_at_us = NEVER_US
        """When `pop_due` will have something to hand out; NEVER_US when it never will."""

    def __len__(self) -> int:
        return len(self._due) + sum(map(len, self._ticks.values()))

    def push(self, at_us: int, owner: Owner) -> None:
        """Have `owner` handed out once `at_us` has passed."""
        tick = -(-at_us // self._resolution_us)
        owners = self._ticks.get(tick)
        if owners is None:
            self._ticks[tick] = {owner: None}
            heappush(self._heap, tick)
            if self._heap[0] == tick and not self._due:
                self.next_at_us = tick * self._resolution_us
        else:
            owners[owner] = None

    def discard(self, at_us: int, owner: Owner) -> None:
        """Take out what `push(at_us, owner)` put in, unless it was handed out already."""
        owners = self._ticks.get(-(-at_us // self._resolution_us))
        if owners is not None and owner in owners:
            del owners[owner]
        elif self._due and owner in self._due:
            # Due, and not handed out yet because of the bound on a turn.
            self._due.remove(owner)
            self._look_ahead()

    def clear(self) -> None:
        """Forget every owner."""
        self._heap.clear()
        self._ticks.clear()
        self._due.clear()
        self.next_at_us = NEVER_US

    def _look_ahead(self) -> None:
        if self._due:
            self.next_at_us = 0
        else:
            self.next_at_us = self._heap[0] * self._resolution_us if self._heap else NEVER_US

    def pop_due(self, now_us: int, limit: int) -> list[Owner]:
        """At most `limit` owners whose time has come, earliest tick first."""
        popped: list[Owner] = []
        while len(popped) < limit and (self._due or self._expire(now_us)):
            # The due owners stand last first: taking from the end never moves the rest.
            start = max(0, len(self._due) - (limit - len(popped)))
            batch = self._due[start:]
            del self._due[start:]
            batch.reverse()
            popped += batch
        self._look_ahead()
        return popped

    def _expire(self, now_us: int) -> bool:
        """Make the earliest tick's owners due, if its time has come."""
        if not self._heap or self._heap[0] * self._resolution_us > now_us:
            return False
        self._due = list(reversed(self._ticks.pop(heappop(self._heap))))
        return True
