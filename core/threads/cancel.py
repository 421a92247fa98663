"""Cancel scopes: a stretch of a thread, with all that it starts, that can be called off.

Owns the tree of scopes and what stands in each. Cancellation is level-triggered: while a scope is cancelled,
every system call in it that would block raises `Cancelled`, in `finally` clauses too, unless they shield
themselves. The words and the rules are trio's.

    with move_on_after(2) as scope:
        await stream.recv(100)
    if scope.cancelled_caught: ...

Source: N. J. Smith, "Timeouts and cancellation for humans", 2018.
"""

from contextlib import AbstractContextManager
from types import TracebackType

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import GossamerError, MisuseError, misuse
from gossamer.core.threads.current import check_os_thread, current_scheduler, current_thread
from gossamer.core.threads.thread import Thread


class Cancelled(BaseException):
    """Raised by a system call in a cancelled scope. Let it pass: the scope that was cancelled catches it."""


class TooSlowError(GossamerError, TimeoutError):
    """`fail_after`'s time was over."""


class CancelScope:
    """A stretch of a thread that can be called off; entered with `with`, once.

    `deadline_us` is a time of the scheduler's clock; a shielded scope is not cancelled by those around it.

    >>> from gossamer import CancelScope, run, sleep
    >>> async def main():
    ...     with CancelScope() as scope:
    ...         scope.cancel()
    ...         await sleep(60)
    ...     return scope.cancelled_caught
    >>> run(main())
    True
    """

    __slots__ = (
        "_children",
        "_deadline_us",
        "_parent",
        "_scheduler",
        "_shield",
        "_thread",
        "_threads",
        "_was_entered",
        "cancel_called",
        "cancelled_caught",
    )

    def __init__(self, deadline_us: int = NEVER_US, *, shield: bool = False) -> None:
        _check_deadline(deadline_us)
        self._deadline_us = deadline_us
        self._shield = shield
        self.cancel_called: bool = False
        """Whether it was cancelled, by `cancel` or its deadline."""
        self.cancelled_caught: bool = False
        """Whether it was left early because of that."""
        self._parent: CancelScope | None = None
        self._was_entered = False
        self._thread: Thread[object] | None = None
        """Which stands in it, from its entry until it is left: a thread that failed would not be freed else,
        since its error leads to the frame that has the scope."""
        self._threads: dict[Thread[object], None] = {}
        self._children: dict[CancelScope, None] = {}

    @property
    def is_cancelled(self) -> bool:
        """Whether calls in it raise `Cancelled`: it was cancelled, or one around it from which no shield
        separates it."""
        scope: CancelScope | None = self
        while scope is not None:
            if scope.cancel_called:
                return True
            scope = None if scope._shield else scope._parent
        return False

    @property
    def shield(self) -> bool:
        """Whether scopes around it leave it alone; may be set at any time. Where one of them is cancelled
        already, lifting the shield cancels what it protected."""
        return self._shield

    @shield.setter
    def shield(self, is_shielded: bool) -> None:
        self._check_os_thread()
        self._shield = is_shielded
        if self.is_cancelled:
            self._wake()

    @property
    def deadline_us(self) -> int:
        """When it is cancelled by itself; may be set at any time."""
        return self._deadline_us

    @deadline_us.setter
    def deadline_us(self, at_us: int) -> None:
        _check_deadline(at_us)
        self._check_os_thread()
        is_entered = self._thread is not None
        if is_entered:
            self._disarm()
        self._deadline_us = at_us
        if is_entered:
            self._arm()

    def cancel(self) -> None:
        """Cancel what runs in it: every thread in it that is blocked wakes up with `Cancelled`.

        Raises: NoSchedulerRuns on another operating-system thread than that of its threads.
        """
        if self.cancel_called:
            return
        self._check_os_thread()
        self.cancel_called = True
        self._wake()

    def _check_os_thread(self) -> None:
        """Raises: NoSchedulerRuns on another operating-system thread, while its own runs."""
        if self._thread is not None and self._scheduler.os_thread:
            check_os_thread(self._scheduler)

    def _wake(self) -> None:
        """Interrupt the threads in it, and in the scopes within that are open to it."""
        open_scopes = [self]
        while open_scopes:
            scope = open_scopes.pop()
            for thread in tuple(scope._threads):
                self._scheduler.interrupt(thread)
            open_scopes += [child for child in scope._children if not child.shield]

    def threads(self) -> list[Thread[object]]:
        """The threads that stand in it, and in the scopes within."""
        found: list[Thread[object]] = []
        scopes = [self]
        while scopes:
            scope = scopes.pop()
            found += scope._threads
            scopes += scope._children
        return found

    def adopt(self, thread: Thread[object]) -> None:
        """Take a new thread in: what a nursery does with its children."""
        thread.scope = self
        self._threads[thread] = None

    def leave(self, thread: Thread[object]) -> None:
        """A thread in it has ended."""
        self._threads.pop(thread, None)
        thread.scope = None

    def __enter__(self) -> "CancelScope":
        if self._was_entered:
            raise MisuseError("a cancel scope is entered once: make another one")
        self._was_entered = True
        self._scheduler = current_scheduler()
        self._thread = thread = current_thread()
        assert thread.scope is None or isinstance(thread.scope, CancelScope)
        self._parent = thread.scope
        if self._parent is not None:
            self._parent._threads.pop(thread, None)
            self._parent._children[self] = None
        self.adopt(thread)
        self._arm()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool:
        self._leave()
        if error is None or not self.cancel_called or self._is_cancelled_from_outside:
            return False
        return self._catches(error)

    def _leave(self) -> None:
        """Its thread stands in it no longer. No frame that an error passes may know that thread, which holds
        what ended it. Raises: MisuseError."""
        thread = self._thread
        if thread is None or thread.scope is not self:
            del thread
            raise MisuseError("cancel scopes are left in the reverse order of entering, by the same thread")
        self._disarm()
        self._thread = None
        self._threads.pop(thread, None)
        thread.scope = self._parent
        if self._parent is not None:
            self._parent._children.pop(self, None)
            self._parent._threads[thread] = None

    @property
    def _is_cancelled_from_outside(self) -> bool:
        """Whether a scope around it is cancelled too: then `Cancelled` is on its way to that one."""
        return not self.shield and self._parent is not None and self._parent.is_cancelled

    def _catches(self, error: BaseException) -> bool:
        """Whether nothing is left of an error without its `Cancelled`. Raises: the rest of a group."""
        if isinstance(error, Cancelled):
            self.cancelled_caught = True
            return True
        if not isinstance(error, BaseExceptionGroup):
            return False
        cancelled, rest = error.split(Cancelled)
        self.cancelled_caught = cancelled is not None
        if cancelled is None or rest is None:
            return rest is None
        try:
            raise rest from None
        finally:
            del rest  # its traceback leads to this frame

    def _arm(self) -> None:
        if self._deadline_us < NEVER_US:
            self._scheduler.set_alarm(self._deadline_us, self.cancel)

    def _disarm(self) -> None:
        if self._deadline_us < NEVER_US:
            self._scheduler.clear_alarm(self._deadline_us, self.cancel)


def _check_deadline(at_us: object) -> None:
    if not isinstance(at_us, int):
        raise misuse("deadline_us", at_us, "whole microseconds of the scheduler's clock; NEVER_US for none")


def _deadline_us(seconds: float) -> int:
    if not isinstance(seconds, (int, float)) or not seconds >= 0:  # nan too
        raise misuse("timeout", seconds, "0 and more seconds")
    at_us = current_scheduler().clock() + round(seconds * SECOND_US) if seconds < 1e9 else NEVER_US
    return min(at_us, NEVER_US)


def move_on_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """A scope that is cancelled after a time: what is not done by then is left. Raises: MisuseError.

    >>> from gossamer import move_on_after, run, sleep
    >>> async def main():
    ...     with move_on_after(0.001) as scope:
    ...         await sleep(60)
    ...     return scope.cancelled_caught
    >>> run(main())
    True
    """
    return CancelScope(_deadline_us(seconds), shield=shield)


def fail_after(seconds: float) -> AbstractContextManager[CancelScope]:
    """As `move_on_after`, but raises TooSlowError when the time is over.

    >>> from gossamer import fail_after, run, sleep
    >>> async def main():
    ...     with fail_after(0.001):
    ...         await sleep(60)
    >>> run(main())
    Traceback (most recent call last):
    gossamer.core.threads.cancel.TooSlowError: not done within 0.001 s
    """
    return _Limit(seconds)


class _Limit:
    """What `fail_after` returns. No generator: from Python 3.12 on what is raised in the block leads to one's
    frame, and that to contextlib's, which holds the error."""

    __slots__ = ("_scope", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> CancelScope:
        self._scope = move_on_after(self._seconds)
        return self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise TooSlowError(f"not done within {self._seconds:g} s")
