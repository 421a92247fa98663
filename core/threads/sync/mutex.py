"""Mutual exclusion between threads.

Owns the mutex. Threads of one scheduler never run at the same time, so a mutex is needed only around a
section that makes system calls.

Source: the Mutex of Li and Zdancewic, PLDI 2007, section 4.7, there a library over system calls as well.
"""

from threading import get_ident

from gossamer.core.errors import MisuseError
from gossamer.core.threads.sync.owned import Owned
from gossamer.core.threads.sync.waiting import Waker, wait_in
from gossamer.core.threads.waiters import Waiters


class Mutex(Owned):
    """A lock that is handed from its holder to whoever has waited longest, so nobody starves.

        async with mutex:
            ...

    >>> from gossamer import Mutex, run
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
        super().__init__()
        self._is_locked = False
        self._waiters: Waiters[Waker] = Waiters()

    @property
    def is_locked(self) -> bool:
        """Whether a thread holds it."""
        return self._is_locked

    async def lock(self) -> None:
        """Wait until it is ours."""
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if not self._is_locked:
            self._is_locked = True
        else:
            await wait_in(self._waiters, "mutex")

    def unlock(self) -> None:
        """Hand it to the next that waits. It makes no system call, so it is safe in any `finally` clause.

        Raises: MisuseError where nobody holds it.
        """
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if not self._is_locked:
            raise MisuseError("a mutex was unlocked that nobody holds")
        if self._waiters:
            self._waiters.popleft()(None)
        else:
            self._is_locked = False

    async def __aenter__(self) -> None:
        if self._owner.os_thread != get_ident():
            self._find_owner()
        # As `lock`, whose coroutine would cost as much again.
        if not self._is_locked:
            self._is_locked = True
        else:
            await wait_in(self._waiters, "mutex")

    async def __aexit__(self, *_error: object) -> None:
        if self._waiters and self._owner.os_thread == get_ident():  # as `unlock`, without calling it
            self._waiters.popleft()(None)
        else:
            self.unlock()
