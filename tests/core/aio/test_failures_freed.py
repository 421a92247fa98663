"""What failed on one side and was awaited on the other is freed without the collector."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gossamer.core.aio.calls import sys_await_future
from gossamer.core.aio.guest import AsyncioLoop, create_thread
from gossamer.core.aio.top import run as run_on_top
from gossamer.core.loop.program import run

from ..threads.freed import MANY_ROUNDS, catches, joins, nothing_left


async def fails() -> None:
    raise LookupError


async def waits_for_a_task() -> None:
    await sys_await_future(fails())


async def waits_for_a_thread() -> None:
    await create_thread(fails())


async def waits_for_a_task_that_does() -> None:
    await sys_await_future(waits_for_a_thread())


@pytest.mark.parametrize(
    "failing", [waits_for_a_task, waits_for_a_task_that_does], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("taken", [joins, catches], ids=lambda taken: taken.__name__)
def test_task_that_failed__a_thread_waited_for_it__is_freed(
    failing: Callable[[], Coroutine[Any, Any, None]], taken: Callable[[Any], Coroutine[Any, Any, bool]]
) -> None:
    async def main() -> None:
        assert await taken(failing())
        with nothing_left():
            for _ in range(MANY_ROUNDS):
                assert await taken(failing())

    run(main(), [AsyncioLoop()])


def test_thread_that_failed__a_task_waited_for_it__is_freed() -> None:
    async def main() -> None:
        assert await catches(waits_for_a_thread())
        with nothing_left():
            for _ in range(MANY_ROUNDS):
                assert await catches(waits_for_a_thread())

    run_on_top(main())
