"""What threads of one scheduler share is refused to every other operating-system thread.

Between two awaits nothing else happens, and everything in this folder is built on that: another
operating-system thread that came in between would lose wake-ups. It goes through `core.loop.from_thread`.

Owns which scheduler an object belongs to: the one that runs where it is made or first used. While none runs,
before a program and after it, it is anybody's.
"""

from threading import get_ident
from typing import Any, Final

from gossamer.core.errors import MisuseError
from gossamer.core.threads.current import CURRENT, FROM_THREAD


class Nobody:
    """In the place of a scheduler: it runs nowhere."""

    __slots__ = ()
    os_thread = 0


NOBODY: Final = Nobody()


class Owned:
    """Base of such an object. Each method that reads or changes what threads share begins with

    if self._owner.os_thread != get_ident():
        self._find_owner()
    """

    __slots__ = ("_owner",)

    def __init__(self) -> None:
        self._owner: Any = NOBODY
        self._find_owner()

    def _find_owner(self) -> None:
        """Raises: MisuseError on an operating-system thread that is not that of the object's scheduler."""
        here = get_ident()
        scheduler = CURRENT.get(None)
        runs_on = 0 if scheduler is None else scheduler.os_thread
        if self._owner.os_thread not in (0, here) or runs_on not in (0, here):
            name = type(self).__name__
            raise MisuseError(
                f"{name} used on another operating-system thread than that of its threads: {FROM_THREAD}"
            )
        if runs_on == here:
            self._owner = scheduler
