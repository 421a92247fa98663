"""Deadlines of many owners, made for being re-armed lazily.

Owns which owner is due when. It never looks into an owner. An owner stands in the heap once; if its real
deadline moved on meanwhile, it is pushed again when it is handed out, so that a request on a living
connection costs no heap operation.

Deadlines of one tick of `resolution_us` share a dict, in the order they came, and the heap orders the ticks:
an owner costs about 40 bytes, a push into a tick that is there one store, and taking an owner out again one
look-up. A tick that is empty again stays for the next owner, but empty ones are swept out before they
outnumber the others: what was taken out costs no memory until it would have been due. An owner is never
handed out early, and at most one tick late."""

from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

from gossamer.core.clock import NEVER_US

Owner = TypeVar("Owner")

EMPTY_MAX: Final = 64
"""Empty ticks that are left alone, however few others there are."""

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

    __slots__ = (
        "_due",
        "_due_tick",
        "_emptied",
        "_emptied_last",
        "_heap",
        "_left",
        "_resolution_us",
        "_ticks",
        "next_at_us",
    )

    def __init__(self, resolution_us: int = RESOLUTION_US) -> None:
        self._resolution_us = resolution_us
        self._heap: list[int] = []
        self._ticks: dict[int, dict[Owner, None]] = {}
        self._emptied: set[int] = set()
        """The ticks that became empty since the last sweep; some may have an owner again."""
        self._emptied_last = -1
        self._due: list[Owner] = []
        """What is left of a tick that was too many at once, last first."""
        self._due_tick: dict[Owner, None] = {}
        """All of that tick."""
        self._left: set[Owner] = set()
        """Those of it that were taken out since."""
        self.next_at_us: int = NEVER_US
        """When `pop_due` will have something to hand out; NEVER_US when it never will."""

    def __len__(self) -> int:
        return len(self._due) - len(self._left.intersection(self._due)) + sum(map(len, self._ticks.values()))

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
        tick = -(-at_us // self._resolution_us)
        owners = self._ticks.get(tick)
        if owners is not None and owners.pop(owner, True) is None:  # one look-up: a method's hash costs
            # Mostly it is the tick of the timeout before, which was left early as well.
            if not owners and tick != self._emptied_last:
                self._note_empty(tick)
        elif owner in self._due_tick:
            # Due, and not handed out yet because of the bound on a turn.
            self._left.add(owner)

    def _note_empty(self, tick: int) -> None:
        self._emptied_last = tick
        self._emptied.add(tick)
        if 2 * len(self._emptied) > len(self._ticks) + EMPTY_MAX:
            self._sweep()

    def _sweep(self) -> None:
        """Take out the empty ticks: each pays for two that are looked at here."""
        for tick in self._emptied:
            if tick in self._ticks and not self._ticks[tick]:
                del self._ticks[tick]
        self._emptied.clear()
        self._emptied_last = -1
        self._heap = list(self._ticks)
        heapify(self._heap)
        self._look_ahead()

    def clear(self) -> None:
        """Forget every owner."""
        self._heap.clear()
        self._ticks.clear()
        self._emptied.clear()
        self._emptied_last = -1
        self._forget_due()
        self.next_at_us = NEVER_US

    def _look_ahead(self) -> None:
        if self._due:
            self.next_at_us = 0
        else:
            self.next_at_us = self._heap[0] * self._resolution_us if self._heap else NEVER_US

    def pop_due(self, now_us: int, limit: int) -> list[Owner]:
        """At most `limit` owners whose time has come, earliest tick first."""
        popped: list[Owner] = []
        heap, last_tick = self._heap, now_us // self._resolution_us
        while len(popped) < limit:
            if self._due:
                popped += self._take_due(limit - len(popped))
            elif heap and heap[0] <= last_tick:
                owners = self._ticks.pop(heappop(heap))
                if len(popped) + len(owners) <= limit:
                    popped += owners
                else:
                    self._due_tick = owners
                    self._due = list(reversed(owners))
            else:
                break
        self._look_ahead()
        return popped

    def _take_due(self, limit: int) -> list[Owner]:
        """At most so many of the tick that was too many."""
        # They stand last first: taking from the end never moves the rest.
        batch = self._due[-limit:]
        del self._due[-limit:]
        batch.reverse()
        if self._left:
            batch = [owner for owner in batch if owner not in self._left]
        if not self._due:
            self._forget_due()
        return batch

    def _forget_due(self) -> None:
        self._due, self._due_tick, self._left = [], {}, set()
