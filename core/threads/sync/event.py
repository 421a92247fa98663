"""Something that happens once, and those who wait for it."""

from threading import get_ident

from gossamer.core.threads.sync.owned import Owned
from gossamer.core.threads.sync.waiting import Waker, wait_in
from gossamer.core.threads.waiters import Waiters


class Event(Owned):
    """Not set at first; once set, waiting for it is over at once.

    >>> from gossamer import Event, open_nursery, run
    >>> async def waits(event, name):
    ...     await event.wait()
    ...     print(name, "goes on")
    >>> async def main(event):
    ...     async with open_nursery() as nursery:
    ...         nursery.start_soon(waits, event, "ann")
    ...         nursery.start_soon(waits, event, "bob")
    ...         event.set()
    >>> run(main(Event()))
    ann goes on
    bob goes on

    Bounds: WAITERS_MAX threads wait; the next raises BoundExceeded.
    """

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False
        self._waiters: Waiters[Waker] = Waiters()

    @property
    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Wake all who wait, the first that came first. It makes no system call; twice is harmless.

        Raises: MisuseError on another operating-system thread, see `core.loop.from_thread`.
        """
        if self._owner.os_thread != get_ident():
            self._find_owner()
        self._is_set = True
        while self._waiters:
            self._waiters.popleft()(None)

    async def wait(self) -> None:
        """Wait until it is set."""
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if not self._is_set:
            await wait_in(self._waiters, "event")
