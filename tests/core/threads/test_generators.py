"""Async generators that are left before their end."""

import gc
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_nbio, sys_sleep
from gossamer.core.threads.introspection import all_threads, status
from gossamer.core.threads.scheduler import Scheduler

Run = Any


@pytest.fixture
def scheduler() -> Scheduler:
    clock = VirtualClock()
    return Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)


async def leave(generator: AsyncIterator[int]) -> None:
    async for _ in generator:
        break


def test_left__finally_blocks__it_runs_to_its_end(
    scheduler: Scheduler, capfd: pytest.CaptureFixture[str]
) -> None:
    trace = []
    name: ContextVar[str] = ContextVar("name", default="nobody")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await sys_sleep(10)
            with pytest.raises(KeyError):
                await sys_nbio({}.__getitem__, "missing")
            trace.append(await sys_nbio(name.get))

    async def main() -> None:
        name.set("main")
        await leave(numbers())
        trace.append("left")
        found = [status(thread) for thread in all_threads() if "numbers" in thread.label]
        assert [(each.state, each.call) for each in found] == [("ready", "")]

    scheduler.spawn(main(), context=copy_context())
    scheduler.run()
    assert trace == ["left", "main"]
    assert scheduler.statistics()["thread_errors_total"] == 0
    assert capfd.readouterr().err == ""


def test_left__finally_does_not_block__it_runs_at_once(scheduler: Scheduler) -> None:
    trace = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            trace.append("finally")

    async def main() -> None:
        await leave(numbers())
        trace.append("left")

    before = sys.get_asyncgen_hooks()
    scheduler.spawn(main())
    scheduler.run()
    assert trace == ["finally", "left"]
    assert sys.get_asyncgen_hooks() == before


def test_left__finally_fails_after_it_blocked__is_logged_as_of_any_thread(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await sys_sleep(10)
            raise ValueError("on the way out")

    scheduler.spawn(leave(numbers()))
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 1
    assert "end of test_left__finally_fails_after_it_blocked" in caplog.text


def test_left__when_no_scheduler_runs_any_more__says_so(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    kept: list[AsyncIterator[int]] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await sys_sleep(10)

    async def main() -> None:
        kept.append(numbers())
        async for _ in kept[0]:
            break

    scheduler.spawn(main())
    scheduler.run()
    kept.clear()
    gc.collect()
    assert "no scheduler runs here" in str(unraisable[0].exc_value)
    assert scheduler.statistics()["threads"] == 0
