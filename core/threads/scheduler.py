"""The scheduler: runs ready threads a bounded number at a time, and hands each system call to the loop that
takes it.

Owns the ready queue, the table from call to handler, and the order of a turn:

    wait -> callbacks of ready descriptors -> ready threads, a bounded number -> every loop's turn

It knows no device: descriptors belong to the waiter, everything else to the loops.

Source: Li and Zdancewic, PLDI 2007, section 4.2.
"""

import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from threading import get_ident
from types import CoroutineType
from typing import Any, Final, TypeVar

from gossamer.core.clock import NEVER_US, Clock, monotonic_us
from gossamer.core.errors import GossamerError, without_frames
from gossamer.core.threads.calls import Fork, Returning, Yield
from gossamer.core.threads.cancel import Cancelled
from gossamer.core.threads.current import CURRENT, check_os_thread
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import EventLoop, PassiveLoop, Waiter, is_not_watched, wakes_nobody
from gossamer.core.threads.generators import left_generators_end_in
from gossamer.core.threads.introspection import blocked_in
from gossamer.core.threads.systemcall import Canceller, Handler, SystemCall, refusal
from gossamer.core.threads.thread import BLOCKED, ENDED, Raise, Thread, check_coroutine, throwable
from gossamer.core.threads.threadcalls import ThreadCalls
from gossamer.core.threads.tracebacks import note_thread

R = TypeVar("R")

log = logging.getLogger(__name__)

TURN_THREADS_MAX: Final = 64
"""Threads run in one turn, so that loops are never starved by threads, and what a thread wrote is still in
the processor's cache when its reader runs."""
_THREADS_IN_A_TURN: Final = range(TURN_THREADS_MAX)
ALARMS_MAX: Final = 256
"""Deadlines of cancel scopes that are handled in one turn."""
CALLS_IN_A_ROW_MAX: Final = 32
"""Calls a thread may make that are answered at once before it goes to the back of the queue."""
_CALLS_IN_A_ROW: Final = range(CALLS_IN_A_ROW_MAX)


class Scheduler:
    """Runs threads until none is left. `core.loop.program.run` makes one for a whole program; by hand:

    >>> from gossamer.lowlevel import EpollWaiter, Scheduler
    >>> async def greets(name):
    ...     print("hello,", name)
    >>> scheduler = Scheduler(EpollWaiter())
    >>> for name in ("ann", "bob"):
    ...     thread = scheduler.spawn(greets(name), name)
    >>> scheduler.run()
    hello, ann
    hello, bob

    Bounds: TURN_THREADS_MAX, CALLS_IN_A_ROW_MAX.
    """

    def __init__(self, waiter: Waiter, loops: Iterable[EventLoop] = (), clock: Clock = monotonic_us) -> None:
        self._waiter = waiter
        self.clock = clock
        self._now_us = clock()
        self._ready: deque[Thread[Any]] = deque()
        calls = ThreadCalls(self.resume, self.throw, self._unpark)
        self._handlers: dict[type, Handler] = {Fork: self._fork, Yield: self._yield, **calls.takes}
        self._cancellers: dict[type, Canceller] = dict(calls.cancels)
        self._alarms: DeadlineHeap[Callable[[], None]] | None = None
        self.running: Thread[Any] | None = None
        """The thread whose code runs just now."""
        self.guest: object | None = None
        """Whose code runs where no thread's does: the watchdog names it."""
        self.put_back: Callable[[], None] | None = None
        """Set by a guest that has changed what the interpreter believes, for the threads that host it."""
        self.os_thread: int = 0
        """The operating-system thread that `run` runs on; 0 outside of it."""
        self._loops: list[EventLoop] = []
        self._turns: list[Callable[[int], int]] = []
        self._due_us = 0
        """When a loop must have its next turn at the latest."""
        self._stopping = False
        self._threads = 0
        self._spawned_total = 0
        self.turns_total: int = 0
        self._thread_errors_total = 0
        self.watch: Callable[[int, int, Callable[[int], None]], None] = waiter.watch
        self.unwatch: Callable[[int], None] = waiter.unwatch
        self.is_watched: Callable[[int], bool] = getattr(waiter, "is_watched", is_not_watched)
        self.forget: Callable[[int], None] = getattr(waiter, "forget", waiter.unwatch)
        self.wake_at: Callable[[int, Callable[[int], None]], None] = getattr(waiter, "wake_at", wakes_nobody)
        for loop in loops:
            self.add_loop(loop)

    # What a user asks of it.

    def add_loop(self, loop: EventLoop) -> None:
        """Plug a loop in; its calls can be made from now on.

        Raises: ValueError where two loops take the same call.
        """
        taken = self._handlers.keys() & loop.takes.keys()
        if taken:
            names = ", ".join(sorted(call.__name__ for call in taken))
            raise ValueError(f"{type(loop).__name__} takes {names}, which another loop takes already")
        self._handlers.update(loop.takes)
        self._cancellers.update(getattr(loop, "cancels", {}))
        self._loops.append(loop)
        if not isinstance(loop, PassiveLoop):
            place = 0 if getattr(loop, "comes_first", False) else len(self._turns)
            self._turns.insert(place, loop.turn)
            self._due_us = 0
        loop.start(self)

    def spawn(
        self, coroutine: Coroutine[Any, Any, R], name: str = "", context: Context | None = None
    ) -> Thread[R]:
        """Start a thread; it first runs in the next turn. Its context variables live in `context`; without
        one it shares those of whoever called `run`. Raises: MisuseError for anything but a coroutine."""
        if type(coroutine) is not CoroutineType or coroutine.cr_suspended:
            check_coroutine("spawn: coroutine", coroutine)
        if context is not None and context.get(CURRENT) is not self:
            context.run(CURRENT.set, self)  # it was made where no thread of ours ran
        self._spawned_total += 1
        thread = Thread(coroutine, name, context, self._spawned_total)
        thread.inbox = None
        self._threads += 1
        self._ready.append(thread)
        return thread

    def start(self, thread: Thread[Any]) -> None:
        """Start a thread that was made elsewhere; else as `spawn`."""
        assert thread.context is not None
        thread.context.run(CURRENT.set, self)
        self._spawned_total += 1
        thread.number = self._spawned_total
        thread.inbox = None
        self._threads += 1
        self._ready.append(thread)

    def run(self) -> None:
        """Run until no thread is left, or until `stop`."""
        with self.driven():
            while self._threads and not self._stopping:
                self.turn()

    @contextmanager
    def driven(self) -> Iterator[None]:
        """In the block the calling operating-system thread may take turns: what `run` does until no thread is
        left, and another library's loop that stands above this one for as long as that likes."""
        self._stopping = False
        outer = CURRENT.set(self)
        self.os_thread = get_ident()
        try:
            with left_generators_end_in(self):
                try:
                    yield
                finally:
                    if self.put_back is not None:
                        self.put_back()
        finally:
            self.os_thread = 0
            CURRENT.reset(outer)

    def hasten(self) -> None:
        """The next turn does not sleep: for what a loop has been given while none of its turns was near."""
        self._due_us = 0

    def turn(self) -> None:
        """One turn, in a block of `driven`; it sleeps until there is something to do."""
        self._waiter.wait(self._patience_us())
        self._now_us = now_us = self.clock()
        if self._ready:
            self._run_ready()
        due_us = NEVER_US
        for turn in self._turns:
            loop_due_us = turn(now_us)
            if loop_due_us < due_us:
                due_us = loop_due_us
        self._due_us = due_us
        self.turns_total += 1

    def stop(self) -> None:
        """Have `run` return at the end of this turn; threads stay as they are and `run` can go on."""
        self._stopping = True

    def close(self) -> None:
        """Close every loop. Threads that are blocked then are dropped with whatever held them."""
        self._stopping = True
        for loop in reversed(self._loops):
            loop.close()

    def statistics(self) -> dict[str, int]:
        """Counts since the start, and how many threads there are and are ready now."""
        return {
            "threads": self._threads,
            "ready": len(self._ready),
            "turns_total": self.turns_total,
            "thread_errors_total": self._thread_errors_total,
        }

    # What a loop asks of it.

    def resume(self, thread: Thread[Any], value: Any = None) -> None:
        """Make a blocked thread ready; its call returns `value`."""
        assert thread.inbox is BLOCKED, f"{thread!r} is resumed twice"
        thread.inbox = value
        self._ready.append(thread)

    def throw(self, thread: Thread[Any], error: BaseException) -> None:
        """Make a blocked thread ready; its call raises `error`."""
        assert thread.inbox is BLOCKED, f"{thread!r} is resumed twice"
        thread.inbox = Raise(error)
        self._ready.append(thread)

    def _unpark(self, thread: Thread[Any], value: Any) -> None:
        """As `resume`, for whoever wakes a parked thread."""
        if self.os_thread != get_ident() and self.os_thread:
            check_os_thread(self)
        assert thread.inbox is BLOCKED, f"{thread!r} is resumed twice"
        thread.inbox = value
        self._ready.append(thread)

    def dismiss(self, thread: Thread[Any]) -> None:
        """End a blocked thread, whose call will not be answered any more."""
        assert thread.inbox is BLOCKED, f"{thread!r} is ready, and is dismissed"
        try:
            thread.coroutine.close()
        except Exception as error:  # noqa: BLE001 - of its own `finally` clauses: logged and counted
            self._fail(thread, error)
            without_frames(error)  # those that closed it have the thread
        else:
            self._end(thread, None)

    def perform(self, thread: Thread[Any], call: SystemCall[Any]) -> Any:
        """Make a call in the name of a thread that is blocked in nothing else: what its handler returns,
        BLOCKED among it. Raises: what the handler raises; NoLoopTakesCall."""
        handler = self._handlers.get(type(call))
        if handler is None:
            raise refusal(call, self._loops)
        return handler(thread, call)

    def now_us(self) -> int:
        """The time of this turn."""
        return self._now_us

    # Cancelling.

    def interrupt(self, thread: Thread[Any]) -> None:
        """Have a thread that stands in a cancelled scope wake up with `Cancelled`.

        One that is ready, or runs, or is blocked in a call that cannot be withdrawn gets it at its next
        blocking call.
        """
        if thread.inbox is not BLOCKED or thread is self.running or thread.joiners is ENDED:
            return
        call = blocked_in(thread)
        canceller = self._cancellers.get(type(call))
        if canceller is not None and canceller(thread, call):
            self.throw(thread, Cancelled())

    def set_alarm(self, at_us: int, callback: Callable[[], None]) -> None:
        """Call `callback` once `at_us` has passed."""
        if self._alarms is None:
            self._alarms = DeadlineHeap()
            self._turns.append(self._ring)
        self._alarms.push(at_us, callback)

    def clear_alarm(self, at_us: int, callback: Callable[[], None]) -> None:
        """Forget it again."""
        if self._alarms is not None:
            self._alarms.discard(at_us, callback)

    def _ring(self, now_us: int) -> int:
        assert self._alarms is not None
        if self._alarms.next_at_us <= now_us:
            for callback in self._alarms.pop_due(now_us, ALARMS_MAX):
                callback()
        return self._alarms.next_at_us

    def _block(self, thread: Thread[Any]) -> None:
        """A thread in a cancel scope has made a call that blocks: in a cancelled one it may not."""
        if not thread.scope.is_cancelled:  # type: ignore[union-attr]  # asked for a thread in a scope only
            return
        if thread.inbox is None:
            # The call has its answer already, and the answer says nothing: a yield, a sleep of no time.
            thread.inbox = Raise(Cancelled())
        elif thread.inbox is BLOCKED:
            self.running = None
            self.interrupt(thread)

    # Running threads.

    def _patience_us(self) -> int:
        """How long the waiter may sleep."""
        if self._ready or self._stopping:
            return 0
        if self._due_us >= NEVER_US:
            return NEVER_US
        return max(0, self._due_us - self.clock())

    def _run_ready(self) -> None:
        """Run ready threads, those too that become ready meanwhile, at most TURN_THREADS_MAX times."""
        ready = self._ready
        run = self._run_thread
        for _ in _THREADS_IN_A_TURN:
            if not ready:
                break
            self.running = thread = ready.popleft()
            if self.put_back is not None and not thread.hosts:
                self.put_back()
            run(thread)
        self.running = None
        if self.put_back is not None:
            self.put_back()
        del thread  # The error of one leads to this frame, as that to which its own returned.

    def _run_thread(self, thread: Thread[Any]) -> None:
        """Run a thread until it blocks, ends, or has made CALLS_IN_A_ROW_MAX calls.

        An error leads to the frames that it has passed, and each of them to the one that called it; from
        Python 3.12 on those of coroutines, too, so to this one. A thread holds what ended it: were it found
        here, that would be a ring. Hence each `del`, and no frame of Python between it and the thread's.
        """
        value = thread.inbox
        thread.inbox = BLOCKED
        coroutine = thread.coroutine
        send: Callable[[Any], Any] = coroutine.send
        if thread.context is not None:
            send = partial(thread.context.run, coroutine.send)  # type: ignore[call-arg]  # part of a ParamSpec
        handlers = self._handlers
        call: Any = None
        for _ in _CALLS_IN_A_ROW:
            try:
                if type(value) is not Raise:
                    call = send(value)
                elif thread.context is None:
                    call = coroutine.throw(throwable(value.error))
                else:
                    call = thread.context.run(coroutine.throw, throwable(value.error))
            except (StopIteration, Returning) as end:
                self._end(thread, end.value)
                del thread, coroutine, send, value, call
                return
            except KeyboardInterrupt:
                raise  # the second Ctrl-C: the way out of a program that does not end
            except BaseException as error:  # noqa: BLE001 - raised in whoever joins, or logged and counted
                self._fail(thread, error)
                del thread, coroutine, send, value, call
                return
            try:
                handler = handlers[type(call)]
            except KeyError:
                value = Raise(refusal(call, self._loops))
                continue
            try:
                value = handler(thread, call)
            except (OSError, GossamerError) as error:
                value = Raise(without_frames(error))
            if value is BLOCKED:
                if thread.scope is not None:
                    self._block(thread)
                del thread
                return
        thread.inbox = value
        self._ready.append(thread)
        del thread, value

    def _end(self, thread: Thread[Any], value: Any) -> None:
        """Record what a thread returned and resume those who join it."""
        self._threads -= 1
        joiners, thread.joiners = thread.joiners, ENDED
        thread.inbox = value
        if thread.scope is not None:
            thread.scope.leave(thread)
        for joiner in joiners or ():
            self.resume(joiner, value)

    def _fail(self, thread: Thread[Any], error: BaseException) -> None:
        """Record what ended a thread and raise it in those who join it; where nobody does, log it."""
        note_thread(error, thread.label)
        self._threads -= 1
        joiners, thread.joiners = thread.joiners, ENDED
        thread.inbox = Raise(error)
        if thread.scope is not None:
            thread.scope.leave(thread)
        for joiner in joiners or ():
            self.throw(joiner, error)
        if not joiners:
            self._thread_errors_total += 1
            log.error("%r was ended by an error", thread, exc_info=error)

    # The calls that put a thread into the ready queue.

    def _fork(self, _thread: Thread[Any], call: Fork[Any]) -> Thread[Any]:
        return self.spawn(call.coroutine, call.name, call.context)

    def _yield(self, thread: Thread[Any], _call: Yield) -> Any:
        self.resume(thread)
        return BLOCKED
