"""Whether to stay awake for an operation that is about to be done, instead of sleeping until notified.

Sleeping and being woken costs about as much as a good disk needs for a read: the processor's caches are cold
afterwards, and in a virtual machine the processor was given away. Where the disk is slower, staying awake was
in vain, and is not done again for a while.

Owns that decision, and performs nothing. A loop that is to stay awake asks again in the next turn, and all
other events and threads have theirs meanwhile.

Source: adaptive mutexes; the hybrid polling of the block layer (Linux 4.10 to 5.14, queue/io_poll_delay).
"""

from typing import Final

SPIN_US: Final = 300
"""How long to stay awake, from the beginning of the turn in which the last operation was begun."""

RESTS: Final = 16
"""How many operations are slept for after one was waited for in vain: on a slow disk only one in 17 costs."""


class Spin:
    """The decision for one source of operations. With a `spin_us` of 0 it is always to sleep.

    >>> from gossamer.core.loop.disk.spin import Spin
    >>> spin = Spin(spin_us=300)
    >>> spin.begin(now_us=0)
    >>> spin.goes_on(now_us=299), spin.goes_on(now_us=300)
    (True, False)
    """

    __slots__ = ("_rests", "_spin_us", "_until_us")

    def __init__(self, spin_us: int = SPIN_US) -> None:
        self._spin_us = spin_us
        self._until_us = 0
        self._rests = 0

    def begin(self, now_us: int) -> None:
        """Operations were begun."""
        if self._rests:
            self._rests -= 1
        elif self._spin_us:
            self._until_us = now_us + self._spin_us

    def end(self) -> None:
        """Operations are done."""
        self._until_us = 0

    def goes_on(self, now_us: int) -> bool:
        """Whether to stay awake, while operations are in flight."""
        if now_us < self._until_us:
            return True
        if self._until_us:
            self._until_us = 0
            self._rests = RESTS
        return False
