"""Which scheduler runs here: the one door through which code that is no system call finds its thread.

A context variable, so that two schedulers in one process (two simulated hosts, two operating-system threads)
never see each other.
"""

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

from gossamer.core.errors import GossamerError
from gossamer.core.threads.thread import Thread

R = TypeVar("R")


class Current(Protocol):
    """What a cancel scope may ask of the scheduler that runs it."""

    running: Thread[Any] | None
    """The thread whose code runs just now."""

    def spawn(self, coroutine: Coroutine[Any, Any, R], name: str = ...) -> Thread[R]:
        """Start a thread."""

    def interrupt(self, thread: Thread[Any]) -> None:
        """Have a thread's cancellation delivered, if it is blocked in a call that can be withdrawn."""

    def now_us(self) -> int:
        """The time of this turn."""

    def set_alarm(self, at_us: int, callback: Callable[[], None]) -> None:
        """Call `callback` once `at_us` has passed."""

    def clear_alarm(self, at_us: int, callback: Callable[[], None]) -> None:
        """Forget it again."""


CURRENT: Final[ContextVar[Current]] = ContextVar("gossamer.scheduler")


class NoSchedulerRuns(GossamerError):
    """Something that belongs to a thread was used outside of any."""


def current_scheduler() -> Current:
    """The scheduler that runs the calling thread. Raises: NoSchedulerRuns."""
    try:
        return CURRENT.get()
    except LookupError:
        raise NoSchedulerRuns("no scheduler runs here: use it in a thread that one runs") from None


def current_thread() -> Thread[Any]:
    """The thread that calls. Raises: NoSchedulerRuns.

    >>> from gossamer.core.loop.program import run
    >>> from gossamer.core.threads.current import current_thread
    >>> async def main():
    ...     return current_thread()
    >>> run(main())
    <Thread main>
    """
    thread = current_scheduler().running
    if thread is None:
        raise NoSchedulerRuns("no thread runs here: a loop's callback is none")
    return thread
