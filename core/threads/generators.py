"""Async generators that are left before their end: their `finally` clauses run, and may block.

    async for line in lines(stream):
        if line == b"quit":
            break                  # a `finally` clause of `lines` may still send and close

Owns what Python does then, by a hook of the interpreter. The closing is a thread of its own before its first
step: in nobody's cancel scope, and the scopes that it enters are its own. That step is taken on the spot, so
that a generator which closes at once is closed then; one that makes a call goes on when it is its turn. To
wait for its end, close it: `async with contextlib.aclosing(lines(stream))`.

Source: PEP 525, "Finalization".
"""

import sys
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import Any, Protocol

from gossamer.core.threads.current import CURRENT, Current, current_scheduler
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import ENDED, Raise, Thread

Steps = Coroutine[SystemCall[Any], Any, None]
"""What `aclose` returns."""


class ThreadStarter(Current, Protocol):
    """What is asked of the scheduler in which they end."""

    def start(self, thread: Thread[Any]) -> None:
        """Start a thread that was made elsewhere."""


@contextmanager
def left_generators_end_in(scheduler: ThreadStarter) -> Iterator[None]:
    """Within the block, generators that are begun and then left end in threads of a scheduler."""
    outer = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(outer.firstiter, partial(_end, scheduler))
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*outer)


def _end(scheduler: ThreadStarter, generator: AsyncGenerator[Any, Any]) -> None:
    """Close a generator that nobody holds any more. Raises: what its `finally` clauses raise; Python writes
    that to standard error."""
    steps = generator.aclose()
    thread: Thread[None] = Thread(steps, f"end of {getattr(generator, '__qualname__', 'a generator')}")
    try:
        call = _first_call(scheduler, thread, steps)
        current_scheduler()  # or there is nobody any more who would answer the call
    except StopIteration:
        thread.inbox, thread.joiners = None, ENDED
        return
    except BaseException as error:
        thread.inbox, thread.joiners = Raise(error), ENDED
        del thread  # the error's traceback leads to this frame
        raise
    thread.coroutine = _go_on(_Rest(steps, call))
    thread.context = copy_context()
    scheduler.start(thread)


def _first_call(scheduler: ThreadStarter, thread: Thread[None], steps: Steps) -> SystemCall[Any] | None:
    """Take the first step, as the thread, which has made the call then; None: that has to wait.

    It is among the context variables of whoever left, where the generator has run: it may reset what it set.
    Raises: StopIteration when that was all; what it raises.
    """
    if scheduler.os_thread == get_ident():
        left_by, scheduler.running = scheduler.running, thread
        try:
            return steps.send(None)
        finally:
            scheduler.running = left_by
            del thread, left_by  # the traceback of what it raises leads to this frame
    other = CURRENT.get(None)
    if not scheduler.os_thread and other is not None and other.os_thread == get_ident():
        return None  # its scheduler rests while another has its turn: no step as a thread of the other's
    return steps.send(None)


async def _go_on(rest: "_Rest") -> None:
    await rest


class _Rest:
    """What is left of closing a generator that has made a call, or None where it has not begun."""

    def __init__(self, steps: Steps, call: SystemCall[Any] | None) -> None:
        self._steps = steps
        self._call = call

    def __await__(self) -> Generator[Any, Any, None]:
        call = self._call
        # Taken out as it is called: the traceback of what it raises leads to this frame.
        advance = [partial(self._steps.send, None)]
        while True:
            if call is not None:
                try:
                    answer = yield from call.__await__()
                except BaseException as error:  # noqa: BLE001 - the generator's, whatever it is
                    advance = [partial(self._steps.throw, error)]
                else:
                    advance = [partial(self._steps.send, answer)]
            try:
                call = advance.pop()()
            except StopIteration:
                return
