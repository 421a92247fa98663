"""Lines about strangers, of which there may be any number: one in a time, with how many were left out.

Owns that count. What the line says is its caller's.
"""

from typing import Final

from gossamer.core.clock import SECOND_US, Clock

LOG_EACH_US: Final = SECOND_US
"""At most one line in this time."""


class Seldom:
    """Says whether a line may be logged now."""

    def __init__(self, clock: Clock, each_us: int = LOG_EACH_US) -> None:
        self._clock = clock
        self._each_us = each_us
        self._unlogged = 0
        self._quiet_until_us = 0

    def ending(self) -> str | None:
        """How the line ends that is logged now; None for one that is left out.

        >>> from gossamer.testing import VirtualClock
        >>> clock = VirtualClock()
        >>> seldom = Seldom(clock)
        >>> seldom.ending(), seldom.ending(), seldom.ending()
        ('', None, None)
        >>> clock.advance(SECOND_US)
        >>> seldom.ending()
        ' (2 more since the last such line)'
        """
        now_us = self._clock()
        if now_us < self._quiet_until_us:
            self._unlogged += 1
            return None
        self._quiet_until_us = now_us + self._each_us
        unlogged, self._unlogged = self._unlogged, 0
        return f" ({unlogged} more since the last such line)" if unlogged else ""
