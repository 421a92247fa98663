"""Queues of threads that wait, bounded.

Owns the bound, and nothing of what is waited for.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from gossamer.core.errors import BoundExceeded
from gossamer.core.threads.calls import Park

WAITERS_MAX: Final = 65_536
"""Threads that wait at one place; the next raises BoundExceeded."""

Waiters = deque[Callable[[None], None]]
"""The functions that wake threads, those that have waited longest first."""


def wait_in(waiters: Waiters, what: str) -> Park[None]:
    """The call that waits at the end of a queue. Raises: BoundExceeded."""
    if len(waiters) >= WAITERS_MAX:
        raise BoundExceeded(f"{WAITERS_MAX} threads wait for one {what} (sync.waiting.WAITERS_MAX)")
    return Park(waiters)
