"""asyncio on the scheduler: an event loop that is its guest, and the doors between tasks and native threads.

Where asyncio is on top, the loop is named by its factory, and everything written for asyncio runs as it is:

    with asyncio.Runner(loop_factory=gossamer.aio.new_event_loop) as runner:
        runner.run(main())                                # gossamer.aio.run(main()) is the same

    uvicorn --loop gossamer.aio:new_event_loop module:app

Where native threads are on top, asyncio is one more loop of their scheduler:

    gossamer.run(main(), [gossamer.aio.AsyncioLoop()])

In either, both live on one operating-system thread, in turn, over one epoll; and wait for each other:

    in a native thread    await sys_await_future(coroutine())    a coroutine, a task, a future of asyncio's
    in a task             await create_thread(native())          a native thread, or one system call

Errors travel along, and cancelling too: a cancelled thread cancels the task that it waits for, a cancelled
task the thread; each goes on when the other has ended. A task sees asyncio's running loop, a native thread
sees none: `asyncio.sleep` is for the one, `gossamer.sleep` for the other.

>>> import asyncio
>>> from gossamer import run, sleep
>>> from gossamer.aio import AsyncioLoop, create_thread, sys_await_future
>>> async def native(number):
...     await sleep(0.001)
...     return number + 1
>>> async def task(number):
...     await asyncio.sleep(0.001)
...     return 2 * await create_thread(native(number))
>>> async def main():
...     return await sys_await_future(task(20))
>>> run(main(), [AsyncioLoop()])
42
"""

from gossamer.core.aio.calls import AwaitFuture, sys_await_future
from gossamer.core.aio.eventloop import SchedulerEventLoop
from gossamer.core.aio.guest import AsyncioLoop, create_thread
from gossamer.core.aio.stacks import StreamStack
from gossamer.core.aio.top import new_event_loop, run

__all__ = [
    # asyncio on top.
    "new_event_loop",
    "run",
    # asyncio as a guest.
    "AsyncioLoop",
    "SchedulerEventLoop",
    # Addresses that another stack than the kernel's serves: `loop.on_stack`.
    "StreamStack",
    # The doors.
    "sys_await_future",
    "AwaitFuture",
    "create_thread",
]
