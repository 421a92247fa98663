"""A queue of those who wait at one place: first in, first out, and out of the middle without a search.

Owns what a deque does not have: leaving from anywhere. Threads are cancelled in any order, and a search for
each would take as many steps as wait there, all of them in one turn.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeVar

T = TypeVar("T")

SEARCHED_MAX: Final = 64
"""So many are searched through: that is cheaper than noting a gap."""


class Waiters(deque[T]):
    """A deque that is filled by `append` and emptied by `popleft`; `remove` costs the same however many wait.
    Waiters are distinguished by their hash. A function of `sys_park` is called as soon as it is taken out:
    its thread may be cancelled until then, and is looked for here.

    >>> from gossamer import run, sys_fork, sys_join, sys_park, sys_yield
    >>> from gossamer.lowlevel import Waiters
    >>> async def waits(waiters):
    ...     return await sys_park(waiters)
    >>> async def main(waiters):
    ...     threads = [await sys_fork(waits(waiters)) for _ in range(2)]
    ...     await sys_yield()
    ...     while waiters:
    ...         waiters.popleft()(len(waiters))
    ...     return [await sys_join(thread) for thread in threads]
    >>> run(main(Waiters()))
    [1, 0]
    """

    # Who leaves a long queue stays in it as a gap, which is passed over when its turn comes. A queue without
    # gaps is a plain deque in all that it does, so that nobody pays for what is rare: only while it has some
    # is it of the class below.

    __slots__ = ("_gaps", "_left")

    _gaps: int
    """How many of what stands in it have left."""
    _left: dict[T, int]
    """How often each of them has. One that left and came again stands behind its gaps."""

    def remove(self, waiter: T, /) -> None:
        """Take out one that stands in it. Raises: ValueError where it does not, and at most SEARCHED_MAX do;
        of a longer queue the caller knows it.
        """
        if len(self) <= SEARCHED_MAX:
            super().remove(waiter)
            return
        self._gaps = 1
        self._left = {waiter: 1}
        _become(self, WithGaps)


class WithGaps(Waiters[T]):
    """Waiters, some of whom have left. At least as many have not: else the gaps are closed."""

    __slots__ = ()

    def __len__(self) -> int:
        return super().__len__() - self._gaps

    def __iter__(self) -> Iterator[T]:
        left = dict(self._left)
        for waiter in super().__iter__():
            if left.get(waiter, 0):
                left[waiter] -= 1
            else:
                yield waiter

    def remove(self, waiter: T, /) -> None:
        """Take out one that stands in it."""
        self._gaps += 1
        self._left[waiter] = self._left.get(waiter, 0) + 1
        self._close_gaps()

    def popleft(self) -> T:
        """Take out who has waited longest."""
        waiter = super().popleft()
        while self._left.get(waiter, 0):
            self._pass(waiter)
            waiter = super().popleft()
        self._close_gaps()
        return waiter

    def clear(self) -> None:
        """Take out all."""
        super().clear()
        self._left.clear()
        self._gaps = 0
        _become(self, Waiters)

    def _pass(self, gap: T) -> None:
        self._gaps -= 1
        self._left[gap] -= 1
        if not self._left[gap]:
            del self._left[gap]

    def _close_gaps(self) -> None:
        """Where they are more than half: each who left pays for the two places that are looked at here."""
        if not self._gaps:
            _become(self, Waiters)
        elif self._gaps > len(self):
            staying = list(self)
            self.clear()
            self.extend(staying)


def _become(waiters: Waiters[T], kind: type[Waiters[T]]) -> None:
    waiters.__class__ = kind
