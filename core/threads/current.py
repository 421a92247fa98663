"""Which scheduler runs here: the one door through which code that is not a system call finds its thread.

A context variable, so that two schedulers in one process (two simulated hosts, two operating-system threads)
never see each other.
"""

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from threading import get_ident
from typing import Any, Final, Protocol, TypeVar

from gossamer.core.errors import MisuseError
from gossamer.core.threads.thread import Thread

R = TypeVar("R")


class Current(Protocol):
    """What a cancel scope may ask of the scheduler that runs it."""

    running: Thread[Any] | None
    """The thread whose code runs just now."""
    os_thread: int
    """The identifier of the operating-system thread that runs it; 0 where none does."""

    def spawn(self, coroutine: Coroutine[Any, Any, R], name: str = ...) -> Thread[R]:
        """Start a thread."""

    def interrupt(self, thread: Thread[Any]) -> None:
        """Have a thread's cancellation delivered, if it is blocked in a call that can be withdrawn."""

    def clock(self) -> int:
        """The time now."""

    def set_alarm(self, at_us: int, callback: Callable[[], None]) -> None:
        """Call `callback` once `at_us` has passed."""

    def clear_alarm(self, at_us: int, callback: Callable[[], None]) -> None:
        """Forget it again."""


CURRENT: Final[ContextVar[Current]] = ContextVar("gossamer.scheduler")


FROM_THREAD: Final = "core.loop.from_thread has run_sync(function, *arguments) for that"


class NoSchedulerRuns(MisuseError):
    """Something that belongs to a thread was used outside of any."""


def current_scheduler() -> Current:
    """The scheduler that runs the calling thread. Raises: NoSchedulerRuns."""
    try:
        scheduler = CURRENT.get()
    except LookupError:
        raise NoSchedulerRuns("no scheduler runs here: use it in a thread that one runs") from None
    check_os_thread(scheduler)
    return scheduler


def check_os_thread(scheduler: Current) -> None:
    """Raises: NoSchedulerRuns where another operating-system thread than that of the scheduler calls: a
    function in the pool has the context of its thread, and is none."""
    if scheduler.os_thread != get_ident():
        raise NoSchedulerRuns(
            f"no scheduler runs on this operating-system thread: to reach one from another, {FROM_THREAD}"
        )


def running_number() -> int:
    """Which thread runs here, by its number; 0 where none does, as when a coroutine is thrown away."""
    scheduler = CURRENT.get(None)
    thread = scheduler.running if scheduler is not None else None
    return thread.number if thread is not None else 0


def current_thread() -> Thread[Any]:
    """The thread that calls. Raises: NoSchedulerRuns.

    >>> from gossamer import current_thread, run
    >>> async def main():
    ...     return current_thread()
    >>> run(main())
    <Thread main>
    """
    thread = current_scheduler().running
    if thread is None:
        raise NoSchedulerRuns("no thread runs here: a loop's callback is none")
    return thread
