"""Mutual exclusion between threads.

Owns the mutex. Threads of one scheduler never run at the same time, so a mutex is needed only around a
section that makes system calls.

Source: the Mutex of Li and Zdancewic, PLDI 2007, section 4.7, there a library over system calls as well.
"""

from collections import deque

from gossamer.core.errors import GossamerError
from gossamer.core.threads.sync.waiting import Waiters, wait_in


class Mutex:
    """A lock that is handed from its holder to whoever has waited longest, so nobody starves.

        async with mutex:
            ...

    >>> from gossamer.core.loop.program import run
    >>> from gossamer.core.threads.sync import Mutex
    >>> async def main(mutex):
    ...     async with mutex:
    ...         return mutex.is_locked
    >>> mutex = Mutex()
    >>> run(main(mutex)), mutex.is_locked
    (True, False)

    Bounds: WAITERS_MAX threads wait; the next raises BoundExceeded.
    """

    __slots__ = ("_is_locked", "_waiters")

    def __init__(self) -> None:
        self._is_locked = False
        self._waiters: Waiters = deque()

    @property
    def is_locked(self) -> bool:
        """Whether a thread holds it."""
        return self._is_locked

    async def lock(self) -> None:
        """Wait until it is ours."""
        if not self._is_locked:
            self._is_locked = True
        else:
            await wait_in(self._waiters, "mutex")

    def unlock(self) -> None:
        """Hand it to the next that waits. It makes no system call, so it is safe in any `finally` clause."""
        if not self._is_locked:
            raise GossamerError("a mutex was unlocked that nobody holds")
        if self._waiters:
            self._waiters.popleft()(None)
        else:
            self._is_locked = False

    async def __aenter__(self) -> None:
        await self.lock()

    async def __aexit__(self, *_error: object) -> None:
        self.unlock()
