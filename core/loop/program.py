"""A whole program in one line: a scheduler over epoll, with every loop that needs no rights.

    result = run(main())

Owns only which loops these are. A program that wants others puts its scheduler together itself, as
`shards.worker.worker` and `gossamer.cli.load.perform` do; docs/writing-an-event-loop.md says how.
"""

import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import nullcontext
from threading import get_ident
from typing import Any, TypeVar

from gossamer.core.errors import MisuseError
from gossamer.core.loop.ctrlc import CtrlC
from gossamer.core.loop.debugging import debugging, is_wanted
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.calls import Returning, sys_fork
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.current import CURRENT
from gossamer.core.threads.eventloop import EventLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Raise, check_coroutine
from gossamer.core.threads.tracebacks import without_machinery

R = TypeVar("R")

log = logging.getLogger(__name__)


def run(main: Coroutine[Any, Any, R], loops: Iterable[EventLoop] = (), *, debug: bool | None = None) -> R:
    """Run a thread to its end, with further loops of the caller's; what it returned.

    >>> from gossamer import run, sleep
    >>> async def main():
    ...     await sleep(0.001)
    ...     return "a millisecond later"
    >>> run(main())
    'a millisecond later'

    Threads that still run then are dropped: those of a nursery have ended before. Ctrl-C cancels the thread
    (`core.loop.ctrlc`); a second one ends the program at once. `sys.exit(code)` in the thread or its
    nurseries cancels them likewise. With `debug`, or where GOSSAMER_DEBUG=1 is set and `debug` is None, the
    program is watched (`core.loop.debugging`).

    Raises: what the thread raised; KeyboardInterrupt, with a note of where the threads stood; MisuseError for
    anything but a coroutine, and for a `run` within another.
    """
    check_coroutine("run: main", main)
    _check_runs_nothing(main)
    pool = PoolLoop()
    waiter = EpollWaiter()
    ours: list[EventLoop] = [SleepLoop(), SockLoop(), FdLoop(), DescriptorLoop(), pool, DiskLoop(pool)]
    scheduler = Scheduler(waiter, [*ours, *loops])
    outcome: list[R | Raise] = []
    with CtrlC() as ctrl_c, debugging(scheduler) if is_wanted(debug) else nullcontext():
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
        raise _of_program(result.error)
    return result


def _check_runs_nothing(main: Coroutine[Any, Any, Any]) -> None:
    scheduler = CURRENT.get(None)
    if scheduler is not None and scheduler.os_thread == get_ident():
        main.close()
        raise MisuseError("run within run: await the coroutine, or start it in a nursery or by sys_fork")


def _of_program(error: BaseException) -> BaseException:
    """What a program ends by: of a group with a SystemExit that one, as an interpreter knows no group."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaving, others = error.split(SystemExit)
    if leaving is None:
        return error
    if others is not None:
        log.error("failed beside sys.exit", exc_info=others)
    first: BaseException = leaving
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _to_its_end(
    main: Coroutine[Any, Any, R], outcome: "list[R | Raise]", ctrl_c: CtrlC, stop: Callable[[], None]
) -> None:
    try:
        with CancelScope() as scope:
            if ctrl_c.is_taken:
                await sys_fork(ctrl_c.calls_off(scope), "Ctrl-C")
            outcome.append(await main)
        if scope.cancelled_caught:
            interrupt = KeyboardInterrupt()
            interrupt.add_note(f"at the first Ctrl-C there were {ctrl_c.stood}".rstrip())
            outcome.append(Raise(interrupt))
    except (Returning, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - raised by run
        without_machinery(error)
        outcome.append(Raise(error))
    finally:
        stop()
