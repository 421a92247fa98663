"""Async generators that are left before their end: their `finally` clauses run, and may block.

    async for line in lines(stream):
        if line == b"quit":
            break                  # a `finally` clause of `lines` may still send and close

Owns what Python does then, by a hook of the interpreter. A generator that closes at once is closed on the
spot; one that makes a call which blocks goes on as a thread of its own, in nobody's cancel scope. To wait for
its end, close it: `async with contextlib.aclosing(lines(stream))`.

Source: PEP 525, "Finalization".
"""

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from gossamer.core.threads.current import current_scheduler
from gossamer.core.threads.systemcall import SystemCall

Spawn = Callable[[Coroutine[Any, Any, None], str, Context], object]
"""spawn(coroutine, name, context) starts a thread."""


@contextmanager
def left_generators_end_in(spawn: Spawn) -> Iterator[None]:
    """Within the block, generators that are begun and then left end in threads of the caller's."""
    outer = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(outer.firstiter, partial(_end, spawn))
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*outer)


def _end(spawn: Spawn, generator: AsyncGenerator[Any, Any]) -> None:
    """Close a generator that nobody holds any more. Raises: what its `finally` clauses raise; Python writes
    that to standard error."""
    closing: Any = generator.aclose()
    try:
        call = closing.send(None)
    except StopIteration:
        return
    current_scheduler()  # or there is nobody any more who would answer the call
    name = getattr(generator, "__qualname__", "a generator")
    spawn(_go_on(_Rest(closing, call)), f"end of {name}", copy_context())


async def _go_on(rest: "_Rest") -> None:
    await rest


class _Rest:
    """What is left of closing a generator that has made a call."""

    def __init__(self, closing: Any, call: SystemCall[Any]) -> None:
        self._closing = closing
        self._call = call

    def __await__(self) -> Generator[Any, Any, None]:
        call = self._call
        while True:
            try:
                answer = yield from call.__await__()
            except BaseException as error:  # noqa: BLE001 - the generator's, whatever it is
                advance = partial(self._closing.throw, error)
            else:
                advance = partial(self._closing.send, answer)
            try:
                call = advance()
            except StopIteration:
                return
