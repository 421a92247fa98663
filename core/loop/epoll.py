"""The loop that sleeps: epoll.

Owns the epoll descriptor, the callback of each watched descriptor, and the timer of who must be woken to the
microsecond, since epoll counts milliseconds. It knows neither threads nor calls.

Source: epoll(7), timerfd_create(2).
"""

import errno
import select
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.errors import MisuseError
from gossamer.ffi.timer import Timer

EVENTS_MAX: Final = 512
"""Events taken in one wait; what is left is handed out by the next, in the kernel's fair order."""

SLEEP_US_MAX: Final = 60 * SECOND_US
"""No sleep is longer, so that a deadline beyond epoll's int of milliseconds needs no special case."""


ALWAYS_READY: Final = "a regular file or a folder is always ready; read it by sys_aio_read"


class Unwatchable(MisuseError, PermissionError):
    """What epoll does not take, by its EPERM: "The target file fd does not support epoll"."""


class EpollWaiter:
    """A `Waiter` over one epoll descriptor."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timer: Timer | None = None
        self._has_timer = True
        """Whether there is one, as far as was tried."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(ready events)` while `fd` is ready; watching it again replaces events and callback.

        Raises: Unwatchable for a regular file or a folder; OSError ENOSPC at the kernel's bound.
        """
        try:
            if fd not in self._callbacks or not self._modify(fd, events):
                self._epoll.register(fd, events)
        except FileExistsError:
            self._epoll.modify(fd, events)
        except PermissionError as error:
            raise Unwatchable(errno.EPERM, f"descriptor {fd} cannot be waited for: {ALWAYS_READY}") from error
        self._callbacks[fd] = callback

    def _modify(self, fd: int, events: int) -> bool:
        """Change for what it is watched; False where it was closed meanwhile, and its number is another's."""
        try:
            self._epoll.modify(fd, events)
        except FileNotFoundError:
            return False
        return True

    def is_watched(self, fd: int) -> bool:
        """Whether somebody watches it."""
        return fd in self._callbacks

    def unwatch(self, fd: int) -> None:
        """Stop watching; a descriptor that is not watched is left alone.

        Most descriptors are closed next, by which the kernel forgets them, so no call to the kernel is made
        here; should one live on and have an event, `wait` removes it then. Use `forget` for a descriptor that
        certainly lives on.
        """
        self._callbacks.pop(fd, None)

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor that stays open, or has a copy that does.

        epoll(7): "closing a file descriptor will cause it to be removed from all epoll sets" only when no
        copy is left: until then events would be reported for its number, which may be another one's by then.
        """
        self._callbacks.pop(fd, None)
        # It may be closed already, or have been forgotten.
        with suppress(OSError):
            self._epoll.unregister(fd)

    def wake_at(self, at_us: int, callback: Callable[[int], None]) -> None:
        """Call `callback(ready events)` once `at_us` of CLOCK_MONOTONIC has passed, to the microsecond.

        The time of before is replaced; there is one callback, the first. Where the kernel refuses timers
        nothing is called, and the end of `wait`, a millisecond late at most, is all there is: whoever asks
        looks at the clock then.
        """
        if self._has_timer:
            try:
                self._set_timer(at_us, callback)
            except OSError:
                self._drop_timer()

    def _set_timer(self, at_us: int, callback: Callable[[int], None]) -> None:
        """Raises: OSError."""
        if self._timer is None:
            self._timer = Timer()
            # Edge-triggered, so that nobody has to read how often it was due.
            self.watch(self._timer.fd, select.EPOLLIN | select.EPOLLET, callback)
        self._timer.set(at_us)

    def _drop_timer(self) -> None:
        """Go on without one: a sandbox, or a process without descriptors left."""
        self._has_timer = False
        if self._timer is not None:
            self.forget(self._timer.fd)
            self._timer.close()
            self._timer = None

    def wait(self, timeout_us: int) -> None:
        """Sleep until a descriptor is ready or the time is over, then call the callbacks."""
        seconds = 0 if timeout_us <= 0 else min(timeout_us, SLEEP_US_MAX) / SECOND_US
        callbacks = self._callbacks
        for fd, events in self._poll(seconds, EVENTS_MAX):
            callback = callbacks.get(fd)
            if callback is not None:
                callback(events)
            else:
                self.forget(fd)

    def close(self) -> None:
        """Close the epoll descriptor, and the timer's."""
        self._drop_timer()
        self._callbacks.clear()
        self._epoll.close()
