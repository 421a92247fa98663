"""The event loop where asyncio is on top: it drives a scheduler of its own.

    with asyncio.Runner(loop_factory=gossamer.aio.new_event_loop) as runner:
        runner.run(main())

Owns that scheduler and its waiter. The loops that native threads need are plugged in when the first thread is
started: a program that is only asyncio's pays for none.
"""

import asyncio
import sys
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from gossamer.core.aio.eventloop import SchedulerEventLoop
from gossamer.core.aio.guest import AsyncioLoop
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.scheduler import Scheduler

R = TypeVar("R")


class TopEventLoop(SchedulerEventLoop):
    """asyncio's loop that drives a scheduler: each iteration is one turn. Raises: OSError where no descriptor
    is left."""

    def __init__(self) -> None:
        self._waiter = EpollWaiter()
        self._driven = Scheduler(self._waiter)
        self._is_first_turn = False
        try:
            super().__init__(self._driven)
        except OSError:
            self._waiter.close()
            raise
        self._mixes = False
        self._driven.add_loop(AsyncioLoop(lambda _scheduler: self))

    def create_thread(self, awaitable: Awaitable[R], *, name: str = "") -> "asyncio.Future[R]":
        """See `SchedulerEventLoop.create_thread`. The thread runs while the loop does."""
        if not self._mixes:
            self._let_threads_in()
        return super().create_thread(awaitable, name=name)

    def _let_threads_in(self) -> None:
        """Plug in what threads need, the first time that one is started."""
        pool = PoolLoop()
        for loop in (SleepLoop(), SockLoop(), FdLoop(), DescriptorLoop(), pool, DiskLoop(pool)):
            self._driven.add_loop(loop)
        self._mixes = True

    def run_forever(self) -> None:
        """Run until `stop`."""
        self._check_closed()
        self._check_running()
        with self._driven.driven():
            self._hooks_outside = sys.get_asyncgen_hooks()
            self._is_first_turn = True
            super().run_forever()

    def _run_once(self) -> None:
        if self._is_first_turn:
            self._is_first_turn = False
            self._driven.hasten()  # what was queued while it did not run
            if self._mixes:
                self._go_out()
        self._driven.turn()

    def close(self) -> None:
        """Close it, with its scheduler: threads that are blocked then are dropped. Twice is harmless."""
        if self.is_closed():
            return
        super().close()
        self._driven.close()
        self._waiter.close()


def new_event_loop() -> TopEventLoop:
    """A new event loop of asyncio's over a scheduler of its own.

    For `asyncio.Runner(loop_factory=...)`, `asyncio.run(..., loop_factory=...)` from Python 3.12 on, and
    servers that take the name of a factory: `uvicorn --loop gossamer.aio:new_event_loop`. Units: as
    asyncio's. Raises: OSError where no descriptor is left.

    >>> import asyncio
    >>> from gossamer import sleep
    >>> from gossamer.aio import new_event_loop
    >>> async def native():
    ...     await sleep(0.001)
    ...     return "from a native thread"
    >>> async def main():
    ...     await asyncio.sleep(0.001)
    ...     return await asyncio.get_running_loop().create_thread(native())
    >>> with asyncio.Runner(loop_factory=new_event_loop) as runner:
    ...     runner.run(main())
    'from a native thread'
    """
    return TopEventLoop()


def run(main: Coroutine[Any, Any, R], *, debug: bool | None = None) -> R:
    """As `asyncio.run`, on `new_event_loop`."""
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)
