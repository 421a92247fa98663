"""Cancel scopes on the virtual clock: what is called off, when, and who hears of it."""

from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.errors import GossamerError, MisuseError
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import Park, sys_catch, sys_fork, sys_join, sys_sleep, sys_yield
from gossamer.core.threads.cancel import (
    Cancelled,
    CancelScope,
    TooSlowError,
    fail_after,
    move_on_after,
)
from gossamer.core.threads.current import NoSchedulerRuns, current_thread
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.systemcall import BLOCKED, Handler, SystemCall
from gossamer.core.threads.thread import Thread

SECOND = 1_000_000


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def scheduler(clock: VirtualClock) -> Scheduler:
    return Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)


def run_one(scheduler: Scheduler, coroutine: Any) -> Any:
    results = []

    async def keep() -> None:
        results.append(await coroutine)

    thread = scheduler.spawn(keep())
    scheduler.run()
    if not results:
        raise thread.inbox.error
    return results[0]


def test_move_on_after__sleeps_longer__is_left_at_the_deadline(
    scheduler: Scheduler, clock: VirtualClock
) -> None:
    async def patient() -> bool:
        with move_on_after(1) as scope:
            await sys_sleep(10 * SECOND)
        return scope.cancelled_caught

    start_us = clock()
    assert run_one(scheduler, patient())
    assert clock() - start_us == pytest.approx(SECOND, abs=2000), "the sleep was withdrawn as well"


def test_move_on_after__done_in_time__is_not_cancelled_and_leaves_no_alarm(
    scheduler: Scheduler, clock: VirtualClock
) -> None:
    async def quick() -> bool:
        with move_on_after(5) as scope:
            await sys_sleep(SECOND)
        return scope.cancel_called

    start_us = clock()
    assert not run_one(scheduler, quick())
    assert clock() - start_us < 2 * SECOND


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_move_on_after__no_time__refused(scheduler: Scheduler, seconds: float) -> None:
    async def hasty() -> None:
        with pytest.raises(MisuseError, match="0 and more"):
            move_on_after(seconds)

    run_one(scheduler, hasty())


def test_fail_after__too_slow__raises_a_timeout(scheduler: Scheduler) -> None:
    async def slow() -> None:
        with fail_after(0.5):
            await sys_sleep(SECOND)

    with pytest.raises(TooSlowError, match=r"0\.5 s"):
        run_one(scheduler, slow())


def test_cancel__level_triggered__every_later_blocking_call_raises_too(scheduler: Scheduler) -> None:
    heard = []

    async def stubborn() -> bool:
        with CancelScope() as scope:
            scope.cancel()
            for call in (sys_sleep(1), sys_yield(), Park(deque())):
                try:
                    await call
                except Cancelled:
                    heard.append(type(call).__name__)
            await sys_yield()
        return scope.cancelled_caught

    assert run_one(scheduler, stubborn())
    assert heard == ["Sleep", "Yield", "Park"]


def test_shield__in_a_cancelled_scope__finally_may_block(scheduler: Scheduler) -> None:
    order = []

    async def careful() -> None:
        with move_on_after(1):
            try:
                await sys_sleep(10 * SECOND)
            finally:
                with CancelScope(shield=True):
                    await sys_sleep(SECOND)
                    order.append("cleaned up")
                order.append("left")

    run_one(scheduler, careful())
    assert order == ["cleaned up", "left"]


def test_shield__lifted_in_a_cancelled_scope__the_blocked_thread_wakes_at_once(
    scheduler: Scheduler, clock: VirtualClock
) -> None:
    async def guarded() -> bool:
        with CancelScope() as outer:
            inner = CancelScope(shield=True)
            await sys_fork(lifts(outer, inner))
            with inner:
                await sys_sleep(10 * SECOND)
        return outer.cancelled_caught

    async def lifts(outer: CancelScope, inner: CancelScope) -> None:
        outer.cancel()
        await sys_sleep(SECOND)
        inner.shield = False

    start_us = clock()
    assert run_one(scheduler, guarded())
    assert clock() - start_us == pytest.approx(SECOND, abs=2000)


class Vote(SystemCall[str], frozen=True, gc=False):
    """Answered by the test; its loop names no canceller."""


class VoteLoop(PassiveLoop):
    def __init__(self) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {Vote: self._vote}
        self.voters: list[Thread[Any]] = []

    def start(self, scheduler: SchedulerPort) -> None:
        self._scheduler = scheduler

    def _vote(self, thread: Thread[Any], _call: Vote) -> Any:
        self.voters.append(thread)
        return BLOCKED

    def close(self) -> None:
        assert not self.voters

    def answer(self) -> None:
        self._scheduler.resume(self.voters.pop(), "aye")


def test_cancel__call_without_a_canceller__is_waited_for_and_its_answer_is_not_lost(
    scheduler: Scheduler, clock: VirtualClock
) -> None:
    loop = VoteLoop()
    scheduler.add_loop(loop)
    heard: list[str] = []

    async def voter() -> bool:
        await sys_fork(answers())
        with move_on_after(1) as scope:
            heard.append(await Vote())
            assert scope.cancel_called
            heard.append("went on")
            await sys_sleep(0)
            heard.append("never")
        return scope.cancelled_caught

    async def answers() -> None:
        await sys_sleep(5 * SECOND)
        loop.answer()

    start_us = clock()
    assert run_one(scheduler, voter())
    assert heard == ["aye", "went on"]
    assert clock() - start_us == pytest.approx(5 * SECOND, abs=2000)


def test_scopes__outer_cancelled__inner_does_not_catch(scheduler: Scheduler) -> None:
    async def nested() -> tuple[bool, bool]:
        with move_on_after(1) as outer:
            with move_on_after(2) as inner:
                await sys_sleep(10 * SECOND)
            await sys_sleep(10 * SECOND)
        return outer.cancelled_caught, inner.cancelled_caught

    assert run_one(scheduler, nested()) == (True, False)


def test_scopes__both_cancelled__the_outer_catches(scheduler: Scheduler) -> None:
    trace = []

    async def nested() -> None:
        with CancelScope() as outer:
            with CancelScope() as inner:
                inner.cancel()
                outer.cancel()
                await sys_yield()
            trace.append("between")
        trace.append("after")

    run_one(scheduler, nested())
    assert trace == ["after"]


def test_deadline__moved_while_entered__counts_from_then(scheduler: Scheduler) -> None:
    async def extended() -> bool:
        with move_on_after(1) as scope:
            scope.deadline_us += 5 * SECOND
            await sys_sleep(3 * SECOND)
        return scope.cancel_called

    assert not run_one(scheduler, extended())


def test_park__cancelled__its_place_in_the_queue_is_gone(scheduler: Scheduler) -> None:
    waiters: deque[Any] = deque()

    async def waits() -> None:
        with move_on_after(1):
            await Park(waiters)

    run_one(scheduler, waits())
    assert not waiters


def test_join__cancelled__the_joined_thread_goes_on(scheduler: Scheduler) -> None:
    ended = []

    async def child() -> None:
        await sys_sleep(3 * SECOND)
        ended.append("child")

    async def parent() -> bool:
        thread = await sys_fork(child())
        with move_on_after(1) as scope:
            await sys_join(thread)
        ended.append("parent")
        return scope.cancelled_caught

    assert run_one(scheduler, parent())
    assert ended == ["parent", "child"]


def test_nursery__two_children__left_when_both_have_ended(scheduler: Scheduler) -> None:
    order = []

    async def child(us: int) -> None:
        await sys_sleep(us)
        order.append(us)

    async def parent() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(child, 2 * SECOND)
            nursery.start_soon(child, SECOND)
            order.append(0)
        order.append(3)

    run_one(scheduler, parent())
    assert order == [0, SECOND, 2 * SECOND, 3]


def test_nursery__child_fails__siblings_are_cancelled_and_a_group_comes_out(scheduler: Scheduler) -> None:
    trace = []

    async def fails() -> None:
        await sys_sleep(SECOND)
        raise KeyError("lost")

    async def sleeps() -> None:
        try:
            await sys_sleep(100 * SECOND)
        except Cancelled:
            trace.append("cancelled")
            raise

    async def parent() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(fails)
            nursery.start_soon(sleeps)
            await sys_sleep(50 * SECOND)
            trace.append("never")

    with pytest.raises(ExceptionGroup) as caught:
        run_one(scheduler, parent())
    assert [type(each) for each in caught.value.exceptions] == [KeyError]
    assert trace == ["cancelled"]


def test_nursery__body_fails__children_are_cancelled(scheduler: Scheduler) -> None:
    async def sleeps() -> None:
        await sys_sleep(100 * SECOND)

    async def parent() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(sleeps)
            raise ValueError("body")

    with pytest.raises(ExceptionGroup) as caught:
        run_one(scheduler, parent())
    assert caught.group_contains(ValueError, match="body")


def test_nursery__own_scope_cancelled__ends_quietly(scheduler: Scheduler) -> None:
    async def sleeps() -> None:
        await sys_sleep(100 * SECOND)

    async def parent() -> str:
        async with open_nursery() as nursery:
            nursery.start_soon(sleeps)
            await sys_sleep(SECOND)
            nursery.cancel_scope.cancel()
        return "after"

    assert run_one(scheduler, parent()) == "after"


def test_nursery__deadline_around_it__children_are_cancelled_too(
    scheduler: Scheduler, clock: VirtualClock
) -> None:
    async def sleeps() -> None:
        await sys_sleep(100 * SECOND)

    async def parent() -> bool:
        with move_on_after(1) as scope:
            async with open_nursery() as nursery:
                nursery.start_soon(sleeps)
                nursery.start_soon(sleeps)
        return scope.cancelled_caught

    start_us = clock()
    assert run_one(scheduler, parent())
    assert clock() - start_us < 2 * SECOND


def test_nursery__within_a_child__cancelled_from_outside__ends_quietly(scheduler: Scheduler) -> None:
    async def child() -> None:
        async with open_nursery() as inner:
            inner.start_soon(sys_sleep, 10 * SECOND)
            await sys_sleep(10 * SECOND)

    async def body() -> bool:
        async with open_nursery() as outer:
            outer.start_soon(child)
            await sys_yield()
            outer.cancel_scope.cancel()
        return outer.cancel_scope.cancelled_caught

    assert run_one(scheduler, body())


def test_nursery__within_the_body__cancelled_from_outside__children_of_both_have_ended(
    scheduler: Scheduler,
) -> None:
    ended = []

    async def slow_to_leave(name: str, seconds: int) -> None:
        try:
            await sys_sleep(10 * SECOND)
        finally:
            with CancelScope(shield=True):
                await sys_sleep(seconds * SECOND)
            ended.append(name)

    async def body() -> list[str]:
        async with open_nursery() as outer:
            outer.start_soon(slow_to_leave, "outer", 3)
            async with open_nursery() as inner:
                inner.start_soon(slow_to_leave, "inner", 1)
                await sys_yield()
                outer.cancel_scope.cancel()
        return sorted(ended)

    assert run_one(scheduler, body()) == ["inner", "outer"]


def test_nursery__within_a_child__fails_while_cancelled_from_outside__the_failure_comes_out(
    scheduler: Scheduler,
) -> None:
    async def failing() -> None:
        try:
            await sys_sleep(10 * SECOND)
        finally:
            raise OSError("not even now")

    async def child() -> None:
        async with open_nursery() as inner:
            inner.start_soon(failing)
            await sys_sleep(10 * SECOND)

    async def body() -> None:
        async with open_nursery() as outer:
            outer.start_soon(child)
            await sys_yield()
            outer.cancel_scope.cancel()

    with pytest.raises(ExceptionGroup) as raised:
        run_one(scheduler, body())
    assert raised.value.subgroup(OSError) is not None


def test_nursery__start_soon_of_a_coroutine__says_what_it_takes(scheduler: Scheduler) -> None:
    async def confused() -> None:
        async with open_nursery() as nursery:
            coroutine: Any = sys_catch(sys_sleep(0), None)  # type: ignore[arg-type]
            with pytest.raises(GossamerError, match="start_soon takes a function and its arguments"):
                nursery.start_soon(coroutine)
            coroutine.close()
            assert nursery.children == 0

    run_one(scheduler, confused())


def test_nursery__left__nothing_can_be_started_in_it(scheduler: Scheduler) -> None:
    async def parent() -> None:
        async with open_nursery() as nursery:
            pass
        with pytest.raises(GossamerError, match="closed"):
            nursery.start_soon(parent)

    run_one(scheduler, parent())


def test_nursery__context_variables__children_inherit_and_keep_their_own(scheduler: Scheduler) -> None:
    request: ContextVar[str] = ContextVar("request")
    seen = []

    async def child(name: str) -> None:
        seen.append(request.get())
        request.set(name)
        await sys_yield()
        seen.append(request.get())

    async def parent() -> None:
        request.set("parent")
        async with open_nursery() as nursery:
            nursery.start_soon(child, "a")
            nursery.start_soon(child, "b")
        seen.append(request.get())

    run_one(scheduler, parent())
    assert seen == ["parent", "parent", "a", "b", "parent"]


def test_current_thread__outside_of_any__says_so() -> None:
    with pytest.raises(NoSchedulerRuns, match="in a thread"):
        current_thread()


def test_scope__entered_twice__is_refused(scheduler: Scheduler) -> None:
    async def twice() -> None:
        scope = CancelScope()
        with scope:
            pass
        with pytest.raises(GossamerError, match="once"), scope:
            pass

    run_one(scheduler, twice())
