"""The one door to the clock.

Everything that needs the time is given a `Clock`; the pure core is given numbers. Times are int microseconds
from an arbitrary origin and never go back.
"""

from collections.abc import Callable
from time import monotonic_ns, time_ns
from typing import Final

Clock = Callable[[], int]
"""Returns the time in microseconds."""

NEVER_US: Final = 1 << 61
"""A deadline that is not set. Larger than any time a clock returns, so that `min` and `<` need no special
case; and less than 2**62, from which on an int is an object in native code too, and slow.
"""

SECOND_US: Final = 1_000_000


def monotonic_us() -> int:
    """The kernel's CLOCK_MONOTONIC in microseconds."""
    return monotonic_ns() // 1000


class VirtualClock:
    """A clock that moves only when its user moves it, for tests and simulation.

    >>> from gossamer.testing import VirtualClock
    >>> clock = VirtualClock(now_us=1_000)
    >>> clock.advance(500)
    >>> clock()
    1500
    """

    def __init__(self, now_us: int = SECOND_US) -> None:
        self.now_us: int = now_us

    def __call__(self) -> int:
        return self.now_us

    def advance(self, us: int) -> None:
        """Move forward by `us` microseconds."""
        assert us >= 0
        self.now_us += us


def wall_us() -> int:
    """The calendar's time in microseconds since 1970. For dates that people and peers read, never for
    timeouts.
    """
    return time_ns() // 1000
