"""Nurseries: threads that end before the block that started them does.

    async with open_nursery() as nursery:
        nursery.start_soon(fetch, url)
        nursery.start_soon(fetch, other)

The block is left when all of them have ended. When one fails, or the block itself does, the others are
cancelled, and what went wrong comes out as an ExceptionGroup. The words and the rules are trio's.

Source: N. J. Smith, "Notes on structured concurrency", 2018.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from types import TracebackType
from typing import Final, TypeVarTuple

from gossamer.core.errors import GossamerError
from gossamer.core.threads.calls import Park, Returning
from gossamer.core.threads.cancel import Cancelled, CancelScope
from gossamer.core.threads.current import current_scheduler
from gossamer.core.threads.tracebacks import tell_of_thread

Arguments = TypeVarTuple("Arguments")

ENDINGS: Final = (Exception, Cancelled, BaseExceptionGroup)
"""What ends a thread and is told to its nursery. A group is what came out of a nursery inside it, with the
`Cancelled` of one that was cancelled from outside; GeneratorExit and KeyboardInterrupt are told to nobody."""


class Nursery:
    """Where threads are started that end before it does.

    >>> from gossamer.core.loop.program import run
    >>> from gossamer.core.threads.nursery import open_nursery
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
        self.cancel_scope = CancelScope()
        """Around the block and all threads of the nursery: `nursery.cancel_scope.cancel()` ends them."""
        self._children = 0
        self._errors: list[BaseException] = []
        self._waiters: deque[Callable[[None], None]] = deque()
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

        Raises: GossamerError when the block has been left, or for what is no function.
        """
        if not callable(function):
            raise GossamerError(f"start_soon takes a function and its arguments, not {function!r}")
        if self._is_closed:
            raise GossamerError("the nursery is closed: nothing can be started in it any more")
        self._children += 1
        label = name or getattr(function, "__qualname__", repr(function))
        thread = current_scheduler().spawn(self._run(function, arguments, label), label)
        thread.context = copy_context()
        self.cancel_scope.adopt(thread)

    async def _run(
        self, function: Callable[[*Arguments], Awaitable[object]], arguments: tuple[*Arguments], label: str
    ) -> None:
        try:
            await function(*arguments)
        except ENDINGS as error:
            tell_of_thread(error, label)
            self._failed(error)
        finally:
            self._children -= 1
            if not self._children and self._waiters:
                self._waiters.popleft()(None)

    def _failed(self, error: BaseException) -> None:
        self._errors.append(error)
        self.cancel_scope.cancel()

    async def __aenter__(self) -> "Nursery":
        self.cancel_scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, ENDINGS):
            self._failed(error)
        elif isinstance(error, Returning):
            self.cancel_scope.cancel()
        elif error is not None:
            # GeneratorExit and the like: the thread itself is thrown away, and may not block any more.
            self.cancel_scope.cancel()
            return self.cancel_scope.__exit__(kind, error, traceback)
        await self._all_ended()
        self._is_closed = True
        outcome = BaseExceptionGroup("threads of a nursery", self._errors) if self._errors else None
        try:
            caught = self.cancel_scope.__exit__(type(outcome) if outcome else None, outcome, None)
        finally:
            self._errors = []
        if outcome is not None and not caught:
            if error is not None:
                raise outcome from None  # the block's own error stands in the group
            raise outcome
        return not isinstance(error, Returning)

    async def _all_ended(self) -> None:
        """Wait until the last child has ended; being cancelled meanwhile is passed on to the children."""
        while self._children:
            try:
                with CancelScope(shield=self.cancel_scope.is_cancelled):
                    await Park(self._waiters)
            except Cancelled as cancelled:
                self._failed(cancelled)


def open_nursery() -> Nursery:
    """A nursery, to be entered with `async with`.

    >>> from gossamer.core.loop.program import run
    >>> from gossamer.core.threads.nursery import open_nursery
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
