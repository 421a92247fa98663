"""The plug: asyncio as one more loop of a scheduler that a worker, or `gossamer.run`, drives.

Owns the event loop while it is a guest, and which native threads wait for which of its futures.

    guest = AsyncioLoop()
    scheduler.add_loop(guest)                     # in a worker; or: gossamer.run(main(), [guest])
    guest.create_task(serve(), name="serve")      # a task, from wherever the scheduler's code runs
    result = await sys_await_future(coroutine())  # a native thread waits for one
    data = await loop.create_thread(native())     # a task waits for a native thread
    await guest.shut_down()                       # at the end, in a native thread

Within tasks and callbacks `asyncio.get_running_loop()` is `guest.loop`; native threads see no running loop.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from functools import partial
from threading import get_ident
from typing import Any, NoReturn, TypeVar

from gossamer.core.aio.calls import AwaitFuture, future_of, sys_await_future
from gossamer.core.aio.eventloop import SchedulerEventLoop
from gossamer.core.aio.standby import AtRest
from gossamer.core.clock import NEVER_US
from gossamer.core.errors import MisuseError
from gossamer.core.loop.caught import CaughtSignal
from gossamer.core.threads.cancel import Cancelled
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread

R = TypeVar("R")


class GuestEventLoop(SchedulerEventLoop):
    """asyncio's loop in a scheduler that others drive: it runs from its first turn until the scheduler is
    closed, and nobody else runs, stops or closes it."""

    # asyncio's, which it does not say.
    _check_signal: Callable[[int], None]
    _add_callback_signalsafe: Callable[[asyncio.Handle], None]

    def __init__(self, scheduler: SchedulerPort) -> None:
        super().__init__(scheduler)
        self._caught: dict[int, CaughtSignal] = {}

    def run_handles(self) -> int:
        """As that of every such loop; the first turn is when it begins to run."""
        if self._thread_id is None:
            self._thread_id = get_ident()
            self._set_coroutine_origin_tracking(self._debug)
        return super().run_handles()

    def add_signal_handler(  # type: ignore[override]  # asyncio's is generic
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """As asyncio's; Raises: RuntimeError for a signal that whoever drives the scheduler handles, as a
        worker does SIGTERM."""
        if asyncio.iscoroutine(callback) or asyncio.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_signal(sig)
        self._check_closed()
        self.remove_signal_handler(sig)
        if isinstance(signal.getsignal(sig), CaughtSignal):
            name = signal.Signals(sig).name
            raise RuntimeError(f"{name} is handled by the program that this event loop is a guest of")
        handle = asyncio.Handle(callback, args, self, None)

        # Not by asyncio's wake-up descriptor: there is one in a process, and it may be the worker's.
        def act(_number: int, _frame: object) -> None:
            self._add_callback_signalsafe(handle)

        try:
            self._caught[sig] = CaughtSignal(sig, act)
        except (ValueError, OSError) as error:  # on another thread than Python's main; SIGKILL
            raise RuntimeError(str(error)) from error

    def remove_signal_handler(self, sig: int) -> bool:
        """As asyncio's: what was there before handles it again."""
        self._check_signal(sig)
        caught = self._caught.pop(sig, None)
        if caught is None:
            return False
        caught.put_back()
        return True

    def end(self) -> None:
        """There will be no further turn: close it."""
        for number in tuple(self._caught):
            self.remove_signal_handler(number)
        if self._thread_id is not None:
            self._set_coroutine_origin_tracking(False)
            self._thread_id = None
        self.close()

    def run_forever(self) -> None:
        """Raises: RuntimeError: a scheduler drives this loop."""
        self._refuse("run")

    def stop(self) -> None:
        """Raises: RuntimeError: whoever drives the scheduler ends it."""
        self._refuse("stop")

    def _refuse(self, what: str) -> NoReturn:
        raise RuntimeError(f"cannot {what} this event loop: it is a guest of a scheduler, which drives it")


class AsyncioLoop:
    """asyncio for a scheduler: plug it in with `scheduler.add_loop`, or give it to `gossamer.run`.

    Its turn comes before those of the other loops, whenever it is plugged in: what handles send leaves with
    what threads have sent. Takes `AwaitFuture`.
    """

    comes_first = True

    def __init__(self, make: Callable[[SchedulerPort], SchedulerEventLoop] = GuestEventLoop) -> None:
        """`make` gives the event loop, once there is a scheduler."""
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            AwaitFuture: self._await_future,
            AtRest: lambda _thread, _call: BLOCKED,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {AwaitFuture: self._cancel}
        self._make = make
        self._loop: SchedulerEventLoop | None = None
        self._waiting: dict[Thread[Any], asyncio.Future[Any]] = {}
        """What each blocked thread waits for."""
        self._called_off: set[Thread[Any]] = set()
        """Those of them that are cancelled: their task is, and they wait for its end."""

    def start(self, scheduler: SchedulerPort) -> None:
        """Make the event loop."""
        self._scheduler = scheduler
        self._loop = self._make(scheduler)

    @property
    def loop(self) -> SchedulerEventLoop:
        """asyncio's event loop. Raises: MisuseError before the plug is in a scheduler."""
        if self._loop is None:
            raise MisuseError(
                "AsyncioLoop: plug it into a scheduler first: scheduler.add_loop, or gossamer.run"
            )
        return self._loop

    def turn(self, now_us: int) -> int:
        """Run asyncio's timers and handles. Where it has none, that is a look and no more: what else runs in
        this scheduler does not pay for it."""
        del now_us
        loop = self._loop
        assert loop is not None
        if loop.rests and not loop._ready and not loop._scheduled:
            return NEVER_US
        due_us = loop.run_handles()
        loop.rests = due_us >= NEVER_US
        return due_us

    def close(self) -> None:
        """Close the event loop. Tasks that are still there are dropped, and asyncio says so: `shut_down`
        before."""
        self._waiting.clear()
        if isinstance(self._loop, GuestEventLoop):
            self._loop.end()

    def create_task(
        self, coroutine: Coroutine[Any, Any, R], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[R]":
        """Start a coroutine of asyncio's as a task; it first runs in this turn or the next.

        On the scheduler's own operating-system thread, in a native thread, a callback or a handle, or before
        the scheduler runs; from others `asyncio.run_coroutine_threadsafe(coroutine, guest.loop)`. Hold the
        task: the loop itself does so weakly. An error that nobody awaits is logged by asyncio.
        """
        task = self.loop.create_task(coroutine, name=name, context=context)
        self._scheduler.hasten()  # it may be that no turn is near
        return task

    async def shut_down(self) -> None:
        """Cancel all tasks and wait for their ends, close async generators, end the default executor: what
        `asyncio.run` does at its end. In a native thread.

        Bounds: none of its own; put it in a scope with a deadline. A task that does not end then is dropped.
        """
        await sys_await_future(_shut_down(self.loop))

    def statistics(self) -> dict[str, int]:
        """Counts of now: tasks that have not ended (each is looked at), handles that are ready, timers that
        are set, and native threads that wait for asyncio."""
        return {
            "asyncio_tasks": len(asyncio.all_tasks(self.loop)),
            "asyncio_ready": len(self.loop._ready),
            "asyncio_timers": len(self.loop._scheduled),
            "asyncio_awaited": len(self._waiting),
        }

    # The call.

    def _await_future(self, thread: Thread[Any], call: AwaitFuture[Any]) -> Any:
        awaitable = call.awaitable
        if asyncio.iscoroutine(awaitable):
            # Its context is a copy of the thread's, as that of a task is of whoever made it.
            context = None if thread.context is None else thread.context.copy()
            future: asyncio.Future[Any] = self.loop.create_task(awaitable, context=context)
        else:
            future = future_of(awaitable, self.loop)
        self._waiting[thread] = future
        future.add_done_callback(partial(self._answer, thread))
        return BLOCKED

    def _answer(self, thread: Thread[Any], future: "asyncio.Future[Any]") -> None:
        """What a thread waited for is done."""
        if self._waiting.pop(thread, None) is None:
            return
        is_called_off = thread in self._called_off
        self._called_off.discard(thread)
        if future.cancelled():
            self._scheduler.throw(thread, Cancelled() if is_called_off else asyncio.CancelledError())
        elif (error := future.exception()) is not None:
            self._scheduler.throw(thread, error)
        else:
            self._scheduler.resume(thread, future.result())

    def _cancel(self, thread: Thread[Any], _call: AwaitFuture[Any]) -> bool:
        """Cancel what the thread waits for; it goes on when that has ended."""
        if thread in self._waiting and thread not in self._called_off:
            self._called_off.add(thread)
            # A deadline comes behind our turn: a thread wakes the scheduler, what is queued for ours does
            # not.
            self._scheduler.spawn(_cancels(self._waiting[thread]), "cancels a future")
        return False


async def _cancels(future: "asyncio.Future[Any]") -> None:
    future.cancel()


async def _shut_down(loop: SchedulerEventLoop) -> None:
    """In a task: end all others."""
    others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in others:
        task.cancel()
    for outcome in await asyncio.gather(*others, return_exceptions=True):
        if isinstance(outcome, Exception):
            loop.call_exception_handler(
                {"message": "unhandled exception while the event loop was shut down", "exception": outcome}
            )
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


def running_loop() -> SchedulerEventLoop:
    """The loop that runs the calling task. Raises: RuntimeError where none runs; MisuseError where it is not
    one of ours."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SchedulerEventLoop):
        raise MisuseError(f"{type(loop).__name__} runs here: no scheduler of native threads is below it")
    return loop


def create_thread(awaitable: Coroutine[Any, Any, R], *, name: str = "") -> "asyncio.Future[R]":
    """Start a native thread from within a task: `SchedulerEventLoop.create_thread` of the running loop."""
    return running_loop().create_thread(awaitable, name=name)
