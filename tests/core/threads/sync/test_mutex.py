"""The mutex excludes, is fair, and survives the end of its holder."""

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.errors import BoundExceeded, GossamerError
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_ret, sys_sleep, sys_yield
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.sync import Mutex, waiting


@pytest.fixture
def scheduler() -> Scheduler:
    clock = VirtualClock()
    return Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)


def test_locked__others_wait__first_come_first_served(scheduler: Scheduler) -> None:
    mutex, trace, inside = Mutex(), [], 0

    async def enters(name: int) -> None:
        nonlocal inside
        async with mutex:
            inside += 1
            assert inside == 1
            trace.append(name)
            await sys_sleep(100)
            inside -= 1

    for name in range(20):
        scheduler.spawn(enters(name))
    scheduler.run()
    assert trace == list(range(20))
    assert scheduler.statistics()["thread_errors_total"] == 0
    assert not mutex.is_locked


def test_unlock_and_lock_again__the_waiting_thread_goes_first(scheduler: Scheduler) -> None:
    mutex, trace = Mutex(), []

    async def greedy() -> None:
        for _ in range(3):
            async with mutex:
                trace.append("greedy")
                await sys_yield()

    async def modest() -> None:
        async with mutex:
            trace.append("modest")

    scheduler.spawn(greedy())
    scheduler.spawn(modest())
    scheduler.run()
    assert trace == ["greedy", "modest", "greedy", "greedy"]


@pytest.mark.parametrize("ending", ["raise", "ret"])
def test_holder_ends__lock_goes_on(scheduler: Scheduler, ending: str) -> None:
    mutex, trace = Mutex(), []

    async def dies() -> None:
        async with mutex:
            await sys_sleep(10)
            if ending == "raise":
                raise ValueError
            await sys_ret()

    async def next_one() -> None:
        async with mutex:
            trace.append("in")

    scheduler.spawn(dies())
    scheduler.spawn(next_one())
    scheduler.run()
    assert trace == ["in"]


def test_unlock__nobody_holds__raises() -> None:
    with pytest.raises(GossamerError):
        Mutex().unlock()


def test_too_many_waiters__bound_exceeded(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITERS_MAX", 1)
    mutex, refused = Mutex(), []

    async def enters() -> None:
        try:
            async with mutex:
                await sys_sleep(10)
        except BoundExceeded as error:
            refused.append(error)

    for _ in range(3):
        scheduler.spawn(enters())
    scheduler.run()
    assert len(refused) == 1
