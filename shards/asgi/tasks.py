"""A request's task, begun at once: its first step runs on the thread that has read the request.

asyncio puts the first step of a task behind all that is ready. An application that never waits is done with
it, so it would go through that queue, and the thread that waits for its end through another, for nothing. The
step is the task's own, in its own context: `asyncio.current_task()` is right from the first line on. Python
3.12 has the like (`eager_start`).

Owns the loop that does so, who of several applications in a worker ends it, and where they connect by the
server's stack; everything else of it is `core.aio.guest`'s.
"""

import asyncio
from collections import deque
from collections.abc import Container, Coroutine
from contextlib import ExitStack
from contextvars import copy_context
from typing import Any, Final, Protocol

from gossamer.core.aio.guest import AsyncioLoop, GuestEventLoop
from gossamer.core.aio.stacks import StreamStack
from gossamer.core.http.forwarded import Networks, is_among
from gossamer.core.io.stream import Connector
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.wire.flow import Address

LEAVING_MAX: Final = 256
"""Of those that have something to send, asked in one turn."""


class Leaving(Protocol):
    """What has something to send."""

    def leave(self) -> None:
        """Send it. It must neither wait nor raise."""


class ApplicationLoop(GuestEventLoop):
    """asyncio's loop in a worker that serves an application."""

    def __init__(self, scheduler: SchedulerPort) -> None:
        super().__init__(scheduler)
        self.leaving: deque[Leaving] = deque()
        """What tasks, and the threads before them, have put out in this turn: it leaves behind them all, so
        that what one of them has put out bit by bit is sent in one piece."""
        self.stays = False
        """Whether it runs now, and goes on to: see `stay`."""

    def let_leave(self, leaving: Leaving) -> None:
        """It has something to send, in this turn."""
        self.leaving.append(leaving)
        self.rests = False

    def run_handles(self) -> int:
        """As that of every such loop; then what has been put out leaves."""
        due_us = super().run_handles()
        leaving = self.leaving
        if not leaving:
            return due_us
        for _ in range(min(len(leaving), LEAVING_MAX)):
            leaving.popleft().leave()
        return 0 if leaving or self._ready else due_us

    def stay(self) -> None:
        """Be the loop that runs for as long as threads do that have called this, one after the other: to
        become it anew for each of their tasks takes a twentieth of a request. Called by a thread in which no
        code but the server's runs, beside tasks that begin in it."""
        scheduler = self.scheduler
        assert scheduler.running is not None
        scheduler.running.hosts = True
        self._come_in()
        scheduler.guest = None
        self.stays, scheduler.put_back = True, self._put_back

    def _put_back(self) -> None:
        self.stays, self.scheduler.put_back = False, None
        self._go_out()

    def begin_task(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """The task of a coroutine, which has run until it first waits, or to its end. Called by a native
        thread, where no task runs; hold the task, as of `create_task`."""
        self.beginning = context = copy_context()
        task = asyncio.Task(coroutine, loop=self, name=name, context=context)
        first_step: Any = self.first_step
        self.beginning = self.first_step = None
        if self.stays:
            self.scheduler.guest = self._running_handles
        else:
            self._come_in()
        try:
            context.run(first_step)
        finally:
            if self.stays:
                self.scheduler.guest = None
            else:
                self._go_out()
        return task


class AddressesIn(Container[Address]):
    """The addresses of networks, whatever their ports."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def __contains__(self, address: object) -> bool:
        return isinstance(address, tuple) and is_among(str(address[0]), self._networks)


class ApplicationGuest(AsyncioLoop):
    """asyncio for all applications of a worker: the last of them that ends shuts it down."""

    def __init__(self, on_stack: Networks = ()) -> None:
        """`on_stack` are addresses to which connections are opened by the connector of `connect_with`."""
        super().__init__(ApplicationLoop)
        self._applications = 0
        self._on_stack = on_stack
        self._connector: Connector | None = None
        self._given = ExitStack()

    def connect_with(self, connector: Connector) -> None:
        """To be called before it is plugged in, where there are such addresses."""
        self._connector = connector

    def start(self, scheduler: SchedulerPort) -> None:
        """Make the event loop."""
        super().start(scheduler)
        if self._connector is not None:
            stack = StreamStack(None, self._connector)
            self._given.enter_context(self.loop.on_stack(stack, AddressesIn(self._on_stack)))

    def join(self) -> None:
        """One more application runs in it."""
        self._applications += 1

    async def leave(self) -> None:
        """In a native thread: an application has ended. With the last one all tasks are cancelled."""
        self._applications -= 1
        if not self._applications:
            await self.shut_down()
