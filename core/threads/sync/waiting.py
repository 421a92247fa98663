"""Queues of threads that wait, bounded.

Owns the bound, and nothing of what is waited for.
"""

from collections.abc import Callable
from typing import Final

from gossamer.core.errors import BoundExceeded
from gossamer.core.threads.calls import Park
from gossamer.core.threads.waiters import Waiters

WAITERS_MAX: Final = 65_536
"""Threads that wait at one place; the next raises BoundExceeded."""

Waker = Callable[[None], None]
"""What wakes a thread, once."""


def wait_in(waiters: Waiters[Waker], what: str) -> Park[None]:
    """The call that waits at the end of a queue. Raises: BoundExceeded."""
    if len(waiters) >= WAITERS_MAX:
        raise BoundExceeded(f"{WAITERS_MAX} threads wait for one {what} (sync.waiting.WAITERS_MAX)")
    return Park(waiters)
