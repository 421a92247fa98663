"""Tasks that begin at once, within the thread that has read their request."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from gossamer import run, sleep, sys_fork, sys_join, sys_yield
from gossamer.core.threads.current import current_scheduler
from gossamer.shards.asgi.tasks import ApplicationGuest, ApplicationLoop

from .serving import Served, served
from .test_conversation import hello

Main = Callable[[ApplicationLoop], Coroutine[Any, Any, Any]]


def with_loop(main: Main) -> Any:
    """What a native thread returns that is given the loop of applications."""
    guest = ApplicationGuest()

    async def first() -> Any:
        loop = guest.loop
        assert isinstance(loop, ApplicationLoop)
        return await main(loop)

    return run(first(), [guest])


async def a_few_turns() -> None:
    for _ in range(4):
        await sleep(0.001)


def running_loop() -> asyncio.AbstractEventLoop | None:
    return asyncio._get_running_loop()


def test_first_step__has_run__what_it_queues_comes_later() -> None:
    seen: list[str] = []
    variable: ContextVar[str] = ContextVar("variable", default="")

    async def task() -> None:
        asyncio.get_running_loop().call_soon(seen.append, "queued")
        seen.append("first step")
        variable.set("the task's")
        await asyncio.sleep(0)
        seen.append(variable.get())

    async def main(loop: ApplicationLoop) -> None:
        loop.call_soon(seen.append, "before")
        begun = loop.begin_task(task(), "name")
        assert seen == ["first step"]
        assert (begun.get_name(), begun.done(), variable.get()) == ("name", False, "")
        await a_few_turns()
        assert begun.done()

    with_loop(main)
    assert seen == ["first step", "before", "queued", "the task's"]


def test_what_is_queued_while_a_task_is_made__is_not_its_first_step() -> None:
    """As by a finalizer, which may run at any time."""
    seen: list[str] = []

    class Name:
        def __init__(self, loop: ApplicationLoop) -> None:
            self.loop = loop

        def __str__(self) -> str:
            self.loop.call_soon(seen.append, "queued")
            return "name"

    async def task() -> None:
        seen.append("first step")

    async def main(loop: ApplicationLoop) -> None:
        name: Any = Name(loop)
        assert loop.begin_task(task(), name).done()
        assert seen == ["first step"]
        await a_few_turns()

    with_loop(main)
    assert seen == ["first step", "queued"]


def test_first_step__that_ends_or_fails__the_task_says_so() -> None:
    async def returns() -> None:
        return

    async def fails() -> None:
        raise LookupError

    async def main(loop: ApplicationLoop) -> None:
        assert loop.begin_task(returns(), "returns").done()
        assert isinstance(loop.begin_task(fails(), "fails").exception(), LookupError)

    with_loop(main)


def test_debug_mode__begins_at_once_too() -> None:
    seen: list[str] = []

    async def task() -> None:
        seen.append("first step")

    async def main(loop: ApplicationLoop) -> None:
        loop.set_debug(True)
        assert loop.begin_task(task(), "name").done()

    with_loop(main)
    assert seen == ["first step"]


def test_stay__the_loop_runs_from_one_host_to_the_next__no_other_thread_sees_it() -> None:
    """So it is with the hooks for async generators."""
    seen: list[tuple[str, bool]] = []

    async def main(loop: ApplicationLoop) -> None:
        outside = sys.get_asyncgen_hooks()

        async def notes(name: str) -> None:
            seen.append((name, running_loop() is loop))

        async def hosts(name: str) -> None:
            for _ in range(2):
                await notes(name)
                if not loop.stays:
                    loop.stay()
                assert running_loop() is loop
                assert sys.get_asyncgen_hooks() != outside
                loop.begin_task(notes(f"{name}'s task"), "task")
                await sys_yield()

        async def others() -> None:
            for _ in range(3):
                assert sys.get_asyncgen_hooks() == outside
                await notes("other")
                await sys_yield()

        for thread in [await sys_fork(each) for each in (hosts("a"), others(), hosts("b"))]:
            await sys_join(thread)
        assert sys.get_asyncgen_hooks() == outside

    with_loop(main)
    assert seen == [
        *(("a", False), ("a's task", True), ("other", False), ("b", False), ("b's task", True)),
        *(("a", True), ("a's task", True), ("other", False), ("b", False), ("b's task", True)),
        ("other", False),
    ]
    assert running_loop() is None


def test_stay__a_host_after_another__is_within_already() -> None:
    seen: list[bool] = []

    async def main(loop: ApplicationLoop) -> None:
        async def hosts() -> None:
            for _ in range(3):
                seen.append(loop.stays)
                if not loop.stays:
                    loop.stay()
                await sys_yield()

        for thread in [await sys_fork(each) for each in (hosts(), hosts())]:
            await sys_join(thread)

    with_loop(main)
    assert seen == [False, False, True, True, True, True]  # at first none has said that it hosts


def test_native_threads_of_an_application__see_no_running_loop() -> None:
    """While the connection's own thread stays in it."""
    seen: list[object] = []

    async def native() -> None:
        for _ in range(3):
            seen.append(running_loop())
            await sys_yield()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/thread":
            await asyncio.get_running_loop().create_thread(native())  # type: ignore[attr-defined]  # ours
        await hello(scope, receive, send)

    async def talk(server: Served) -> None:
        one, other = await server.connect(), await server.connect()
        head = "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n"
        for _ in range(3):
            await one.send(head.format("thread"))
            await other.send(head.format("at-once"))
            assert (await one.answer()).body == b"hello /thread"
            assert (await other.answer()).body == b"hello /at-once"
            assert running_loop() is None

    served(app, talk)
    assert seen == [None] * 9


@pytest.mark.parametrize("is_staying", [False, True])
def test_interrupted__no_loop_runs_behind_it(is_staying: bool) -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def main(loop: ApplicationLoop) -> None:
        if is_staying:
            loop.stay()
        assert current_scheduler() is loop.scheduler
        loop.begin_task(interrupted(), "interrupted")

    outside = sys.get_asyncgen_hooks()
    with pytest.raises(KeyboardInterrupt):
        with_loop(main)
    assert running_loop() is None
    assert sys.get_asyncgen_hooks() == outside
