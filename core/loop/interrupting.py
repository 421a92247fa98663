"""Every thread that is blocked in a recv is interrupted, so many in a turn: how a server with many idle
connections drains and goes on beating.

Owns who is still to be interrupted. Each that is makes a thread ready, which closes its connection: all at
once, 100,000 of them would keep everything else waiting for seconds.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from gossamer.core.clock import NEVER_US

Owner = TypeVar("Owner")

INTERRUPTED_MAX: Final = 64
"""Interrupted in one turn: as many as the scheduler runs in the next."""


class Interruption(Generic[Owner]):
    """Interrupts many, a turn at a time. Bounds: INTERRUPTED_MAX in a turn; holds a reference to each."""

    __slots__ = ("_interrupt", "left")

    def __init__(self, interrupt: Callable[[Owner], None]) -> None:
        """`interrupt` is called with each, also with those who have ended meanwhile."""
        self._interrupt = interrupt
        self.left: list[Owner] = []
        """Who is still to be interrupted, last first."""

    def begin(self, owners: Iterable[Owner]) -> None:
        """Interrupt these: the first at once, the others in the turns to come."""
        self.left = list(owners)
        self.left.reverse()
        self.go_on()

    def go_on(self) -> int:
        """Interrupt the next; when to go on again: 0, or NEVER_US once all have been."""
        # From the end: what is left is never moved.
        batch = self.left[-INTERRUPTED_MAX:]
        del self.left[-INTERRUPTED_MAX:]
        for owner in reversed(batch):
            self._interrupt(owner)
        return 0 if self.left else NEVER_US
