"""The system call by which a native thread waits for what asyncio runs.

Owns the call's value; `core.aio.guest` takes it.
"""

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Final, TypeVar

from gossamer.core.errors import MisuseError, misuse
from gossamer.core.threads.systemcall import SystemCall

R = TypeVar("R")

AWAITABLE: Final = "a coroutine, a task or a future of asyncio's; a system call is awaited as it is"


class AwaitFuture(SystemCall[R], frozen=True):
    """Wait for a coroutine, a task or a future of asyncio's; returns its result, or raises its error.

    A coroutine becomes a task of the asyncio loop of this scheduler, with a copy of the thread's context
    variables. Where the thread is cancelled, so is the task, as if a task awaited it: the thread goes on once
    it has ended. What others wait for too is awaited by `asyncio.shield(task)`.

    >>> import asyncio
    >>> from gossamer import run
    >>> from gossamer.aio import AsyncioLoop, sys_await_future
    >>> async def task(number):
    ...     await asyncio.sleep(0.001)
    ...     return 2 * number
    >>> async def main():
    ...     return await sys_await_future(task(21))
    >>> run(main(), [AsyncioLoop()])
    42

    Raises: what was awaited raises; asyncio.CancelledError where somebody else cancelled it; MisuseError for
    what cannot be awaited, or belongs to another loop; NoLoopTakesCall where the scheduler has no asyncio
    loop.
    """

    awaitable: Awaitable[R]

    def __post_init__(self) -> None:
        if isinstance(self.awaitable, SystemCall) or not isawaitable(self.awaitable):
            raise misuse("sys_await_future: awaitable", self.awaitable, AWAITABLE)


def future_of(awaitable: Awaitable[R], loop: asyncio.AbstractEventLoop) -> "asyncio.Future[R]":
    """As a future of that loop. Raises: MisuseError for one of another."""
    if asyncio.isfuture(awaitable) and awaitable.get_loop() is not loop:
        raise MisuseError("sys_await_future: the future belongs to another event loop than this scheduler's")
    return asyncio.ensure_future(awaitable, loop=loop)


sys_await_future = AwaitFuture
