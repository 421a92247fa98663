"""Waiting, with a mutex given up meanwhile, until another thread says that something has changed."""

from threading import get_ident

from gossamer.core.errors import MisuseError, check_whole, misuse
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.sync.mutex import Mutex
from gossamer.core.threads.sync.owned import Owned
from gossamer.core.threads.sync.waiting import WAITERS_MAX, Waker, wait_in
from gossamer.core.threads.waiters import Waiters


class Condition(Owned):
    """A mutex, and threads that wait for a change of what it guards.

        async with condition:
            while not ready():
                await condition.wait()

    >>> from gossamer import Condition, open_nursery, run
    >>> async def adds(basket, condition):
    ...     async with condition:
    ...         basket.append("apple")
    ...         condition.notify()
    >>> async def main(basket, condition):
    ...     async with open_nursery() as nursery, condition:
    ...         nursery.start_soon(adds, basket, condition)
    ...         while not basket:
    ...             await condition.wait()
    ...         return basket.pop()
    >>> run(main([], Condition()))
    'apple'

    Bounds: WAITERS_MAX threads wait; the next raises BoundExceeded.
    """

    __slots__ = ("_waiters", "mutex")

    def __init__(self, mutex: Mutex | None = None) -> None:
        super().__init__()
        if mutex is not None and not isinstance(mutex, Mutex):
            raise misuse("Condition: mutex", mutex, "a Mutex, or None for one of its own")
        self.mutex: Mutex = Mutex() if mutex is None else mutex
        self._waiters: Waiters[Waker] = Waiters()

    async def wait(self) -> None:
        """Give the mutex up, wait to be notified, and take the mutex again, even when cancelled.

        Raises: MisuseError when the mutex is free.
        """
        if not self.mutex.is_locked:
            raise MisuseError("a condition is waited for by the thread that holds its mutex")
        waiting = wait_in(self._waiters, "condition")
        self.mutex.unlock()
        try:
            await waiting
        finally:
            with CancelScope(shield=True):
                await self.mutex.lock()

    def notify(self, count: int = 1) -> None:
        """Wake this many of those who wait, those who have waited longest first. It makes no system call.

        Raises: MisuseError.
        """
        if self._owner.os_thread != get_ident():
            self._find_owner()
        check_whole("notify: count", count, 0, WAITERS_MAX, "how many are woken, 0 and more")
        for _ in range(min(count, len(self._waiters))):
            self._waiters.popleft()(None)

    def notify_all(self) -> None:
        """Wake all of them."""
        self.notify(len(self._waiters))

    async def __aenter__(self) -> None:
        await self.mutex.lock()

    async def __aexit__(self, *_error: object) -> None:
        self.mutex.unlock()
