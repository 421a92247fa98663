"""asyncio's event loop, driven by a scheduler's turns.

Owns when asyncio's handles run, and what the interpreter must believe meanwhile: which loop runs, and who
ends async generators that are left. Queue, timers, tasks, transports and everything else are the standard
library's; descriptors are the scheduler's (`core.aio.selector`).

    wait -> callbacks of ready descriptors: they queue handles
    -> ready threads, a bounded number
    -> asyncio's timers and handles, a bounded number
    -> the other loops' turns: one flush carries what threads and handles have sent

Either is on top, and a turn is the same: where a worker, or `gossamer.run`, drives the scheduler, the loop is
a guest in it (`core.aio.guest`); where asyncio drives the loop (`run_forever`, and so `asyncio.Runner`), each
of its iterations is one turn of a scheduler of its own (`core.aio.top`).

Source: PEP 3156; asyncio.base_events of Python 3.11 to 3.13, whose `_ready`, `_scheduled`, `_run_once` are
met.
"""

import asyncio
import sys
import time
from asyncio import Handle, base_events, events
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from heapq import heapify, heappop
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from gossamer.core.aio.ownsockets import OwnSocketLoop
from gossamer.core.aio.selector import SchedulerSelector
from gossamer.core.aio.thread import ThreadFuture
from gossamer.core.clock import NEVER_US, SECOND_US, monotonic_us
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.names import name_of

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

HANDLES_MAX: Final = 256
"""Handles run in one round, so that threads and loops are never starved by tasks."""

ROUNDS: Final = range(2)
"""Rounds of one turn."""

CANCELLED_TIMERS_MAX: Final = 100
"""Cancelled timers that are left in the heap until they would be due, unless they are most of it."""

Hooks = tuple[Callable[[Any], None] | None, Callable[[Any], None] | None]
"""What Python calls when an async generator is begun, and when one is left."""


class RunningHandles:
    """Prints as what of asyncio's runs just now: who holds the scheduler's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __repr__(self) -> str:
        task = asyncio.current_task(self._loop)
        return "a callback of asyncio's" if task is None else repr(task)


class SchedulerEventLoop(OwnSocketLoop):
    """asyncio's loop over a scheduler: what both ways of driving it have in common.

    All of asyncio works in it: tasks, timers, transports, subprocesses, executors, signals. Beside that
    `create_thread` starts a native thread from within a task.

    Bounds: HANDLES_MAX handles in a round, two rounds in a turn.
    """

    # The standard library's, which it does not say.
    _ready: deque[asyncio.Handle]
    _scheduled: list[Any]
    _stopping: bool
    _thread_id: int | None
    _closed: bool
    _debug: bool
    _timer_cancelled_count: int
    _clock_resolution: float
    _current_handle: asyncio.Handle | None
    _asyncgen_firstiter_hook: Callable[[Any], None]
    _asyncgen_finalizer_hook: Callable[[Any], None]
    _check_closed: Callable[[], None]
    _check_running: Callable[[], None]
    _set_coroutine_origin_tracking: Callable[[bool], None]

    def __init__(self, scheduler: SchedulerPort) -> None:
        self.scheduler = scheduler
        """What the loop is a guest of."""
        is_virtual = scheduler.clock is not monotonic_us
        self._time = self._virtual_time if is_virtual else time.monotonic
        self._mixes = True
        """Whether native threads run beside the handles: then what the interpreter believes is changed for
        these, and put back."""
        self.rests: bool = False
        """Whether the last turn has left nothing to do but what is ready, or set, since."""
        self.beginning: Context | None = None
        """Of the task that is being made, where its first step is not to be queued."""
        self.first_step: Callable[..., object] | None = None
        """That step, once the task is made."""
        self._hooks_outside: Hooks = (None, None)
        self._running_handles = RunningHandles(self)
        selector = SchedulerSelector(scheduler)
        super().__init__(selector)
        selector.ready = self._ready
        self._hooks_inside: Hooks = (self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)

    # What a task may ask beside what asyncio has.

    def create_thread(self, awaitable: Awaitable[R], *, name: str = "") -> "asyncio.Future[R]":
        """Start a native thread, as `create_task` starts a task; the future of its end.

            data = await loop.create_thread(stream.recv())

        The thread may make every system call that a loop of the scheduler takes; it has a copy of the
        caller's context variables. Cancelling the future, or the task that awaits it, cancels the thread: it
        ends as threads do, `finally` clauses first, and then the future is done. On the loop's own
        operating-system thread only.
        """
        future = ThreadFuture(self)
        self.scheduler.spawn(future.run(awaitable), name or name_of(awaitable), copy_context())
        return future

    # The turn.

    def run_handles(self) -> int:
        """Run what is due and what is ready, a bounded number; when to be called again at the latest."""
        if self._scheduled:
            self._queue_due()
        ready = self._ready
        if ready:
            self._run_ready(ready)
            if ready:
                return 0
        return self._next_us() if self._scheduled else NEVER_US

    def _queue_due(self) -> None:
        """Move the timers that are due to the queue, and sweep out those that were cancelled."""
        scheduled = self._scheduled
        if self._timer_cancelled_count > max(CANCELLED_TIMERS_MAX, len(scheduled) // 2):
            self._sweep()
        until = self._time() + self._clock_resolution
        while scheduled:
            handle = scheduled[0]
            if handle._cancelled:
                self._timer_cancelled_count -= 1
            elif handle._when < until:
                self._ready.append(handle)
            else:
                return
            heappop(scheduled)._scheduled = False

    def _sweep(self) -> None:
        kept = []
        for handle in self._scheduled:
            if handle._cancelled:
                handle._scheduled = False
            else:
                kept.append(handle)
        heapify(kept)
        self._scheduled[:] = kept
        self._timer_cancelled_count = 0

    def _next_us(self) -> int:
        """When the first timer is due, by the scheduler's clock."""
        when = self._scheduled[0]._when * SECOND_US
        return int(when) + 1 if when < NEVER_US else NEVER_US

    def _run_ready(self, ready: deque[asyncio.Handle]) -> None:
        """Run what is ready, and what that has made ready: the task that a callback wakes up still sends in
        this turn. No further, or a task that yields would run for ever."""
        if self._mixes:
            self._come_in()
        run = self._run_debugged if self._debug else asyncio.Handle._run
        handle: asyncio.Handle | None = None
        try:
            for _ in ROUNDS:
                todo = len(ready)
                for _ in range(min(todo, HANDLES_MAX)):
                    handle = ready.popleft()
                    if not handle._cancelled:
                        run(handle)
                if self._stopping:
                    # What was ready before `stop` runs, however much it is.
                    for _ in range(todo - HANDLES_MAX):
                        handle = ready.popleft()
                        if not handle._cancelled:
                            run(handle)
                    break
        finally:
            del handle  # it leads to its task, whose error leads to this frame from Python 3.12 on
            if self._mixes:
                self._go_out()

    def _come_in(self) -> None:
        events._set_running_loop(self)
        self.scheduler.guest = self._running_handles
        self._hooks_outside = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*self._hooks_inside)

    def _go_out(self) -> None:
        sys.set_asyncgen_hooks(*self._hooks_outside)
        self.scheduler.guest = None
        events._set_running_loop(None)

    def _run_debugged(self, handle: asyncio.Handle) -> None:
        """In debug mode a slow handle is named, as asyncio's own loop does."""
        self._current_handle = handle
        begun = self._time()
        try:
            handle._run()
        finally:
            self._current_handle = None
        took = self._time() - begun
        if took >= self.slow_callback_duration:
            shown = base_events._format_handle(handle)  # type: ignore[attr-defined]  # asyncio's own way
            logger = base_events.logger  # type: ignore[attr-defined]  # as above
            logger.warning("Executing %s took %.3f seconds", shown, took)
        del handle  # as above

    # What asyncio asks of its loop.

    def time(self) -> float:
        """The scheduler's clock. Units: seconds."""
        return self._time()

    def _virtual_time(self) -> float:
        return self.scheduler.clock() / SECOND_US

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """See asyncio's: the same in fewer steps."""
        if self.beginning is not None and self.beginning is context:
            self.first_step = callback
            return None  # type: ignore[return-value]  # no task looks at it
        if self._closed or self._debug:
            handle = super().call_soon(callback, *args, context=context)
            if handle._source_traceback:  # type: ignore[attr-defined]  # asyncio's: where it was made
                del handle._source_traceback[-1]  # type: ignore[attr-defined]  # our own frame
            return handle
        made = Handle(callback, args, self, context)
        self._ready.append(made)
        return made
