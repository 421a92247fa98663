"""Blocking functions in the pool: results, errors, bounds, and an end that hangs on nobody."""

import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar, copy_context

import pytest

from gossamer.core.errors import BoundExceeded
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop, Wakeup
from gossamer.core.threads.calls import Fork, sys_blio, sys_fork, sys_join, sys_yield
from gossamer.core.threads.scheduler import Scheduler


@pytest.fixture
def pool() -> PoolLoop:
    return PoolLoop(os_threads_max=2, queue_max=4)


@pytest.fixture
def scheduler(pool: PoolLoop) -> Iterator[Scheduler]:
    waiter = EpollWaiter()
    made = Scheduler(waiter, [pool])
    yield made
    made.close()
    waiter.close()


def ended_well(scheduler: Scheduler) -> bool:
    return scheduler.statistics()["thread_errors_total"] == 0


def test_result_and_error__travel_back(scheduler: Scheduler) -> None:
    async def main() -> None:
        assert await sys_blio(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await sys_blio(divmod, 1, 0)
        with pytest.raises(SystemExit):
            await sys_blio(exit_now)

    scheduler.spawn(main())
    scheduler.run()
    assert ended_well(scheduler)


def exit_now() -> None:
    raise SystemExit(3)


def test_context_variables__the_function_sees_its_threads(scheduler: Scheduler) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody's")

    async def asks(mine: str) -> str:
        name.set(mine)
        return await sys_blio(name.get)

    async def main() -> list[str]:
        threads = [await Fork(asks(each), context=copy_context()) for each in "ab"]
        return [await sys_join(thread) for thread in threads]

    thread = scheduler.spawn(main())
    scheduler.run()
    assert thread.inbox == ["a", "b"]


def test_blocked_function__the_scheduler_goes_on(scheduler: Scheduler) -> None:
    gate = threading.Event()
    yields = 0

    async def main() -> None:
        nonlocal yields
        blocked = await sys_fork(waits())
        for _ in range(100):
            yields += 1
            await sys_yield()
        assert not blocked.has_ended
        gate.set()
        assert await sys_join(blocked)

    async def waits() -> bool:
        return bool(await sys_blio(gate.wait, 5))

    scheduler.spawn(main())
    scheduler.run()
    assert yields == 100
    assert ended_well(scheduler)


def test_more_jobs_than_threads__bounded_threads_and_queue(scheduler: Scheduler, pool: PoolLoop) -> None:
    gate = threading.Event()
    refused = []

    async def waits() -> None:
        try:
            await sys_blio(gate.wait, 5)
        except BoundExceeded as error:
            refused.append(error)

    async def main() -> None:
        threads = [await sys_fork(waits()) for _ in range(6)]
        for _ in range(10):
            await sys_yield()
        assert len(refused) == 2
        assert pool.statistics() == {"pool_pending": 4, "pool_os_threads": 2}
        gate.set()
        for thread in threads:
            await sys_join(thread)

    scheduler.spawn(main())
    scheduler.run()
    assert pool.statistics() == {"pool_pending": 0, "pool_os_threads": 2}
    assert ended_well(scheduler)


def test_unused__starts_no_thread(pool: PoolLoop) -> None:
    assert pool.statistics() == {"pool_pending": 0, "pool_os_threads": 0}


def test_closed_while_a_function_blocks__late_result_is_dropped(scheduler: Scheduler, pool: PoolLoop) -> None:
    gate = threading.Event()
    before = set(threading.enumerate())

    async def waits() -> None:
        scheduler.stop()
        await sys_blio(gate.wait, 5)

    scheduler.spawn(waits())
    scheduler.run()
    started = set(threading.enumerate()) - before
    assert len(started) == 1
    pool.close()
    gate.set()
    for os_thread in started:
        os_thread.join(5)
        assert not os_thread.is_alive()


def test_wake_after_close__touches_no_descriptor_that_took_the_number() -> None:
    wakeup = Wakeup()
    fd = wakeup.fd
    wakeup.close()
    reused = os.eventfd(0, os.EFD_NONBLOCK)
    assert reused == fd, "the kernel hands out the lowest number that is free"
    wakeup.wake()
    with pytest.raises(BlockingIOError):
        os.eventfd_read(reused)
    os.close(reused)
