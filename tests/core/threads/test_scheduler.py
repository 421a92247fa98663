"""The scheduler on a virtual clock: order, fairness, errors."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, VirtualClock
from gossamer.core.errors import GossamerError
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import DeadlockError, VirtualWaiter
from gossamer.core.threads.calls import (
    Blio,
    Park,
    sys_catch,
    sys_fork,
    sys_join,
    sys_nbio,
    sys_ret,
    sys_sleep,
    sys_throw,
    sys_yield,
)
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.scheduler import CALLS_IN_A_ROW_MAX, TURN_THREADS_MAX, Scheduler
from gossamer.core.threads.systemcall import BLOCKED, Handler, NoLoopTakesCall, NotASystemCall, SystemCall


@pytest.fixture
def scheduler() -> Scheduler:
    clock = VirtualClock()
    return Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)


def run_one(scheduler: Scheduler, coroutine: Any) -> Any:
    """Run a thread to its end and return what it returned."""
    results = []

    async def keep() -> None:
        results.append(await coroutine)

    scheduler.spawn(keep())
    scheduler.run()
    return results[0]


def test_fork_and_join__value_of_the_child(scheduler: Scheduler) -> None:
    async def child() -> int:
        await sys_sleep(10)
        return 7

    async def parent() -> int:
        thread = await sys_fork(child(), "child")
        assert not thread.has_ended
        value: int = await sys_join(thread)
        assert thread.has_ended
        assert await sys_join(thread) == value, "an ended thread can be joined again"
        return value

    assert run_one(scheduler, parent()) == 7
    assert scheduler.statistics()["threads"] == 0


def test_join__child_failed__raises_in_every_joiner_and_is_not_logged(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    caught = []

    async def child() -> None:
        await sys_sleep(10)
        raise KeyError("lost")

    async def joiner(thread: Any) -> None:
        try:
            await sys_join(thread)
        except KeyError as error:
            caught.append(error)

    async def parent() -> None:
        thread = await sys_fork(child())
        await sys_fork(joiner(thread))
        await joiner(thread)
        await joiner(thread)

    run_one(scheduler, parent())
    assert len(caught) == 3
    assert scheduler.statistics()["thread_errors_total"] == 0
    assert not caplog.records


def test_failed__nobody_joins__logged_once_with_traceback_and_counted(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> None:
        raise LookupError("nobody hears this")

    scheduler.spawn(fails(), "deaf")
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "deaf" in record.getMessage()
    assert "nobody hears this" in (caplog.text)


def test_join__itself__raises(scheduler: Scheduler) -> None:
    async def narcissus() -> None:
        with pytest.raises(GossamerError, match="itself"):
            await sys_join(threads[0])

    threads = [scheduler.spawn(narcissus())]
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 0


def test_ret__from_a_depth__ends_the_thread_and_runs_finally(scheduler: Scheduler) -> None:
    trace = []

    async def deep() -> None:
        try:
            await sys_ret("early")
        finally:
            trace.append("finally")

    async def child() -> str:
        await deep()
        trace.append("never")
        return "late"

    async def parent() -> Any:
        return await sys_join(await sys_fork(child()))

    assert run_one(scheduler, parent()) == "early"
    assert trace == ["finally"]


def test_ret__finally_fails__is_the_threads_error(scheduler: Scheduler) -> None:
    async def child() -> None:
        try:
            await sys_ret(1)
        finally:
            raise ValueError("on the way out")

    async def parent() -> None:
        thread = await sys_fork(child())
        with pytest.raises(ValueError, match="on the way out"):
            await sys_join(thread)

    run_one(scheduler, parent())


def test_ret__finally_blocks__is_waited_for_in_the_threads_own_context(scheduler: Scheduler) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")
    trace = []

    async def child() -> None:
        name.set("child")
        try:
            await sys_ret("value")
        finally:
            await sys_sleep(10)
            trace.append(name.get())

    async def parent() -> Any:
        return await sys_join(await sys_fork(child(), context=copy_context()))

    assert run_one(scheduler, parent()) == "value"
    assert trace == ["child"]


def test_ret__in_the_block_of_a_nursery__its_threads_have_ended_before(scheduler: Scheduler) -> None:
    trace = []

    async def sleeper() -> None:
        try:
            await sys_sleep(1_000_000)
        finally:
            with CancelScope(shield=True):
                await sys_sleep(10)
            trace.append("child")

    async def child() -> None:
        try:
            async with open_nursery() as nursery:
                nursery.start_soon(sleeper)
                await sys_yield()
                await sys_ret("value")
        finally:
            trace.append("block")

    async def parent() -> Any:
        return await sys_join(await sys_fork(child()))

    assert run_one(scheduler, parent()) == "value"
    assert trace == ["child", "block"]


def test_ret__in_a_thread_of_a_nursery__the_others_go_on(scheduler: Scheduler) -> None:
    trace = []

    async def leaves() -> None:
        await sys_ret()

    async def stays() -> None:
        await sys_sleep(10)
        trace.append("stayed")

    async def parent() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(leaves)
            nursery.start_soon(stays)

    run_one(scheduler, parent())
    assert trace == ["stayed"]
    assert scheduler.statistics() | {"turns_total": 0} == {
        "threads": 0,
        "ready": 0,
        "turns_total": 0,
        "thread_errors_total": 0,
    }


def test_spawn__context_from_outside__scopes_find_their_scheduler(scheduler: Scheduler) -> None:
    async def scoped() -> bool:
        with CancelScope() as scope:
            scope.cancel()
            await sys_yield()
        return scope.cancelled_caught

    context = copy_context()
    other = Scheduler(VirtualWaiter(VirtualClock()))
    for each in (other, scheduler):
        thread = each.spawn(scoped(), context=context)
        each.run()
        assert thread.inbox is True


def test_nbio__function_sees_the_context_variables_of_its_thread(scheduler: Scheduler) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")

    async def child() -> str:
        name.set("child")
        return await sys_nbio(name.get)

    thread = scheduler.spawn(child(), context=copy_context())
    scheduler.run()
    assert thread.inbox == "child"


def test_catch__body_throws__handler_answers(scheduler: Scheduler) -> None:
    async def body() -> str:
        await sys_yield()
        sys_throw(KeyError("k"))

    async def handler(error: Exception) -> str:
        await sys_yield()
        return f"caught {error!r}"

    assert run_one(scheduler, sys_catch(body(), handler)) == "caught KeyError('k')"


def test_yield__threads_take_turns(scheduler: Scheduler) -> None:
    trace = []

    async def speaks(name: str) -> None:
        for _ in range(3):
            trace.append(name)
            await sys_yield()

    for name in "abc":
        scheduler.spawn(speaks(name))
    scheduler.run()
    assert "".join(trace) == "abcabcabc"


def test_calls_answered_at_once__others_run_in_between(scheduler: Scheduler) -> None:
    trace = []

    async def greedy() -> None:
        for _ in range(4 * CALLS_IN_A_ROW_MAX):
            await sys_nbio(trace.append, "greedy")

    async def modest() -> None:
        trace.append("modest")

    scheduler.spawn(greedy())
    scheduler.spawn(modest())
    scheduler.run()
    assert trace.index("modest") <= CALLS_IN_A_ROW_MAX
    assert trace.count("greedy") == 4 * CALLS_IN_A_ROW_MAX


def test_threads_always_ready__timers_are_not_starved() -> None:
    yields = 0

    async def busy() -> None:
        nonlocal yields
        while not timer.has_ended:
            yields += 1
            await sys_yield()

    async def due() -> None:
        await sys_sleep(0)
        await sys_sleep(1)

    clock = VirtualClock()
    waiter = VirtualWaiter(clock)
    busy_scheduler = Scheduler(waiter, [SleepLoop()], lambda: advance(clock))
    timer = busy_scheduler.spawn(due())
    busy_scheduler.spawn(busy())
    busy_scheduler.run()
    assert yields <= 4 * TURN_THREADS_MAX


def advance(clock: VirtualClock) -> int:
    clock.advance(1_000)
    return clock()


def test_call_without_loop__error_names_call_and_loops(scheduler: Scheduler) -> None:
    async def lost() -> None:
        with pytest.raises(NoLoopTakesCall, match=r"Blio.*SleepLoop"):
            await Blio(print, ())

    run_one(scheduler, lost())


def test_foreign_awaitable__raises_not_a_system_call(scheduler: Scheduler) -> None:
    async def foreign() -> None:
        with pytest.raises(NotASystemCall):
            await asyncio.sleep(0)

    run_one(scheduler, foreign())


def test_nbio__any_error_of_the_function__is_raised_in_the_thread(scheduler: Scheduler) -> None:
    async def thread() -> None:
        with pytest.raises(ZeroDivisionError):
            await sys_nbio(divmod, 1, 0)
        assert await sys_nbio(divmod, 7, 2) == (3, 1)

    run_one(scheduler, thread())


def test_spawn__no_coroutine__raises(scheduler: Scheduler) -> None:
    with pytest.raises(GossamerError, match="coroutine"):
        scheduler.spawn(print)  # type: ignore[arg-type]


class Ask(SystemCall[str], frozen=True, gc=False):
    """A call for the loop below."""

    error: BaseException | None = None


class AskLoop(PassiveLoop):
    """Answers Ask, or raises from its handler."""

    def __init__(self) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {Ask: self.ask}
        self.is_closed = False

    def start(self, scheduler: SchedulerPort) -> None:
        self.scheduler = scheduler

    def ask(self, thread: Any, call: Ask) -> Any:
        if call.error is not None:
            raise call.error
        self.scheduler.resume(thread, "answer")
        return BLOCKED

    def close(self) -> None:
        self.is_closed = True


def test_new_loop__its_calls_are_taken__and_it_is_closed(scheduler: Scheduler) -> None:
    loop = AskLoop()
    scheduler.add_loop(loop)
    assert run_one(scheduler, identity(Ask())) == "answer"
    scheduler.close()
    assert loop.is_closed


async def identity(call: SystemCall[Any]) -> Any:
    return await call


def test_two_loops_for_one_call__refused(scheduler: Scheduler) -> None:
    scheduler.add_loop(AskLoop())
    with pytest.raises(ValueError, match="Ask"):
        scheduler.add_loop(AskLoop())


@pytest.mark.parametrize("error", [ConnectionResetError("peer"), GossamerError("ours")])
def test_handler_raises_error_of_the_call__raised_in_the_thread(
    scheduler: Scheduler, error: Exception
) -> None:
    scheduler.add_loop(AskLoop())

    async def thread() -> str:
        with pytest.raises(type(error)) as caught:
            await Ask(error)
        assert caught.value is error
        return await Ask()

    assert run_one(scheduler, thread()) == "answer"


@pytest.mark.parametrize("error", [AssertionError("bug"), KeyError("bug")])
def test_handler_has_a_bug__ends_the_process_loudly(scheduler: Scheduler, error: Exception) -> None:
    scheduler.add_loop(AskLoop())
    scheduler.spawn(identity(Ask(error)))
    with pytest.raises(type(error)):
        scheduler.run()


def test_resumed_twice__is_our_bug(scheduler: Scheduler) -> None:
    async def sleeps() -> None:
        await sys_sleep(10)

    thread = scheduler.spawn(sleeps())
    with pytest.raises(AssertionError, match="twice"):
        scheduler.resume(thread)
    scheduler.run()


def test_put_back__before_a_thread_that_does_not_host__and_when_none_is_ready(scheduler: Scheduler) -> None:
    seen: list[str] = []

    def put_back() -> None:
        scheduler.put_back = None
        seen.append("back")

    async def hosts(name: str) -> None:
        for _ in range(2):
            assert scheduler.running is not None
            scheduler.running.hosts = True
            if scheduler.put_back is None:
                scheduler.put_back = put_back
                seen.append("set up")
            seen.append(name)
            await sys_yield()

    async def guards() -> None:
        for _ in range(2):
            assert scheduler.put_back is None
            seen.append("other")
            await sys_yield()

    for each in (hosts("a"), hosts("b"), guards()):
        scheduler.spawn(each)
    scheduler.run()
    assert seen == [
        *("set up", "a", "back"),  # b has not said yet that it hosts
        *("set up", "b", "back", "other"),
        *("set up", "a", "b", "back", "other"),
    ]


def test_put_back__before_any_loop_has_its_turn(scheduler: Scheduler) -> None:
    seen: list[bool] = []

    class Looks:
        takes: Mapping[type[SystemCall[Any]], Handler] = {}

        def start(self, _scheduler: SchedulerPort) -> None:
            pass

        def turn(self, _now_us: int) -> int:
            seen.append(scheduler.put_back is None)
            return NEVER_US

        def close(self) -> None:
            pass

    def put_back() -> None:
        scheduler.put_back = None

    async def hosts() -> None:
        scheduler.put_back = put_back
        await sys_sleep(10)

    scheduler.add_loop(Looks())
    scheduler.spawn(hosts())
    scheduler.run()
    assert seen
    assert all(seen)


def test_put_back__of_a_thread_that_nothing_caught__on_the_way_out(scheduler: Scheduler) -> None:
    seen: list[str] = []

    def put_back() -> None:
        scheduler.put_back = None
        seen.append("back")

    async def interrupted() -> None:
        scheduler.put_back = put_back
        raise KeyboardInterrupt

    scheduler.spawn(interrupted())
    with pytest.raises(KeyboardInterrupt):
        scheduler.run()
    assert seen == ["back"]


def test_stop__run_returns__and_goes_on_later(scheduler: Scheduler) -> None:
    trace = []

    async def stops() -> None:
        trace.append(1)
        scheduler.stop()
        await sys_sleep(5)
        trace.append(2)

    scheduler.spawn(stops())
    scheduler.run()
    assert trace == [1]
    scheduler.run()
    assert trace == [1, 2]


def test_nothing_can_happen__virtual_waiter_says_deadlock(scheduler: Scheduler) -> None:
    async def stuck() -> None:
        await Park(deque())

    scheduler.spawn(stuck())
    with pytest.raises(DeadlockError):
        scheduler.run()


def test_keyboard_interrupt__leaves_run(scheduler: Scheduler) -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    scheduler.spawn(interrupted())
    with pytest.raises(KeyboardInterrupt):
        scheduler.run()
