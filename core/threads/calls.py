"""The system calls that the thread library itself names.

Owns the call values; beside each stands which loop takes it. Errors need no calls of their own: the
paper's `sys_throw` is `raise` and its `sys_catch` is `try` (below as a coroutine, for code that is built
from values).

Source: Li and Zdancewic, PLDI 2007, figures 6 and 11.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from inspect import CO_COROUTINE, iscoroutinefunction
from types import BuiltinFunctionType, CoroutineType, FunctionType
from typing import Any, Final, Never, NoReturn, ParamSpec, TypeVar

from gossamer.core.errors import check_whole, misuse
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread, check_coroutine

P = ParamSpec("P")
R = TypeVar("R")

FD_MAX: Final = (1 << 31) - 1
"""The kernel's int."""

EVENTS_MASK: Final = (1 << 32) - 1
"""epoll's 32 event bits."""


def check_fd(argument: str, found: object) -> None:
    """Raises: MisuseError for anything but the number of a descriptor.

    -1, the number of a closed file or socket, is left to the kernel, which says EBADF.
    """
    check_whole(argument, found, -1, FD_MAX, "the number of a descriptor, as fileno() returns it")


def check_events(argument: str, found: object) -> None:
    """Raises: MisuseError for what are no event bits of epoll's."""
    check_whole(argument, found, 0, EVENTS_MASK, "event bits, as select.EPOLLIN | select.EPOLLOUT")


# Each call looks at the common case itself, in one expression; the functions here are for what is not that,
# and say which argument it was.


def _check_fork(call: "Fork[Any]") -> None:
    check_coroutine("sys_fork: coroutine", call.coroutine)
    if not isinstance(call.name, str):
        raise misuse("sys_fork: name", call.name, "a str")
    if call.context is not None and not isinstance(call.context, Context):
        raise misuse("sys_fork: context", call.context, "contextvars.copy_context(), or None")


def _check_job(what: str, function: object, arguments: object) -> None:
    kind = type(function)
    if not callable(function):
        raise misuse(f"{what}: function", function, "a function, and its arguments after it")
    # Most are one of these two, and `iscoroutinefunction` would take longer than many a function itself.
    is_plain = kind is BuiltinFunctionType or (
        kind is FunctionType and not function.__code__.co_flags & CO_COROUTINE  # type: ignore[attr-defined]
    )
    if not is_plain and iscoroutinefunction(function):
        name = getattr(function, "__name__", "it")
        raise misuse(f"{what}: function", function, f"a plain function; an async one is awaited: {name}(...)")
    if not isinstance(arguments, tuple):
        raise misuse(f"{what}: arguments", arguments, "a tuple")


class Fork(SystemCall[Thread[R]], frozen=True):
    """Start a thread; returns it. Taken by the scheduler.

    >>> from gossamer import run, sys_fork, sys_join
    >>> async def square(number):
    ...     return number * number
    >>> async def main():
    ...     threads = [await sys_fork(square(number)) for number in range(4)]
    ...     return [await sys_join(thread) for thread in threads]
    >>> run(main())
    [0, 1, 4, 9]
    """

    coroutine: Coroutine[Any, Any, R]
    name: str = ""
    context: Context | None = None
    """Where its context variables live; None: it shares those of whoever runs the scheduler."""

    def __post_init__(self) -> None:
        coroutine, context = self.coroutine, self.context
        is_plain = type(coroutine) is CoroutineType and not coroutine.cr_suspended and type(self.name) is str
        if not is_plain or (context is not None and type(context) is not Context):
            _check_fork(self)


class Yield(SystemCall[None], frozen=True, gc=False):
    """Go to the back of the ready queue. Taken by the scheduler.

    >>> from gossamer import run, sys_fork, sys_join, sys_yield
    >>> async def counts(name):
    ...     for number in range(2):
    ...         print(name, number)
    ...         await sys_yield()
    >>> async def main():
    ...     for thread in [await sys_fork(counts(name)) for name in ("ann", "bob")]:
    ...         await sys_join(thread)
    >>> run(main())
    ann 0
    bob 0
    ann 1
    bob 1
    """


class Returning(BaseException):
    """On its way out of a thread that has made the call `Ret`. Let it pass, as `Cancelled`."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


class Ret(SystemCall[Never], frozen=True):
    """End this thread with a value, from any depth; its `finally` clauses run, and may block. Taken by the
    scheduler.

    >>> from gossamer import run, sys_ret
    >>> async def deep():
    ...     await sys_ret("left from within")
    >>> async def main():
    ...     await deep()
    ...     print("never printed")
    >>> run(main())
    'left from within'
    """

    value: Any = None


class Join(SystemCall[R], frozen=True):
    """Wait for a thread's end; returns its value or raises what ended it. Taken by the scheduler.

    >>> from gossamer import run, sys_fork, sys_join
    >>> async def fails():
    ...     raise ValueError("no such number")
    >>> async def main():
    ...     try:
    ...         await sys_join(await sys_fork(fails()))
    ...     except ValueError as error:
    ...         print("joined:", error)
    >>> run(main())
    joined: no such number
    """

    thread: Thread[R]

    def __post_init__(self) -> None:
        if type(self.thread) is not Thread:
            raise misuse("sys_join: thread", self.thread, "a thread, as sys_fork returns it")


class Nbio(SystemCall[Any], frozen=True):
    """Run a function that does not block, now; what it raises is raised here. Taken by the scheduler."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __post_init__(self) -> None:
        _check_job("sys_nbio", self.function, self.arguments)


class Park(SystemCall[R], frozen=True):
    """Block until somebody calls the function that this puts into `waiters`; returns its argument.

    What locks and queues between threads are made of. `waiters` is a `Waiters` of `gossamer.lowlevel`; or a
    plain deque, where few wait: a thread that is cancelled is searched for in it. Taken by the scheduler.

    >>> from gossamer import run, sys_fork, sys_join, sys_park, sys_yield
    >>> from gossamer.lowlevel import Waiters
    >>> async def waits(waiters):
    ...     return await sys_park(waiters)
    >>> async def main(waiters):
    ...     thread = await sys_fork(waits(waiters))
    ...     await sys_yield()
    ...     waiters.popleft()("news")
    ...     return await sys_join(thread)
    >>> run(main(Waiters()))
    'news'
    """

    waiters: deque[Callable[[R], None]]


class Sleep(SystemCall[None], frozen=True, gc=False):
    """Wait for a time. Taken by `core.loop.sleep`. Units: microseconds.

    >>> from gossamer import run, sys_fork, sys_join, sys_sleep
    >>> async def sleeper(ms):
    ...     await sys_sleep(ms * 1000)
    ...     print(ms)
    >>> async def main():
    ...     for thread in [await sys_fork(sleeper(ms)) for ms in (500, 100, 300)]:
    ...         await sys_join(thread)
    >>> run(main())
    100
    300
    500
    """

    us: int


class EpollWait(SystemCall[int], frozen=True, gc=False):
    """Wait until a descriptor is ready, level-triggered; returns epoll's event bits. Taken by
    `core.loop.fd.descriptor`, which has an `EdgeWatch` for what is edge-triggered.

    Raises: OSError (EBADF); ConnectionAbortedError when another thread closes it and says so, by
    `sys_notify_closing`; MisuseError where another thread waits for it, and for what cannot be watched, a
    regular file.
    """

    fd: int
    events: int

    def __post_init__(self) -> None:
        fd, events = self.fd, self.events
        is_plain = type(fd) is type(events) is int
        if not (is_plain and -1 <= fd <= FD_MAX and 0 <= events <= EVENTS_MASK):
            check_fd("sys_epoll_wait: fd", fd)
            check_events("sys_epoll_wait: events", events)


class NotifyClosing(SystemCall[None], frozen=True, gc=False):
    """Say that a descriptor is closed next: who waits for it, by `sys_epoll_wait` or an `EdgeWatch`, gets
    ConnectionAbortedError, and its number is free for the next that has it. Taken by
    `core.loop.fd.descriptor`.

    >>> import os
    >>> from select import EPOLLIN
    >>> from gossamer import open_nursery, run, sys_epoll_wait, sys_notify_closing, sys_yield
    >>> async def waits(fd):
    ...     try:
    ...         await sys_epoll_wait(fd, EPOLLIN)
    ...     except ConnectionAbortedError:
    ...         print("closed meanwhile")
    >>> async def main():
    ...     reader, writer = os.pipe()
    ...     async with open_nursery() as nursery:
    ...         nursery.start_soon(waits, reader)
    ...         await sys_yield()
    ...         await sys_notify_closing(reader)
    ...         os.close(reader)
    ...     os.close(writer)
    >>> run(main())
    closed meanwhile

    The kernel says nothing of a close: without this the thread would wait for ever. Where nobody waits
    nothing is done; it never blocks, so a `finally` clause of a cancelled thread may make it. What has a
    `close` of its own, a stream, a pipe, an `EdgeWatch`, does this itself.

    Raises: MisuseError for the descriptor of one of these.
    """

    fd: int

    def __post_init__(self) -> None:
        check_fd("sys_notify_closing: fd", self.fd)


class Blio(SystemCall[Any], frozen=True):
    """Run a blocking function in a pool of operating-system threads. Taken by `core.loop.pool`.

    Raises: whatever the function raises; BoundExceeded when the pool's queue is full.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __post_init__(self) -> None:
        _check_job("sys_blio", self.function, self.arguments)


class BlioToEnd(Blio, frozen=True):
    """As `Blio`, but a thread that is cancelled waits for the end: what the function opens or changes would
    otherwise be nobody's. Taken by `core.loop.pool`."""


sys_fork = Fork
sys_yield = Yield
sys_ret = Ret
sys_join = Join
sys_park = Park
sys_sleep = Sleep
sys_epoll_wait = EpollWait
sys_notify_closing = NotifyClosing


def _bound(function: Callable[..., R], named: dict[str, Any]) -> Callable[..., R]:
    """The function with its named arguments, where there are some."""
    return partial(function, **named) if named else function


def sys_nbio(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> SystemCall[R]:
    """Run function(*arguments), which does not block, at once.

    >>> from gossamer import run, sys_nbio
    >>> async def main():
    ...     return await sys_nbio(int, "ff", base=16)
    >>> run(main())
    255
    """
    return Nbio(_bound(function, named), arguments)


def sys_blio(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> SystemCall[R]:
    """Run function(*arguments), which may block, in the pool, among the thread's context variables.

    >>> from gossamer import run, sys_blio
    >>> async def main():
    ...     return await sys_blio(sorted, [2, 3, 1], reverse=True)
    >>> run(main())
    [3, 2, 1]
    """
    _check_job("sys_blio", function, arguments)  # the call itself gets the context's function
    return Blio(copy_context().run, (_bound(function, named), *arguments))


def sys_blio_to_end(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> SystemCall[R]:
    """Run function(*arguments), which may block, in the pool, and wait for its end even when cancelled."""
    _check_job("sys_blio_to_end", function, arguments)
    return BlioToEnd(copy_context().run, (_bound(function, named), *arguments))


def sys_throw(error: BaseException) -> NoReturn:
    """Raise an error: the paper's name for `raise`."""
    raise error


async def sys_catch(body: Awaitable[R], handler: Callable[[Exception], Awaitable[R]]) -> R:
    """Await `body`; if it raises, await what `handler` makes of the error. The paper's name for `try`.

    >>> from gossamer import run, sys_catch
    >>> async def fails():
    ...     raise ValueError("no")
    >>> async def describe(error):
    ...     return f"caught {error}"
    >>> run(sys_catch(fails(), describe))
    'caught no'
    """
    try:
        return await body
    except Exception as error:  # noqa: BLE001 - the handler decides, and raises again what it does not know
        caught = [error]
    return await handler(caught.pop())  # its traceback leads to this frame, which must not hold it
