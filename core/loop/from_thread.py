"""From another operating-system thread into a scheduler: the one door that is safe.

    await sys_blio(works)                  # a function in the pool, which blocks as it likes

    def works():
        for step in range(100):
            ...
            from_thread.run_sync(progress.try_send, step)

A function that `sys_blio` runs finds its way back by itself; any other operating-system thread is given the
`Token` that `await sys_token()` returns. Locks, channels and nurseries themselves refuse other
operating-system threads.

Owns the calls that wait to be taken in, and who waits for their answers. What they call runs on the
scheduler's own thread, between two turns of its threads. The words are trio's.

Bounds: CALLS_MAX calls; the next raises BoundExceeded.
"""

import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from gossamer.core.errors import BoundExceeded, MisuseError, misuse
from gossamer.core.threads.calls import Returning
from gossamer.core.threads.current import CURRENT, NoSchedulerRuns, current_scheduler
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.names import name_of
from gossamer.core.threads.systemcall import SystemCall

P = ParamSpec("P")
R = TypeVar("R")

CALLS_MAX: Final = 1024
"""Calls that wait to be taken in, and calls that wait for their answer."""

log: logging.Logger = logging.getLogger(__name__)


class Token:
    """The way into one scheduler, for any operating-system thread; `await sys_token()` returns it.

    >>> import threading
    >>> from gossamer import Event, run, sys_token
    >>> async def main():
    ...     token, event = await sys_token(), Event()
    ...     threading.Thread(target=token.run_sync, args=(event.set,)).start()
    ...     await event.wait()
    ...     return "set from another thread"
    >>> run(main())
    'set from another thread'
    """

    def __init__(self, wake: Callable[[], None], scheduler: SchedulerPort) -> None:
        self._wake = wake
        self._scheduler: Any = scheduler
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        self._unanswered: dict[Future[Any], None] = {}
        self._is_closed = False

    def run_sync(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Run function(*arguments) between the scheduler's threads, and wait for what it returns. It must not
        block.

        Raises: what it raises; MisuseError on the scheduler's own thread, where it is called as it is;
        BoundExceeded; NoSchedulerRuns when the scheduler has ended.
        """
        self._check(function)
        answer: Future[R] = Future()
        self._ask(answer, partial(_answer, answer, partial(function, *arguments, **named)))
        try:
            return answer.result()
        finally:
            del answer  # an error's traceback leads to this frame

    def run(self, function: Callable[P, Awaitable[R]], *arguments: P.args, **named: P.kwargs) -> R:
        """Run function(*arguments), an async one, as a thread of the scheduler's, and wait for what it
        returns. The thread belongs to nobody: it has no nursery.

        Raises: as `run_sync`.
        """
        self._check(function)
        answer: Future[R] = Future()
        label = f"{name_of(function)} from a thread"
        self._ask(answer, partial(_spawn, answer, partial(function, *arguments, **named), label))
        try:
            return answer.result()
        finally:
            del answer  # as in `run_sync`

    def run_sync_soon(self, function: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
        """As `run_sync`, without waiting: from any thread, the scheduler's own too. An error is logged.

        Raises: BoundExceeded; NoSchedulerRuns when the scheduler has ended.
        """
        if not callable(function):
            raise misuse("from_thread: function", function, "a function, and its arguments after it")
        self._ask(None, lambda: _log_error(lambda: function(*arguments, **named)))

    def take_in(self) -> None:
        """Run what was asked for; the scheduler's loop calls this. Bounds: no more than wait now."""
        for _ in range(len(self._calls)):
            self._calls.popleft()()

    def close(self) -> None:
        """The scheduler has ended: those who wait get an error, those who come later are refused."""
        with self._lock:
            self._is_closed = True
            unanswered = list(self._unanswered)
            self._calls.clear()
        for answer in unanswered:
            if not answer.done():
                answer.set_exception(NoSchedulerRuns("the scheduler ended before it answered"))

    def _check(self, function: object) -> None:
        if not callable(function):
            raise misuse("from_thread: function", function, "a function, and its arguments after it")
        runs_here: Any = CURRENT.get(None)
        is_ours = runs_here is self._scheduler
        if is_ours and runs_here.os_thread == threading.get_ident():
            raise MisuseError("from_thread on the scheduler's own thread waits for itself: call it as it is")

    def _ask(self, answer: Future[Any] | None, call: Callable[[], None]) -> None:
        with self._lock:
            if self._is_closed:
                raise NoSchedulerRuns("the scheduler has ended")
            if max(len(self._calls), len(self._unanswered)) >= CALLS_MAX:
                raise BoundExceeded(f"{CALLS_MAX} calls from threads wait already (from_thread.CALLS_MAX)")
            if answer is not None:
                self._unanswered[answer] = None
            self._calls.append(call)
        if answer is not None:
            answer.add_done_callback(self._forget)
        self._wake()

    def _forget(self, answer: Future[Any]) -> None:
        with self._lock:
            self._unanswered.pop(answer, None)


class FromThread(SystemCall[Token], frozen=True):
    """The token of this scheduler. Taken by `core.loop.pool`."""


sys_token = FromThread


class _Here(threading.local):
    """Which scheduler an operating-system thread works for."""

    token: Token | None = None


_HERE: Final = _Here()


@contextmanager
def working_for(token: Token) -> Iterator[None]:
    """In the block, `run_sync` and `run` find the token by themselves."""
    _HERE.token = token
    try:
        yield
    finally:
        _HERE.token = None


def _token() -> Token:
    if _HERE.token is None:
        raise MisuseError(
            "from_thread: this operating-system thread is none of a pool's: "
            "give it the token that `await sys_token()` returns, and call token.run_sync"
        )
    return _HERE.token


def run_sync(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """`Token.run_sync`, for a function in the pool.

    >>> from gossamer import Channel, from_thread, run, sys_blio
    >>> def works(channel):
    ...     for number in range(3):
    ...         from_thread.run_sync(channel.try_send, number)
    ...     from_thread.run_sync(channel.close)
    >>> async def main():
    ...     channel = Channel(capacity=8)
    ...     await sys_blio(works, channel)
    ...     return [number async for number in channel]
    >>> run(main())
    [0, 1, 2]
    """
    return _token().run_sync(function, *arguments, **named)


def run(function: Callable[P, Awaitable[R]], *arguments: P.args, **named: P.kwargs) -> R:
    """`Token.run`, for a function in the pool."""
    return _token().run(function, *arguments, **named)


def _spawn(answer: Future[R], function: Callable[[], Awaitable[R]], label: str) -> None:
    current_scheduler().spawn(_answer_of_thread(answer, function), label)


async def _answer_of_thread(answer: Future[R], function: Callable[[], Awaitable[R]]) -> None:
    try:
        result = await function()
    except Returning as end:
        answer.set_result(end.value)
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise  # the program ends, and `close` gives an error to those who wait
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
        answer.set_exception(_for_another_thread(error))
        del answer  # the error's traceback leads to this frame
    else:
        answer.set_result(result)


def _answer(answer: Future[R], function: Callable[[], R]) -> None:
    try:
        result = function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
        answer.set_exception(_for_another_thread(error))
        del answer  # the error's traceback leads to this frame
    else:
        answer.set_result(result)


def _for_another_thread(error: BaseException) -> BaseException:
    """An error for another operating-system thread; a StopIteration can be raised in none."""
    return RuntimeError(f"raised {error!r}") if isinstance(error, StopIteration) else error


def _log_error(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception:
        log.exception("a function from another thread failed")
