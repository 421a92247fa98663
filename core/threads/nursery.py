"""Nurseries: threads that end before the block that started them does.

    async with open_nursery() as nursery:
        nursery.start_soon(fetch, url)
        nursery.start_soon(fetch, other)

The block is left when all of them have ended. When one fails, or the block itself does, the others are
cancelled, and what went wrong comes out as an ExceptionGroup. The words and the rules are trio's.

Source: N. J. Smith, "Notes on structured concurrency", 2018.
"""

import reprlib
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from inspect import isawaitable
from types import CoroutineType, TracebackType
from typing import Any, NoReturn, TypeVarTuple

from gossamer.core.errors import MisuseError, misuse
from gossamer.core.threads.calls import Park, Returning
from gossamer.core.threads.cancel import Cancelled, CancelScope
from gossamer.core.threads.current import CURRENT, current_scheduler
from gossamer.core.threads.names import name_of
from gossamer.core.threads.starting import Starting
from gossamer.core.threads.tracebacks import note_thread

Arguments = TypeVarTuple("Arguments")


class Nursery:
    """Where threads are started that end before it does.

    >>> from gossamer import open_nursery, run
    >>> async def fails(what):
    ...     raise ValueError(what)
    >>> async def main():
    ...     try:
    ...         async with open_nursery() as nursery:
    ...             nursery.start_soon(fails, "no such number")
    ...     except* ValueError as group:
    ...         print(group.exceptions)
    >>> run(main())
    (ValueError('no such number'),)

    Bounds: none of its own; the shard's memory bounds threads.
    """

    def __init__(self) -> None:
        self.cancel_scope: CancelScope = CancelScope()
        """Around the block and all threads of the nursery: `nursery.cancel_scope.cancel()` ends them."""
        self._children = 0
        self._errors: list[BaseException] = []
        self._waiters: deque[Callable[[None], None]] = deque()
        self._is_open = False
        self._is_closed = False

    @property
    def children(self) -> int:
        """How many of its threads have not ended."""
        return self._children

    def start_soon(
        self,
        function: Callable[[*Arguments], Awaitable[object]],
        *arguments: *Arguments,
        name: str = "",
    ) -> None:
        """Start `function(*arguments)` as a thread; it inherits the context variables of the caller.

        The function is called at once, so that wrong arguments are found here; what it returns is awaited by
        the thread.

        Raises: MisuseError outside of the nursery's block, and for what cannot be awaited; what the call
        raises.
        """
        label = self._label("start_soon", function, name)
        awaitable = function(*arguments)
        if type(awaitable) is not CoroutineType:
            _check_awaitable(f"start_soon: {label}", awaitable)
        self._start(self._run(awaitable, label), label)

    async def start(self, function: Callable[..., Awaitable[object]], *arguments: Any, name: str = "") -> Any:
        """Start `function(*arguments, started=...)` as a thread, and wait until it has called
        `started(value)`; returns the value. The thread goes on in the nursery.

        >>> from gossamer import nobody_waits, open_nursery, run
        >>> async def serve(port, *, started=nobody_waits):
        ...     started(f"listening on {port}")
        >>> async def main():
        ...     async with open_nursery() as nursery:
        ...         return await nursery.start(serve, 80)
        >>> run(main())
        'listening on 80'

        The keyword's default lets `start_soon` start the same function. What is raised before `started` is
        raised here, and the nursery does not hear of it. When this is cancelled, the thread is, and waited
        for.

        Raises: MisuseError, as `start_soon`, and when the thread ends without having called `started`.
        """
        label = self._label("start", function, name)
        starting = Starting(label)
        awaitable = function(*arguments, started=starting.started)
        _check_awaitable(f"start: {label}", awaitable)
        self._start(self._run(starting.run(awaitable), label), label)
        return await starting.wait()

    def _label(self, method: str, function: object, name: object) -> str:
        """What the thread is called. Raises: MisuseError where it cannot be started."""
        if not callable(function):
            if isinstance(function, CoroutineType):
                function.close()
            raise misuse(f"{method}: function", function, f"{method} takes a function and its arguments")
        if not isinstance(name, str):
            raise misuse(f"{method}: name", name, "a str")
        if self._is_closed:
            raise MisuseError("the nursery is closed: nothing can be started in it any more")
        if not self._is_open:
            raise MisuseError("the nursery is not open yet: async with open_nursery() as nursery: ...")
        current_scheduler()  # before the function is called, whose coroutine nobody would await else
        return name or name_of(function)

    def _start(self, coroutine: Coroutine[Any, Any, None], label: str) -> None:
        self._children += 1
        thread = CURRENT.get().spawn(coroutine, label)
        thread.context = copy_context()
        self.cancel_scope.adopt(thread)

    async def _run(self, awaitable: Awaitable[object], label: str) -> None:
        try:
            await awaitable
        except (Returning, KeyboardInterrupt):
            raise
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not _runs(sys._getframe()):
                raise  # nobody raised it: the thread is thrown away
            self._failed(error)
            note_thread(error, label)
        finally:
            self._children -= 1
            if not self._children and self._waiters:
                self._waiters.popleft()(None)

    def _failed(self, error: BaseException) -> None:
        self._errors.append(error)
        self.cancel_scope.cancel()

    async def __aenter__(self) -> "Nursery":
        if self._is_open or self._is_closed:
            raise MisuseError("a nursery is entered once: open another one")
        self.cancel_scope.__enter__()
        self._is_open = True
        return self

    def __enter__(self) -> NoReturn:
        raise MisuseError("with open_nursery(): its end is awaited, `async with open_nursery()` is meant")

    def __exit__(self, *_error: object) -> None:
        """Never called; without it Python would not come as far as `__enter__`."""

    def __await__(self) -> Generator[Any, Any, NoReturn]:
        raise MisuseError("await open_nursery(): `async with open_nursery() as nursery: ...` is meant")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, Returning):
            self.cancel_scope.cancel()
        elif isinstance(error, GeneratorExit | KeyboardInterrupt):
            # The thread itself is thrown away, and may not block any more.
            self._is_closed = True
            self.cancel_scope.cancel()
            return self.cancel_scope.__exit__(kind, error, traceback)
        elif error is not None:
            self._failed(error)
        await self._all_ended()
        self._is_closed = True
        outcome = BaseExceptionGroup("threads of a nursery", self._errors) if self._errors else None
        try:
            caught = self.cancel_scope.__exit__(type(outcome) if outcome else None, outcome, None)
        finally:
            self._errors = []
        if outcome is None or caught:
            return not isinstance(error, Returning)
        try:
            if error is not None:
                raise outcome from None  # the block's own error stands in the group
            raise outcome
        finally:
            del outcome  # its traceback leads to this frame

    async def _all_ended(self) -> None:
        """Wait until the last child has ended; being cancelled meanwhile is passed on to the children."""
        while self._children:
            try:
                with CancelScope(shield=self.cancel_scope.is_cancelled):
                    await Park(self._waiters)
            except Cancelled as cancelled:
                self._failed(cancelled)


def _check_awaitable(what: str, found: object) -> None:
    """Raises: MisuseError."""
    if not isawaitable(found):
        returned = f"{what} returned {reprlib.repr(found)}, which cannot be awaited"
        raise MisuseError(f"{returned}: an async function is meant, or a method that returns a system call")


def _runs(frame: object) -> bool:
    """Whether a coroutine's frame is that of the thread which runs just now."""
    scheduler = CURRENT.get(None)
    running = scheduler.running if scheduler is not None else None
    return running is not None and getattr(running.coroutine, "cr_frame", None) is frame


def open_nursery() -> Nursery:
    """A nursery, to be entered with `async with`.

    >>> from gossamer import open_nursery, run
    >>> done = []
    >>> async def work(number):
    ...     done.append(number)
    >>> async def main():
    ...     async with open_nursery() as nursery:
    ...         for number in range(3):
    ...             nursery.start_soon(work, number)
    >>> run(main())
    >>> done
    [0, 1, 2]
    """
    return Nursery()
