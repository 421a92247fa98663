"""So many threads at a time."""

from threading import get_ident
from typing import Final

from gossamer.core.errors import MisuseError, check_whole
from gossamer.core.threads.sync.owned import Owned
from gossamer.core.threads.sync.waiting import Waker, wait_in
from gossamer.core.threads.waiters import Waiters

PLACES_MAX: Final = 1 << 62
"""As good as without a bound."""


class Semaphore(Owned):
    """A number of places; threads that find none free wait, and are served in the order in which they came.

        async with semaphore:
            ...

    >>> from gossamer import Semaphore, run
    >>> async def main(semaphore):
    ...     async with semaphore:
    ...         return semaphore.free
    >>> run(main(Semaphore(2)))
    1

    Bounds: WAITERS_MAX threads wait; the next raises BoundExceeded.
    """

    __slots__ = ("_free", "_places", "_waiters")

    def __init__(self, places: int) -> None:
        super().__init__()
        check_whole("Semaphore: places", places, 1, PLACES_MAX, "1 place and more")
        self._places = self._free = places
        self._waiters: Waiters[Waker] = Waiters()

    @property
    def free(self) -> int:
        """How many places are free."""
        return self._free

    async def acquire(self) -> None:
        """Take a place, or wait for one."""
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if self._free:
            self._free -= 1
        else:
            await wait_in(self._waiters, "semaphore")

    def release(self) -> None:
        """Give a place back, to the next that waits. It makes no system call.

        Raises: MisuseError when all are free.
        """
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if self._waiters:
            self._waiters.popleft()(None)
        elif self._free == self._places:
            raise MisuseError("a semaphore was released more often than acquired")
        else:
            self._free += 1

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_error: object) -> None:
        self.release()
