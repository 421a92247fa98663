"""sys_epoll_wait on a pipe."""

import os
import select
from collections.abc import Iterator

import pytest
from gossamer.core.errors import GossamerError
from gossamer.core.loop.descriptor import DescriptorLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.threads.calls import sys_epoll_wait, sys_fork, sys_join, sys_nbio, sys_yield
from gossamer.core.threads.scheduler import Scheduler


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    waiter = EpollWaiter()
    made = Scheduler(waiter, [DescriptorLoop()])
    yield made
    made.close()
    waiter.close()


def test_pipe__thread_wakes_each_time_there_is_data(scheduler: Scheduler) -> None:
    reader, writer = os.pipe()
    received = []

    async def reads() -> None:
        for _ in range(3):
            events = await sys_epoll_wait(reader, select.EPOLLIN)
            assert events == select.EPOLLIN
            received.append(await sys_nbio(os.read, reader, 10))

    async def main() -> None:
        thread = await sys_fork(reads())
        for data in (b"a", b"b", b"c"):
            await sys_nbio(os.write, writer, data)
            while received[-1:] != [data]:
                await sys_yield()
        await sys_join(thread)

    scheduler.spawn(main())
    scheduler.run()
    assert received == [b"a", b"b", b"c"]
    assert scheduler.statistics()["thread_errors_total"] == 0
    os.close(reader)
    os.close(writer)


def test_two_threads_for_one_descriptor__second_is_refused(scheduler: Scheduler) -> None:
    reader, writer = os.pipe()

    async def main() -> None:
        thread = await sys_fork(waits())
        await sys_yield()
        with pytest.raises(GossamerError, match="already"):
            await waits()
        os.write(writer, b"x")
        await sys_join(thread)

    async def waits() -> int:
        return await sys_epoll_wait(reader, select.EPOLLIN)

    scheduler.spawn(main())
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 0
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("fd", [-1, 1_000_000])
def test_no_descriptor__os_error_in_the_thread(scheduler: Scheduler, fd: int) -> None:
    async def main() -> None:
        for _ in range(2):
            with pytest.raises(OSError, match="descriptor"):
                await sys_epoll_wait(fd, select.EPOLLIN)

    scheduler.spawn(main())
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 0
