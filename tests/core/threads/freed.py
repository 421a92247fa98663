"""Whether what has failed is freed without the collector, whatever was done about its error.

An error leads to frames by its traceback, and each of these to the one that called it: a frame that holds the
error, or what holds it, makes a ring of both.
"""

import gc
import logging
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import CoroutineType, FrameType
from typing import Any

from gossamer.core.threads.calls import sys_fork, sys_join
from gossamer.core.threads.thread import Thread

MANY_ROUNDS = 1_000
FEW = 15
"""Of a kind, whatever the rounds: those of the test itself."""
RINGS_LEAD_THROUGH = (Thread, FrameType, BaseException, CoroutineType)


@contextmanager
def nothing_left() -> Iterator[None]:
    """While it lasts the collector is off; what it alone would find of threads, of errors and of frames, with
    the locals of what failed, is counted. pytest keeps what is logged or cannot be raised: so neither is."""
    gc.collect()
    before = Counter(map(type, gc.get_objects()))
    gc.disable()
    logging.disable(logging.CRITICAL)
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
        more = Counter(map(type, gc.get_objects())) - before
        left = {
            kind: more[kind] for kind in more if issubclass(kind, RINGS_LEAD_THROUGH) and more[kind] > FEW
        }
        assert not left, left
    finally:
        sys.unraisablehook = hook
        logging.disable(logging.NOTSET)
        gc.enable()


async def joins(started: Coroutine[Any, Any, Any]) -> bool:
    """Whether it failed; nothing of it is kept."""
    try:
        await sys_join(await sys_fork(started))
    except BaseException:  # noqa: BLE001 - whatever it is
        return True
    return False


async def catches(failing: Coroutine[Any, Any, Any]) -> bool:
    try:
        await failing
    except BaseException:  # noqa: BLE001 - whatever it is
        return True
    return False


async def gets_it_as_a_result(failing: Coroutine[Any, Any, Any]) -> bool:
    async def returns_it() -> BaseException | None:
        try:
            await failing
        except BaseException as error:  # noqa: BLE001 - whatever it is
            return error
        return None

    return await sys_join(await sys_fork(returns_it())) is not None


Taken = Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, bool]]
TAKEN: list[Taken] = [joins, catches, gets_it_as_a_result]
"""What may be done about an error."""
