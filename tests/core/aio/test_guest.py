"""Tasks and native threads in one process: each waits for the other, and errors and cancelling go both
ways."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from gossamer.core.aio.calls import sys_await_future
from gossamer.core.aio.guest import AsyncioLoop, GuestEventLoop, create_thread
from gossamer.core.aio.top import run
from gossamer.core.clock import NEVER_US, VirtualClock
from gossamer.core.errors import MisuseError
from gossamer.core.loop import program
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_fork, sys_join, sys_ret, sys_sleep, sys_yield
from gossamer.core.threads.cancel import Cancelled, CancelScope, move_on_after
from gossamer.core.threads.current import current_thread
from gossamer.core.threads.introspection import process_dump
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.systemcall import NoLoopTakesCall
from gossamer.core.threads.watchdog import Watchdog

LONG_S = 60
LONG_US = 60_000_000


def run_native(main: Coroutine[Any, Any, Any]) -> Any:
    return program.run(main, [AsyncioLoop()])


def run_native_in_task(main: Coroutine[Any, Any, Any]) -> Any:
    """A native thread that a task of asyncio's started, which is on top."""

    async def task() -> Any:
        return await create_thread(main)

    return run(task())


@pytest.fixture(params=[run_native, run_native_in_task], ids=["threads on top", "asyncio on top"])
def native_run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    chosen: Callable[[Coroutine[Any, Any, Any]], Any] = request.param
    return chosen


Run = Callable[[Coroutine[Any, Any, Any]], Any]


async def doubled(number: int) -> int:
    """A task of asyncio's."""
    await asyncio.sleep(0.001)
    return 2 * number


async def increased(number: int) -> int:
    """A native thread."""
    await sys_sleep(1000)
    return number + 1


def test_thread_awaits_coroutine_task_and_future(native_run: Run) -> None:
    async def task() -> list[int]:
        loop = asyncio.get_running_loop()
        made = loop.create_future()
        loop.call_later(0.001, made.set_result, 3)
        begun = loop.create_task(doubled(4))

        async def native() -> list[int]:
            return [await sys_await_future(begun), await sys_await_future(made), await sys_await_future(made)]

        return await create_thread(native())

    async def main() -> list[int]:
        return [await sys_await_future(doubled(21)), *await sys_await_future(task())]

    assert native_run(main()) == [42, 8, 3, 3]


def test_many_threads_and_tasks_to_and_fro(native_run: Run) -> None:
    async def task(number: int, depth: int) -> int:
        await asyncio.sleep(0)
        return await create_thread(thread(number, depth - 1)) if depth else number

    async def thread(number: int, depth: int) -> int:
        await sys_yield()
        return await sys_await_future(task(number + 1, depth - 1)) if depth else number

    async def main() -> int:
        threads = [await sys_fork(thread(number, 7)) for number in range(300)]
        return sum([await sys_join(each) for each in threads])

    assert native_run(main()) == sum(range(300)) + 4 * 300


def test_errors__come_out_where_they_are_awaited(native_run: Run) -> None:
    async def task_fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("of a task")

    async def thread_fails() -> None:
        await sys_yield()
        raise ZeroDivisionError("of a thread")

    async def task() -> None:
        with pytest.raises(ZeroDivisionError, match="of a thread"):
            await create_thread(thread_fails())

    async def main() -> None:
        with pytest.raises(LookupError, match="of a task"):
            await sys_await_future(task_fails())
        await sys_await_future(task())

    native_run(main())


def test_thread_cancelled__its_task_is_and_is_waited_for(native_run: Run) -> None:
    steps: list[str] = []

    async def task() -> None:
        try:
            await asyncio.sleep(LONG_S)
        except asyncio.CancelledError:
            steps.append("task is cancelled")
            await asyncio.sleep(0.002)
            steps.append("task has cleaned up")
            raise

    async def main() -> None:
        with move_on_after(0.005) as scope:
            try:
                await sys_await_future(task())
            except Cancelled:
                steps.append("thread")
                raise
        assert scope.cancelled_caught

    native_run(main())
    assert steps == ["task is cancelled", "task has cleaned up", "thread"]


def test_thread_cancelled__a_task_that_returns_all_the_same_is_heard(native_run: Run) -> None:
    async def task() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG_S)
        return "not so fast"

    async def main() -> list[Any]:
        heard: list[Any] = []
        with CancelScope() as scope:
            await sys_fork(cancels(scope))
            heard.append(await sys_await_future(task()))
            await sys_sleep(LONG_US)
        return [*heard, scope.cancelled_caught]

    assert native_run(main()) == ["not so fast", True]


async def cancels(scope: CancelScope) -> None:
    await sys_sleep(2000)
    scope.cancel()


def test_task_cancelled__its_thread_is_and_is_waited_for(native_run: Run) -> None:
    steps: list[str] = []

    async def thread() -> None:
        try:
            await sys_sleep(LONG_US)
        finally:
            steps.append("thread is cancelled")
            with CancelScope(shield=True):
                await sys_sleep(2000)
            steps.append("thread has cleaned up")

    async def task() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await create_thread(thread())
        steps.append("task")

    async def main() -> None:
        await sys_await_future(task())

    native_run(main())
    assert steps == ["thread is cancelled", "thread has cleaned up", "task"]


def test_future_of_a_thread__cancelled_before_it_ran_and_after_it_ended(native_run: Run) -> None:
    async def task() -> None:
        future = create_thread(increased(1))
        assert future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        future = create_thread(increased(1))
        assert await future == 2
        assert not future.cancel()

    async def main() -> None:
        await sys_await_future(task())

    native_run(main())


def test_task_cancelled_by_another__cancelled_error_of_asyncio(native_run: Run) -> None:
    async def task() -> None:
        mine = asyncio.current_task()
        assert mine is not None
        mine.cancel()
        await asyncio.sleep(LONG_S)

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await sys_await_future(task())

    native_run(main())


def test_thread_left_by_ret__its_future_has_the_value(native_run: Run) -> None:
    async def leaves() -> None:
        await sys_ret("left")

    async def task() -> Any:
        return await create_thread(leaves())

    async def main() -> Any:
        return await sys_await_future(task())

    assert native_run(main()) == "left"


def test_running_loop__none_in_native_threads(native_run: Run) -> None:
    async def main() -> None:
        for _ in range(3):
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            await sys_yield()
        assert current_thread() is not None
        await sys_await_future(task())

    async def task() -> None:
        with pytest.raises(MisuseError, match="no thread runs here"):
            current_thread()

    native_run(main())


def test_async_generators__each_ends_where_it_began(native_run: Run) -> None:
    ended: list[str] = []

    async def of_threads() -> Any:
        try:
            yield 1
            yield 2
        finally:
            await sys_yield()
            ended.append("thread")

    async def of_tasks() -> Any:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0.001)
            ended.append("task")

    async def task() -> None:
        async for _ in of_tasks():
            break
        while "task" not in ended:
            await asyncio.sleep(0.001)

    async def main() -> None:
        async for _ in of_threads():
            break
        await sys_await_future(task())
        await sys_sleep(1000)

    native_run(main())
    assert sorted(ended) == ["task", "thread"]


def test_context_variables__go_along_and_do_not_come_back(native_run: Run) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")

    async def thread() -> str:
        seen = name.get()
        name.set("thread")
        return seen

    async def task() -> list[str]:
        name.set("task")
        return [await create_thread(thread()), name.get()]

    async def main() -> list[str]:
        return await sys_await_future(task())

    assert native_run(main()) == ["task", "task"]


def test_context_variables__a_task_has_those_of_the_thread_that_awaits_it(native_run: Run) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")
    seen: list[str] = []

    async def task() -> None:
        seen.append(name.get())
        name.set("task")

    async def thread() -> None:
        name.set("thread")
        await sys_await_future(task())
        seen.append(name.get())

    async def main() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(thread)

    native_run(main())
    assert seen == ["thread", "thread"]


def test_what_cannot_be_awaited__said_at_once(native_run: Run) -> None:
    async def main() -> None:
        with pytest.raises(MisuseError, match="allowed is a coroutine, a task or a future"):
            sys_await_future(7)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(MisuseError, match=r"found Yield.*a system call is awaited as it is"):
            sys_await_future(sys_yield())
        other = asyncio.new_event_loop()
        with pytest.raises(MisuseError, match="another event loop"):
            await sys_await_future(other.create_future())
        other.close()

    native_run(main())


def test_no_asyncio_loop__named() -> None:
    async def main() -> None:
        coroutine = doubled(1)
        with pytest.raises(NoLoopTakesCall, match="AwaitFuture"):
            await sys_await_future(coroutine)
        coroutine.close()

    program.run(main())


def test_create_thread__on_asyncios_own_loop__refused() -> None:
    async def main() -> None:
        coroutine = increased(1)
        with pytest.raises(MisuseError, match="no scheduler of native threads"):
            create_thread(coroutine)
        coroutine.close()

    asyncio.run(main())


def test_create_task__before_the_scheduler_runs_and_from_a_thread() -> None:
    guest = AsyncioLoop()
    with pytest.raises(MisuseError, match="plug it into a scheduler first"):
        guest.create_task(None)  # type: ignore[arg-type]  # it comes to no task
    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [SleepLoop(), guest])
    tasks = [guest.create_task(doubled(1), name="early")]

    async def main() -> list[int]:
        tasks.append(guest.create_task(doubled(2)))
        return [await sys_await_future(each) for each in tasks]

    thread = scheduler.spawn(main())
    scheduler.run()
    assert thread.inbox == [2, 4]
    assert tasks[0].get_name() == "early"
    # Between two runs, with nothing due for long: it is begun at once.
    late = guest.create_task(doubled(3))
    scheduler.spawn(sys_sleep_until(late))
    scheduler.run()
    assert late.result() == 6
    # While every thread sleeps for long.
    scheduler.spawn(sleeps_and_stops_soon(scheduler))
    scheduler.spawn(sleeps())
    scheduler.run()
    held = guest.create_task(stops(scheduler))
    scheduler.run()
    assert held.done()
    scheduler.close()
    waiter.close()
    assert guest.loop.is_closed()


async def sleeps() -> None:
    await sys_sleep(LONG_US)


async def sleeps_and_stops_soon(scheduler: Scheduler) -> None:
    await sys_sleep(5000)
    scheduler.stop()


async def stops(scheduler: Scheduler) -> None:
    scheduler.stop()


async def sys_sleep_until(task: "asyncio.Task[int]") -> None:
    await sys_await_future(task)


class Flushes:
    """A loop such as that of a stack, which notes what was there when its turn came."""

    def __init__(self, wrote: list[str]) -> None:
        self.takes: Any = {}
        self.wrote = wrote
        self.flushed: list[list[str]] = []

    def start(self, scheduler: Any) -> None: ...

    def turn(self, _now_us: int) -> int:
        if self.wrote:
            self.flushed.append(self.wrote[:])
            self.wrote.clear()
        return NEVER_US

    def close(self) -> None: ...


def test_turn__before_that_of_a_stack_that_was_there_first() -> None:
    wrote: list[str] = []
    stack = Flushes(wrote)
    guest = AsyncioLoop()

    async def task() -> None:
        wrote.append("task")

    async def main() -> None:
        wrote.append("thread")
        guest.create_task(task())
        await sys_await_future(asyncio.sleep(0))

    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [stack])
    scheduler.add_loop(guest)
    scheduler.spawn(main())
    scheduler.run()
    scheduler.close()
    waiter.close()
    assert stack.flushed == [["thread", "task"]]


def test_turn__a_task_that_a_callback_wakes_sends_in_that_turn() -> None:
    wrote: list[str] = []
    stack = Flushes(wrote)
    guest = AsyncioLoop()
    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [stack, guest])
    turns: list[int] = []

    async def task(future: "asyncio.Future[None]") -> None:
        await future
        turns.append(scheduler.turns_total)
        wrote.append("answer")

    def arrives(future: "asyncio.Future[None]") -> None:
        turns.append(scheduler.turns_total)
        future.set_result(None)

    async def main() -> None:
        future = guest.loop.create_future()
        waiting = guest.create_task(task(future))
        await sys_yield()
        await sys_yield()
        guest.loop.call_soon(arrives, future)
        await sys_await_future(waiting)

    scheduler.spawn(main())
    scheduler.run()
    scheduler.close()
    waiter.close()
    assert stack.flushed == [["answer"]]
    assert turns[0] == turns[1]


def test_nursery__its_failure_cancels_a_sibling_that_awaits_a_task(native_run: Run) -> None:
    cancelled: list[bool] = []

    async def task() -> None:
        try:
            await asyncio.sleep(LONG_S)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def awaits() -> None:
        await sys_await_future(task())

    async def fails() -> None:
        await sys_sleep(2000)
        raise LookupError

    async def main() -> None:
        async def both() -> None:
            async with open_nursery() as nursery:
                nursery.start_soon(awaits)
                nursery.start_soon(fails)

        with pytest.raises(ExceptionGroup):
            await both()

    native_run(main())
    assert cancelled == [True]


def test_virtual_clock__is_asyncios_too() -> None:
    clock = VirtualClock(5_000_000)
    guest = AsyncioLoop()
    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [guest], clock)
    assert guest.loop.time() == 5.0
    scheduler.close()
    waiter.close()


def test_shut_down__tasks_end_and_clean_up() -> None:
    guest = AsyncioLoop()
    ended: list[str] = []

    async def task(name: str) -> None:
        try:
            await asyncio.sleep(LONG_S)
        finally:
            await asyncio.sleep(0.001)
            ended.append(name)

    async def main() -> None:
        held = [guest.create_task(task(name)) for name in "ab"]
        await sys_sleep(1000)
        await guest.shut_down()
        assert all(each.cancelled() for each in held)

    program.run(main(), [guest])
    assert sorted(ended) == ["a", "b"]


def test_watchdog__names_the_task_that_holds_the_loop() -> None:
    guest = AsyncioLoop()
    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [SleepLoop(), guest])
    reports: list[str] = []

    def hold() -> None:
        for _ in range(1000):
            if reports:
                return
            time.sleep(0.01)

    async def hog() -> None:
        await asyncio.sleep(0)
        hold()

    async def main() -> None:
        await sys_await_future(guest.create_task(hog(), name="the hog"))

    watchdog = Watchdog(scheduler, held_us_max=20_000, report=reports.append)
    scheduler.spawn(main())
    scheduler.run()
    (message,) = reports
    assert message.startswith("<Task pending name='the hog'")
    assert "holds the loop for more than 20 ms" in message
    assert "time.sleep(0.01)" in message
    reports.clear()
    guest.loop.call_soon(hold)
    scheduler.spawn(increased(1))
    scheduler.run()
    watchdog.close()
    (message,) = reports
    assert message.startswith("a callback of asyncio's holds the loop")
    scheduler.close()
    waiter.close()


def test_dump__tasks_with_their_stacks_beside_threads(native_run: Run) -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    async def starts() -> str:
        tasks = [asyncio.create_task(outer(), name=f"waits {number}") for number in range(3)]
        await asyncio.sleep(0.001)
        text = process_dump()
        for task in tasks:
            task.cancel()
        return text

    async def main() -> str:
        text: str = await sys_await_future(starts())
        return text

    text = native_run(main())
    assert "3 x waiting: waits" in text
    assert "in test_dump__tasks_with_their_stacks_beside_threads.<locals>.inner" in text
    assert "x running: Task-" in text
    assert "blocked in AwaitFuture" in text


def test_statistics__counts_what_is_there() -> None:
    guest = AsyncioLoop()

    async def main() -> dict[str, int]:
        held = [guest.create_task(asyncio.sleep(LONG_S)) for _ in range(3)]
        await sys_fork(awaits(held[0]))
        await sys_sleep(2000)
        counts = guest.statistics()
        await guest.shut_down()
        return counts

    async def awaits(task: "asyncio.Task[None]") -> None:
        with suppress(asyncio.CancelledError):
            await sys_await_future(task)

    assert program.run(main(), [guest]) == {
        "asyncio_tasks": 3,
        "asyncio_ready": 0,
        "asyncio_timers": 3,
        "asyncio_awaited": 1,
    }


class Counted(GuestEventLoop):
    """How often it was asked for its part of a turn."""

    asked = 0

    def run_handles(self) -> int:
        self.asked += 1
        return super().run_handles()


def test_turn__of_nothing_that_is_ready_or_set__does_not_ask_asyncio() -> None:
    guest = AsyncioLoop(Counted)
    found: list[str] = []

    async def main() -> list[int]:
        loop: Any = guest.loop
        await sys_sleep(100)
        counts = [loop.asked]
        for _ in range(20):
            await sys_sleep(100)
        counts.append(loop.asked)
        loop.call_soon(found.append, "soon")
        await sys_sleep(100)
        assert found == ["soon"]
        loop.call_later(0.001, found.append, "later")
        while len(found) < 2:
            await sys_sleep(100)
        loop.call_soon_threadsafe(found.append, "from elsewhere")
        while len(found) < 3:
            await sys_sleep(100)
        return counts

    first, then = program.run(main(), [guest])
    assert then == first
    assert found == ["soon", "later", "from elsewhere"]
