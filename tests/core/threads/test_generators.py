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
from gossamer.core.threads.calls import sys_join, sys_nbio, sys_sleep, sys_yield
from gossamer.core.threads.cancel import CancelScope, move_on_after
from gossamer.core.threads.current import current_thread
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


def test_left__scope_around_the_yield__who_left_is_out_of_it(scheduler: Scheduler) -> None:
    async def numbers() -> AsyncIterator[int]:
        with move_on_after(0.1):
            yield 1

    async def main() -> None:
        with CancelScope() as scope:
            await leave(numbers())
            assert current_thread().scope is scope
            await sys_sleep(3_000_000)

    thread = scheduler.spawn(main())
    scheduler.run()
    assert thread.inbox is None


@pytest.mark.parametrize("blocks", [True, False])
def test_left__its_first_step_cancels_who_left__that_is_raised_at_its_next_call(
    scheduler: Scheduler, blocks: bool
) -> None:
    trace: list[str] = []

    async def numbers(scope: CancelScope) -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            scope.cancel()
            if blocks:
                await sys_sleep(10)
            trace.append("closed")

    async def main() -> None:
        with CancelScope() as scope:
            await leave(numbers(scope))
            trace.append("left")
            await sys_sleep(3_000_000)
        trace.append(f"cancelled {scope.cancelled_caught}")

    scheduler.spawn(main())
    scheduler.run()
    assert trace.index("left") < trace.index("cancelled True")
    assert "closed" in trace
    assert scheduler.statistics()["thread_errors_total"] == 0


async def shields_its_end(trace: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        with CancelScope(shield=True):
            await sys_sleep(800_000)
        trace.append("cleaned up")


@pytest.mark.parametrize("when", ["before", "after"])
def test_left__finally_shields_itself__the_scopes_of_who_left_are_untouched(
    scheduler: Scheduler, when: str
) -> None:
    trace: list[str] = []

    async def leaves_within() -> None:
        with move_on_after(0.1) as scope:
            await leave(shields_its_end(trace))
            await sys_sleep(3_000_000)
        trace.append(f"timeout {scope.cancelled_caught} at {scheduler.now_us() // 100_000}")

    async def leaves_before() -> None:
        await leave(shields_its_end(trace))
        with move_on_after(0.1) as scope:
            await sys_sleep(3_000_000)
        trace.append(f"timeout {scope.cancelled_caught} at {scheduler.now_us() // 100_000}")

    begin_us = scheduler.now_us() // 100_000
    thread = scheduler.spawn(leaves_within() if when == "after" else leaves_before())
    scheduler.run()
    assert trace == [f"timeout True at {begin_us + 1}", "cleaned up"]
    assert thread.scope is None
    assert scheduler.statistics()["thread_errors_total"] == 0


@pytest.mark.parametrize("blocks", [True, False])
def test_left__from_its_first_step_on_the_closing_is_one_thread_of_its_own(
    scheduler: Scheduler, blocks: bool
) -> None:
    seen: list[Any] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            seen.append(current_thread())
            if blocks:
                await sys_yield()
                seen.append(current_thread())

    async def main() -> None:
        await leave(numbers())
        seen.append(current_thread())

    thread = scheduler.spawn(main())
    scheduler.run()
    assert seen.count(thread) == 1
    assert len({*seen}) == 2
    assert all(each.label.startswith("end of ") for each in seen if each is not thread)
    assert all(each.has_ended and each.inbox is None for each in seen)
    assert scheduler.statistics() | {"turns_total": 0} == {
        "threads": 0,
        "ready": 0,
        "turns_total": 0,
        "thread_errors_total": 0,
    }


def test_left__first_step_fails__is_reported_and_who_left_goes_on(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    seen = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            seen.append(current_thread())
            raise ValueError("on the way out")

    async def main() -> None:
        await leave(numbers())
        with pytest.raises(ValueError, match="on the way out"):
            await sys_join(seen[0])
        seen.append(current_thread())

    thread = scheduler.spawn(main())
    scheduler.run()
    assert seen[1:] == [thread]
    assert "on the way out" in str(unraisable[0].exc_value)


def test_left__while_another_scheduler_has_its_turn__ends_when_its_own_goes_on(scheduler: Scheduler) -> None:
    clock = VirtualClock()
    other = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
    kept: list[AsyncIterator[int]] = []
    trace: list[str] = []

    async def begins() -> None:
        kept.append(shields_its_end(trace))
        async for _ in kept[0]:
            break

    async def drops() -> None:
        with move_on_after(0.1) as scope:
            kept.clear()
            gc.collect()
            await sys_sleep(3_000_000)
        trace.append(f"timeout {scope.cancelled_caught}")

    scheduler.spawn(begins())
    scheduler.run()
    other.spawn(drops())
    other.run()
    assert trace == ["timeout True"]
    scheduler.run()
    assert trace == ["timeout True", "cleaned up"]


def test_left__finally_resets_a_context_variable__it_is_in_the_context_that_set_it(
    scheduler: Scheduler, capfd: pytest.CaptureFixture[str]
) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")
    seen = []

    async def numbers() -> AsyncIterator[int]:
        token = name.set("numbers")
        try:
            yield 1
        finally:
            name.reset(token)
            await sys_sleep(10)
            seen.append(name.get())

    async def main() -> None:
        await leave(numbers())
        seen.append(name.get())

    scheduler.spawn(main(), context=copy_context())
    scheduler.run()
    assert seen == ["nobody", "nobody"]
    assert capfd.readouterr().err == ""
