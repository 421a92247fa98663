"""The plug that every event loop fits: what a scheduler asks of it, and what it may ask of the scheduler.

A loop declares the calls it takes; registering one is the only way in, so a new call or event source changes
no file that exists. All loops of a worker run on one operating-system thread, in turn:

    wait (the one loop that sleeps) -> callbacks of ready descriptors
    -> ready threads, a bounded number -> every loop's turn
"""

from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import Any, Protocol, TypeVar

from gossamer.core.clock import NEVER_US
from gossamer.core.threads.systemcall import Handler, SystemCall
from gossamer.core.threads.thread import Thread

R = TypeVar("R")


class SchedulerPort(Protocol):
    """What a loop may ask of the scheduler that drives it."""

    def resume(self, thread: Thread[Any], value: Any = None) -> None:
        """Put a blocked thread on the ready queue; its call returns `value`."""

    def throw(self, thread: Thread[Any], error: BaseException) -> None:
        """Put a blocked thread on the ready queue; its call raises `error`."""

    def spawn(
        self, coroutine: Coroutine[Any, Any, R], name: str = "", context: Context | None = None
    ) -> Thread[R]:
        """Start a thread; with a context, its context variables live there."""

    def dismiss(self, thread: Thread[Any]) -> None:
        """End a blocked thread, whose call will not be answered any more."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Have callback(ready events) called while `fd` is ready (epoll's event bits, EPOLLET included)."""

    def is_watched(self, fd: int) -> bool:
        """Whether some loop watches `fd`: `watch` would take it away from that."""

    def unwatch(self, fd: int) -> None:
        """Stop watching; call it before the descriptor is closed."""

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor that is not closed next, or of which a copy lives on."""

    def perform(self, thread: Thread[Any], call: SystemCall[Any]) -> Any:
        """Make a call in the name of a thread that is blocked in nothing else; as a `Handler`."""

    def hasten(self) -> None:
        """The next turn does not sleep: called where a loop is given something outside of its turn, and of
        threads and callbacks, which all come before it."""

    def now_us(self) -> int:
        """The time of this turn."""

    guest: object | None
    """Set by a loop whose turn runs code of others, while it does: the watchdog names it, by its `repr`."""

    running: Thread[Any] | None
    """The thread whose code runs just now."""

    put_back: Callable[[], None] | None
    """Set by a loop that has changed what the interpreter believes, as which event loop runs, for a thread
    that `hosts` it: called before one runs that does not, and when none is ready. It sets this to None."""

    clock: Callable[[], int]
    """The time now: what must not come early counts from here, as threads that ran before in this turn may
    have taken long."""

    def wake_at(self, at_us: int, callback: Callable[[int], None]) -> None:
        """Have `callback` called at `at_us`, to the microsecond, where the waiter can do that; one loop has
        it. What `turn` returns holds all the same, to a millisecond."""


class EventLoop(Protocol):
    """One source of events.

    A loop may also have `cancels`, a mapping from classes of calls to a `Canceller` each: the calls that can
    be withdrawn while a thread is blocked in them. In any other a cancelled thread waits for its answer
    first.

    One whose turn runs code that makes calls of other loops has `comes_first = True`: its turn then comes
    before theirs, so that what they flush in the same turn carries what it made. One such loop may be there.
    """

    takes: Mapping[type[SystemCall[Any]], Handler]
    """The classes of system calls this loop handles."""

    def start(self, scheduler: SchedulerPort) -> None:
        """Called once, before the first turn: keep the scheduler, watch descriptors."""

    def turn(self, now_us: int) -> int:
        """Do a bounded amount of due work (fire timers, flush a batch); when it must be called again at the
        latest, NEVER_US when nothing is pending.

        It is called once a turn, after callbacks and threads. A loop that does its work at the request of
        another loop's `turn` stands behind it.
        """

    def close(self) -> None:
        """Release what it holds; the scheduler ends."""


class PassiveLoop:
    """Base of a loop that only answers calls and callbacks: it has no turn, and the scheduler never asks for
    one."""

    def turn(self, now_us: int) -> int:
        """Nothing to do, and nothing is ever due."""
        del now_us
        return NEVER_US


class Waiter(Protocol):
    """The loop that sleeps: epoll in a worker, a virtual clock's event queue in a simulator.

    It may also have `forget`, `is_watched` and `wake_at`, see SchedulerPort; without `forget`, `unwatch` is
    called in its place, without `is_watched` nothing counts as watched, and without `wake_at` nobody is woken
    more exactly than `wait` ends.
    """

    def wait(self, timeout_us: int) -> None:
        """Sleep until a watched descriptor is ready or the time is over, then call the callbacks."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """See SchedulerPort.watch."""

    def unwatch(self, fd: int) -> None:
        """See SchedulerPort.unwatch."""


def is_not_watched(_fd: int) -> bool:
    """`is_watched` of a waiter that has none."""
    return False


def wakes_nobody(_at_us: int, _callback: Callable[[int], None]) -> None:
    """`wake_at` of a waiter that has none: its `wait` ends exactly, or it has no timer."""
