"""The loop that takes `sys_blio`: a bounded pool of operating-system threads for what can only block.

Owns the pool's threads, their queue and the eventfd by which they notify the scheduler; what comes by
`core.loop.from_thread` is taken in here too. The pool's threads touch nothing else of ours: what they return
travels back through a queue, and every lightweight thread is resumed on the scheduler's own thread."""

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from queue import SimpleQueue
from select import EPOLLIN
from typing import Any, Final

from gossamer.core.errors import BoundExceeded
from gossamer.core.loop.from_thread import FromThread, Token, working_for
from gossamer.core.threads.calls import Blio, BlioToEnd
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Raise, Thread

OS_THREADS_MAX: Final = 8
THREADS: Final = 4
"""Of them an application has so many, where nothing else is asked for; the others are for what else blocks:
names that are looked up, files where nothing better reads them."""
THREADS_MAX: Final = 64
"""What an application may ask for, of a pool that has as many more."""
QUEUE_MAX: Final = 1024
"""Jobs that are queued or running."""

Done = Callable[[Any], None]
"""Called on the scheduler's thread with what a job returned, or with a `Raise` of its error."""

Job = tuple[Done, Callable[..., Any], tuple[Any, ...]]


class PoolLoop(PassiveLoop):
    """Runs blocking functions on other operating-system threads, which are started when first needed."""

    def __init__(
        self,
        os_threads_max: int = OS_THREADS_MAX,
        queue_max: int = QUEUE_MAX,
        at_start: Callable[[], None] | None = None,
    ) -> None:
        """`at_start` is called first in each of its threads; it must not raise."""
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            Blio: self._blio,
            BlioToEnd: self._blio,
            FromThread: lambda _thread, _call: self._token,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {Blio: self._cancel}
        self._waiting: dict[Thread[Any], object] = {}
        """What stands for the job that each thread waits for; the result for one that was cancelled is
        dropped."""
        self._os_threads_max = os_threads_max
        self._queue_max = queue_max
        self._at_start = at_start
        self._os_threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._results: deque[tuple[Done, Any]] = deque()
        self._pending = 0
        self._wakeup = Wakeup()
        self._is_closed = False

    def start(self, scheduler: SchedulerPort) -> None:
        """Watch the eventfd."""
        self._scheduler = scheduler
        self._token = Token(self._wakeup.wake, scheduler)
        scheduler.watch(self._wakeup.fd, EPOLLIN, self._collect)

    def close(self) -> None:
        """End the idle threads; one that is blocked in a function ends with it, and its result is dropped.

        Closing twice is harmless.
        """
        if self._is_closed:
            return
        self._is_closed = True
        for _ in self._os_threads:
            self._jobs.put(None)
        self._token.close()
        self._scheduler.unwatch(self._wakeup.fd)
        self._wakeup.close()

    def submit(self, done: Done, function: Callable[..., Any], *arguments: Any) -> None:
        """Run function(*arguments) in the pool and call `done` with what came of it.

        Raises: BoundExceeded when the queue is full.
        """
        if self._pending >= self._queue_max:
            raise BoundExceeded(
                f"{self._pending} blocking calls are pending: the pool's queue_max is reached"
            )
        self._pending += 1
        if self._pending > len(self._os_threads) < self._os_threads_max:
            self._start_os_thread()
        self._jobs.put((done, function, arguments))

    def statistics(self) -> dict[str, int]:
        """How many jobs are queued or running, and on how many threads."""
        return {"pool_pending": self._pending, "pool_os_threads": len(self._os_threads)}

    def _start_os_thread(self) -> None:
        name = f"gossamer-blio-{len(self._os_threads)}"
        os_thread = threading.Thread(
            target=serve_jobs,
            args=(self._jobs, self._results, self._wakeup, self._token, self._at_start),
            name=name,
            daemon=True,
        )
        os_thread.start()
        self._os_threads.append(os_thread)

    def _blio(self, thread: Thread[Any], call: Blio) -> Any:
        ticket = object()
        self.submit(partial(self._answer, thread, ticket), call.function, *call.arguments)
        self._waiting[thread] = ticket
        return BLOCKED

    def _answer(self, thread: Thread[Any], ticket: object, result: Any) -> None:
        """Give a thread what came of its job, which may be a `Raise`, unless it waits for it no more."""
        if self._waiting.get(thread) is ticket:
            del self._waiting[thread]
            self._scheduler.resume(thread, result)

    def _cancel(self, thread: Thread[Any], _call: Blio) -> bool:
        return self._waiting.pop(thread, None) is not None

    def _collect(self, _events: int) -> None:
        self._wakeup.acknowledge()
        # Bounds: no more than are there now, which is at most queue_max.
        for _ in range(len(self._results)):
            done, result = self._results.popleft()
            self._pending -= 1
            done(result)
        self._token.take_in()


class Wakeup:
    """An eventfd that may be closed while other threads still want to write to it."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._is_closed = False

    def wake(self) -> None:
        """Make the descriptor readable; from any thread."""
        with self._lock:
            if not self._is_closed:
                os.eventfd_write(self.fd, 1)

    def acknowledge(self) -> None:
        """Make it unreadable again."""
        os.eventfd_read(self.fd)

    def close(self) -> None:
        """Close it; from now on `wake` does nothing."""
        with self._lock:
            self._is_closed = True
            os.close(self.fd)


def serve_jobs(
    jobs: "SimpleQueue[Job | None]",
    results: "deque[tuple[Done, Any]]",
    wakeup: Wakeup,
    token: Token,
    at_start: Callable[[], None] | None,
) -> None:
    """What each thread of the pool does, until it gets None."""
    if at_start is not None:
        at_start()
    while (job := jobs.get()) is not None:
        done, function, arguments = job
        try:
            with working_for(token):
                result = function(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that called
            # This frame means nothing to the thread that called.
            trace = error.__traceback__
            result = Raise(error.with_traceback(trace.tb_next if trace is not None else None))
            del trace
        results.append((done, result))
        # The error leads to this frame all the same, as the caller of its own.
        del job, done, function, arguments, result
        wakeup.wake()
