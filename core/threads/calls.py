"""The system calls that the thread library itself names.

Owns the call values; which loop takes them is told beside each. Errors need no calls of their own: the
paper's `sys_throw` is `raise` and its `sys_catch` is `try` (below as a coroutine, for code that is built
from values).

Source: Li and Zdancewic, PLDI 2007, figures 6 and 11.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from typing import Any, Never, NoReturn, ParamSpec, TypeVar

from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread

P = ParamSpec("P")
R = TypeVar("R")


class Fork(SystemCall[Thread[R]], frozen=True, gc=False):
    """Start a thread; returns it. Taken by the scheduler."""

    coroutine: Coroutine[Any, Any, R]
    name: str = ""
    context: Context | None = None
    """Where its context variables live; None: it shares those of whoever runs the scheduler."""


class Yield(SystemCall[None], frozen=True, gc=False):
    """Go to the back of the ready queue. Taken by the scheduler."""

    def __await__(self) -> Generator[Any, Any, None]:
        # It returns nothing, so the iterator of a tuple will do: a generator takes 96 bytes more a thread.
        return iter((self,))  # type: ignore[return-value]


class Ret(SystemCall[Never], frozen=True, gc=False):
    """End this thread with a value, from any depth; its `finally` clauses run. Taken by the scheduler."""

    value: Any = None


class Join(SystemCall[R], frozen=True, gc=False):
    """Wait for a thread's end; returns its value or raises what ended it. Taken by the scheduler."""

    thread: Thread[R]


class Nbio(SystemCall[Any], frozen=True, gc=False):
    """Run a function that does not block, now; its OSError is raised here. Taken by the scheduler."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Park(SystemCall[R], frozen=True, gc=False):
    """Block until somebody calls the function that this puts into `waiters`; returns its argument.

    What locks and queues between threads are made of. Taken by the scheduler.
    """

    waiters: deque[Callable[[R], None]]


class Sleep(SystemCall[None], frozen=True, gc=False):
    """Wait for a time. Taken by `core.loop.sleep`. Units: microseconds."""

    us: int


class EpollWait(SystemCall[int], frozen=True, gc=False):
    """Wait until a descriptor is ready; returns epoll's event bits. Taken by `core.loop.descriptor`."""

    fd: int
    events: int


class AioRead(SystemCall[bytes], frozen=True, gc=False):
    """Read a file without blocking the worker; b"" at its end. Taken by `core.loop.disk`."""

    fd: int
    offset: int
    length: int


class AioWrite(SystemCall[int], frozen=True, gc=False):
    """Write to a file without blocking the worker; returns how many bytes were written. Taken by
    `core.loop.disk`.

    A descriptor opened with O_DIRECT takes whole blocks at their places only (EINVAL).
    """

    fd: int
    offset: int
    data: bytes

    @property
    def length(self) -> int:
        """Bytes to write."""
        return len(self.data)


class AioSync(SystemCall[None], frozen=True, gc=False):
    """Wait until what was written to a file is on the disk. Taken by `core.loop.disk`."""

    fd: int


class AioEngine(SystemCall[str], frozen=True, gc=False):
    """What moves the bytes of files here: "io_uring", "libaio" or "pool". Taken by `core.loop.disk`."""


class Blio(SystemCall[Any], frozen=True, gc=False):
    """Run a blocking function in a pool of operating-system threads. Taken by `core.loop.pool`.

    Raises: whatever the function raises; BoundExceeded when the pool's queue is full.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class BlioToEnd(Blio, frozen=True, gc=False):
    """The same, but a thread that is cancelled waits for the end: what it opens or changes would otherwise
    be nobody's."""


sys_fork = Fork
sys_yield = Yield
sys_ret = Ret
sys_join = Join
sys_park = Park
sys_sleep = Sleep
sys_epoll_wait = EpollWait
sys_aio_read = AioRead
sys_aio_write = AioWrite
sys_aio_sync = AioSync


def _bound(function: Callable[..., R], named: dict[str, Any]) -> Callable[..., R]:
    """The function with its named arguments, where there are some."""
    return partial(function, **named) if named else function


def sys_nbio(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> SystemCall[R]:
    """Run function(*arguments), which does not block, at once."""
    return Nbio(_bound(function, named), arguments)


def sys_blio(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> SystemCall[R]:
    """Run function(*arguments), which may block, in the pool.

    >>> from gossamer.core.loop.program import run
    >>> async def main():
    ...     return await sys_blio(sum, [1, 2, 3])
    >>> run(main())
    6
    """
    return Blio(_bound(function, named), arguments)


def sys_blio_to_end(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> SystemCall[R]:
    """Run function(*arguments), which may block, in the pool, and wait for its end even when cancelled."""
    return BlioToEnd(_bound(function, named), arguments)


def sys_throw(error: BaseException) -> NoReturn:
    """Raise an error: the paper's name for `raise`."""
    raise error


async def sys_catch(body: Awaitable[R], handler: Callable[[Exception], Awaitable[R]]) -> R:
    """Await `body`; if it raises, await what `handler` makes of the error. The paper's name for `try`.

    >>> from gossamer.core.loop.program import run
    >>> async def fails():
    ...     raise ValueError("no")
    >>> async def tell(error):
    ...     return f"caught {error}"
    >>> run(sys_catch(fails(), tell))
    'caught no'
    """
    try:
        return await body
    except Exception as error:  # noqa: BLE001 - the handler decides, and raises again what it does not know
        caught = error
    return await handler(caught)
