"""A whole program in one line: a scheduler over epoll, with every loop that needs no rights.

    result = run(main())

Owns only which loops these are. A program that wants others puts its scheduler together itself, as
`shards.worker` and `loadtest.command` do; docs/writing-an-event-loop.md says how.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from gossamer.core.loop.ctrlc import CtrlC
from gossamer.core.loop.descriptor import DescriptorLoop
from gossamer.core.loop.disk import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd import FdLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock import SockLoop
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.eventloop import EventLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Raise
from gossamer.core.threads.tracebacks import without_machinery

R = TypeVar("R")


def run(main: Coroutine[Any, Any, R], loops: Iterable[EventLoop] = ()) -> R:
    """Run a thread to its end, with further loops of the caller's; what it returned.

    >>> from gossamer.core.loop.program import run
    >>> from gossamer.core.threads.calls import sys_sleep
    >>> async def main():
    ...     await sys_sleep(1_000)
    ...     return "a millisecond later"
    >>> run(main())
    'a millisecond later'

    Threads that still run then are dropped: those of a nursery have ended before. Ctrl-C cancels the thread
    (`core.loop.ctrlc`); a second one ends the program at once.

    Raises: what the thread raised; KeyboardInterrupt.
    """
    pool = PoolLoop()
    waiter = EpollWaiter()
    ours: list[EventLoop] = [SleepLoop(), SockLoop(), FdLoop(), DescriptorLoop(), pool, DiskLoop(pool)]
    scheduler = Scheduler(waiter, [*ours, *loops])
    outcome: list[R | Raise] = []
    with CtrlC() as ctrl_c:
        thread = scheduler.spawn(
            _to_its_end(main, outcome, ctrl_c, scheduler.stop), getattr(main, "__qualname__", "main")
        )
        try:
            scheduler.run()
        finally:
            scheduler.close()
            waiter.close()
    result = outcome[0] if outcome else thread.inbox  # ended by sys_ret
    if isinstance(result, Raise):
        raise result.error
    return result


async def _to_its_end(
    main: Coroutine[Any, Any, R], outcome: "list[R | Raise]", ctrl_c: CtrlC, stop: Callable[[], None]
) -> None:
    try:
        with CancelScope() as scope:
            if ctrl_c.is_taken:
                await sys_fork(ctrl_c.calls_off(scope), "Ctrl-C")
            outcome.append(await main)
        if scope.cancelled_caught:
            outcome.append(Raise(KeyboardInterrupt()))
    except Exception as error:  # noqa: BLE001 - raised by run
        without_machinery(error)
        outcome.append(Raise(error))
    finally:
        stop()
