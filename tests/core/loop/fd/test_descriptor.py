"""sys_epoll_wait and EdgeWatch on a pipe."""

import os
import select
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.errors import GossamerError, MisuseError
from gossamer.core.io.pipe import PipeReader, open_pipe
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop, EdgeWatch
from gossamer.core.loop.program import run
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import (
    sys_blio,
    sys_epoll_wait,
    sys_fork,
    sys_join,
    sys_nbio,
    sys_notify_closing,
    sys_yield,
)
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Raise


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


class ImpatientWaiter(EpollWaiter):
    """Counts registrations, which an edge-triggered wait is to save, and never sleeps: a pipe is
    ready at once or never here, so a thread that is still blocked then would stay so for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[tuple[int, int]] = []
        self.has_event = False

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        def noted(ready: int) -> None:
            self.has_event = True
            callback(ready)

        self.watched.append((fd, events))
        super().watch(fd, events, noted)

    def wait(self, timeout_us: int) -> None:
        self.has_event = False
        super().wait(0)
        assert self.has_event or timeout_us == 0, "every thread is blocked, and no event is there"


class Pipe:
    """A pipe, and a scheduler whose threads wait for it."""

    def __init__(self) -> None:
        self.waiter = ImpatientWaiter()
        self.scheduler = Scheduler(self.waiter, [DescriptorLoop()])
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What the thread returned; raises what it raised."""
        thread = self.scheduler.spawn(coroutine)
        self.scheduler.run()
        assert self.scheduler.statistics()["threads"] == 0
        if isinstance(thread.inbox, Raise):
            raise thread.inbox.error
        return thread.inbox

    async def look(self) -> None:
        """Go on when the waiter has asked the kernel once more: a yield alone stays within a turn."""
        until = self.scheduler.turns_total + 2
        while self.scheduler.turns_total < until:
            await sys_yield()

    async def stays_blocked(self, watch: EdgeWatch) -> bool:
        """Whether a wait is not answered though the kernel was asked: it is cancelled then."""
        with CancelScope() as scope:
            await sys_fork(self._cancels(scope))
            await watch.wait()
        return scope.cancelled_caught

    async def _cancels(self, scope: CancelScope) -> None:
        await self.look()
        scope.cancel()

    def write(self) -> None:
        os.write(self.writer, b"x")

    def drain(self) -> None:
        assert os.read(self.reader, 100)

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()
        for fd in (self.reader, self.writer):
            os.close(fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_edge__ready_before_the_first_wait__is_reported_once(pipe: Pipe) -> None:
    async def main() -> tuple[int, bool]:
        async with EdgeWatch(pipe.reader, select.EPOLLIN) as watch:
            pipe.write()
            return await watch.wait(), await pipe.stays_blocked(watch)

    assert pipe.run(main()) == (select.EPOLLIN, True), "level-triggered: what is left makes no new edge"


def test_edge__each_new_write_wakes_the_waiter__registered_once(pipe: Pipe) -> None:
    seen = []

    async def waits(watch: EdgeWatch) -> None:
        for _ in range(3):
            seen.append(await watch.wait())

    async def main() -> None:
        async with EdgeWatch(pipe.reader, select.EPOLLIN) as watch:
            thread = await sys_fork(waits(watch))
            for number in range(3):
                pipe.write()
                while len(seen) <= number:
                    await pipe.look()
            await sys_join(thread)

    pipe.run(main())
    assert seen == [select.EPOLLIN] * 3
    assert pipe.waiter.watched == [(pipe.reader, select.EPOLLIN | select.EPOLLET)]


def test_edge__between_two_waits__is_remembered(pipe: Pipe) -> None:
    async def main() -> tuple[int, bool]:
        async with EdgeWatch(pipe.reader, select.EPOLLIN) as watch:
            assert await pipe.stays_blocked(watch)
            pipe.write()
            await pipe.look()
            pipe.drain()
            return await watch.wait(), await pipe.stays_blocked(watch)

    assert pipe.run(main()) == (select.EPOLLIN, True)


def test_edge__several_between_two_waits__their_bits_are_joined(pipe: Pipe) -> None:
    here, there = socket.socketpair()
    here.setblocking(False)

    async def main() -> tuple[int, bool]:
        async with EdgeWatch(here.fileno(), select.EPOLLIN | select.EPOLLOUT) as watch:
            assert await watch.wait() == select.EPOLLOUT
            filled = fill(here)
            there.send(b"x")
            await pipe.look()  # an edge: it can be read, and not written
            assert here.recv(10) == b"x"
            assert len(there.recv(filled, socket.MSG_WAITALL)) == filled
            await pipe.look()  # another: it can be written, and no longer read
            return await watch.wait(), await pipe.stays_blocked(watch)

    assert pipe.run(main()) == (select.EPOLLIN | select.EPOLLOUT, True)
    here.close()
    there.close()


def fill(sock: socket.socket) -> int:
    """Send until the kernel takes no more; how many bytes that were."""
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += sock.send(bytes(4096))
    return sent


def test_edge__wait_cancelled__the_edge_after_it_is_not_lost(pipe: Pipe) -> None:
    async def main() -> int:
        async with EdgeWatch(pipe.reader, select.EPOLLIN) as watch:
            with CancelScope() as scope:
                scope.cancel()
                await watch.wait()
            assert scope.cancelled_caught
            pipe.write()
            return await watch.wait()

    assert pipe.run(main()) == select.EPOLLIN
    assert len(pipe.waiter.watched) == 1


def test_edge__closed__blocked_and_later_waits_get_an_error_and_level_waits_work_again(pipe: Pipe) -> None:
    async def main() -> int:
        watch = EdgeWatch(pipe.reader, select.EPOLLIN)
        thread = await sys_fork(edge_of(watch))
        await pipe.look()
        await watch.close()
        with pytest.raises(ConnectionAbortedError, match="closed by another thread"):
            await sys_join(thread)
        with pytest.raises(ConnectionAbortedError, match="the watch is closed"):
            await watch.wait()
        await watch.close()
        pipe.write()
        return await sys_epoll_wait(pipe.reader, select.EPOLLIN)

    assert pipe.run(main()) == select.EPOLLIN


async def edge_of(watch: EdgeWatch) -> int:
    return await watch.wait()


def test_edge__closed_before_any_wait__another_watch_is_left_alone(pipe: Pipe) -> None:
    async def main() -> int:
        async with EdgeWatch(pipe.reader, select.EPOLLIN) as watch:
            thread = await sys_fork(edge_of(watch))
            await pipe.look()
            await EdgeWatch(pipe.reader, select.EPOLLIN).close()
            pipe.write()
            return int(await sys_join(thread))

    assert pipe.run(main()) == select.EPOLLIN


def test_edge__two_threads_two_watches_or_both_ways__refused(pipe: Pipe) -> None:
    async def main() -> None:
        async with EdgeWatch(pipe.reader, select.EPOLLIN) as watch:
            thread = await sys_fork(edge_of(watch), "first")
            await pipe.look()
            with pytest.raises(
                GossamerError, match=f"<Thread first> waits for descriptor {pipe.reader} already"
            ):
                await watch.wait()
            for other in (EdgeWatch(pipe.reader, select.EPOLLIN).wait(), sys_epoll_wait(pipe.reader, 1)):
                with pytest.raises(
                    GossamerError, match=f"not closed watches descriptor {pipe.reader} already"
                ):
                    await other
            pipe.write()
            assert await sys_join(thread) == select.EPOLLIN
        pipe.drain()
        level = await sys_fork(level_wait(pipe.reader), "level")
        await pipe.look()
        with pytest.raises(GossamerError, match="<Thread level> waits"):
            await EdgeWatch(pipe.reader, select.EPOLLIN).wait()
        pipe.write()
        await sys_join(level)

    pipe.run(main())


async def level_wait(fd: int) -> int:
    return await sys_epoll_wait(fd, select.EPOLLIN)


@pytest.mark.parametrize("fd", [-1, 1_000_000])
def test_edge__no_descriptor__os_error_in_the_thread(pipe: Pipe, fd: int) -> None:
    async def main() -> None:
        watch = EdgeWatch(fd, select.EPOLLIN)
        for _ in range(2):
            with pytest.raises(OSError, match="descriptor"):
                await watch.wait()
        await watch.close()

    pipe.run(main())


def test_edge__regular_file__refused(pipe: Pipe) -> None:
    async def main() -> None:
        with open(__file__, "rb") as file, pytest.raises(PermissionError):
            await EdgeWatch(file.fileno(), select.EPOLLIN).wait()

    pipe.run(main())


@pytest.mark.parametrize("way", ["level", "edge"])
def test_given_up__a_copy_lives_on__its_events_do_not_wake_who_waits_for_the_same_number(
    pipe: Pipe, way: str
) -> None:
    """epoll(7): closing a descriptor ends its registration only when no copy of it is left."""

    async def give_up(fd: int) -> None:
        with CancelScope() as scope:
            scope.cancel()
            async with EdgeWatch(fd, select.EPOLLIN) as watch:
                await (sys_epoll_wait(fd, select.EPOLLIN) if way == "level" else watch.wait())

    async def main() -> bool:
        fd = os.dup(pipe.reader)
        await give_up(fd)
        os.close(fd)
        quiet, peer = os.pipe()
        assert quiet == fd, "the kernel hands out the lowest number that is free"
        async with EdgeWatch(quiet, select.EPOLLIN) as watch:
            assert await pipe.stays_blocked(watch)
            pipe.write()
            is_blocked = await pipe.stays_blocked(watch)
        os.close(quiet)
        os.close(peer)
        return is_blocked

    assert pipe.run(main())


@pytest.mark.parametrize("flag", [select.EPOLLONESHOT, select.EPOLLEXCLUSIVE])
def test_edge__flags_that_are_its_own__refused(flag: int) -> None:
    with pytest.raises(MisuseError, match="takes no EPOLLONESHOT"):
        EdgeWatch(0, select.EPOLLIN | flag)


def eventfds() -> list[int]:
    """The descriptors by which the pool and the disk wake a scheduler, and Ctrl-C does."""
    links = {int(name): f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")}
    return [fd for fd, link in links.items() if os.path.exists(link) and "eventfd" in os.readlink(link)]


def test_descriptor_of_a_pipe_or_a_loop__refused_and_its_owner_goes_on() -> None:
    """A number that was closed and is another's now, for one."""
    others = set(eventfds())

    async def reads(reader: PipeReader) -> bytes:
        return await reader.recv()

    async def main() -> bytes:
        reader, writer = open_pipe()
        receiving = await sys_fork(reads(reader), "receiver")
        await sys_yield()
        for fd in {reader.fd, *eventfds()} - others:
            for wait in (sys_epoll_wait(fd, select.EPOLLIN), EdgeWatch(fd, select.EPOLLIN).wait()):
                with pytest.raises(MisuseError, match="already"):
                    await wait
        assert await sys_blio(os.getpid) == os.getpid()
        await writer.send(b"goes on")
        data = await sys_join(receiving)
        await reader.close()
        await writer.close()
        return data

    assert run(main()) == b"goes on"


async def by_epoll_wait(fd: int) -> int:
    return await sys_epoll_wait(fd, select.EPOLLIN)


async def by_edge_watch(fd: int) -> int:
    return await EdgeWatch(fd, select.EPOLLIN).wait()


@pytest.mark.parametrize("wait", [by_epoll_wait, by_edge_watch])
@pytest.mark.parametrize("has_copy", [False, True])
def test_notify_closing__who_waits_is_notified_and_the_next_of_that_number_is_let_in(
    wait: Callable[[int], Coroutine[Any, Any, int]], has_copy: bool
) -> None:
    async def main() -> None:
        reader, writer = os.pipe2(os.O_NONBLOCK)
        copy = os.dup(reader) if has_copy else -1
        thread = await sys_fork(wait(reader))
        await sys_yield()
        await sys_notify_closing(reader)
        os.close(reader)
        with pytest.raises(ConnectionAbortedError, match=f"descriptor {reader} is closed"):
            await sys_join(thread)
        if has_copy:
            os.write(writer, b"an event of the copy")
        new_reader, new_writer = os.pipe2(os.O_NONBLOCK)
        assert new_reader == reader
        for again in (by_epoll_wait, by_edge_watch):
            thread = await sys_fork(again(reader))
            await sys_yield()
            os.write(new_writer, b"x")
            assert await sys_join(thread) == select.EPOLLIN
        await sys_notify_closing(reader)
        for fd in {copy, writer, new_reader, new_writer} - {-1}:
            os.close(fd)

    run(main())


def test_notify_closing__a_watch_on_it_is_closed() -> None:
    async def main() -> None:
        reader, writer = os.pipe2(os.O_NONBLOCK)
        os.write(writer, b"x")
        watch = EdgeWatch(reader, select.EPOLLIN)
        await watch.wait()
        await sys_notify_closing(reader)
        with pytest.raises(ConnectionAbortedError):
            await watch.wait()
        os.close(reader)
        os.close(writer)

    run(main())


def test_notify_closing__nobody_waits__nothing_is_done() -> None:
    async def main() -> None:
        for fd in (-1, 0, 1_000_000):
            for _ in range(2):
                assert await sys_notify_closing(fd) is None

    run(main())


def test_notify_closing__in_a_cancelled_thread__does_not_block() -> None:
    async def main() -> bool:
        with CancelScope() as scope:
            scope.cancel()
            await sys_notify_closing(0)
        return scope.cancelled_caught

    assert not run(main())


def test_notify_closing__of_what_has_its_own_close__is_refused() -> None:
    async def main() -> None:
        reader, writer = open_pipe()
        thread = await sys_fork(reads(reader))
        await sys_yield()
        with pytest.raises(MisuseError, match="close that"):
            await sys_notify_closing(reader.fd)
        await writer.send(b"x")
        assert await sys_join(thread) == b"x"
        await reader.close()
        await writer.close()

    async def reads(reader: PipeReader) -> bytes:
        return await reader.recv()

    run(main())


def test_notify_closing__over_a_waiter_of_virtual_time__the_same() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [DescriptorLoop()], clock)
    notified = []

    async def waits(wait: Callable[[int], Coroutine[Any, Any, int]]) -> None:
        with pytest.raises(ConnectionAbortedError):
            await wait(7)
        notified.append(wait)

    async def main() -> None:
        for wait in (by_epoll_wait, by_edge_watch):
            thread = await sys_fork(waits(wait))
            await sys_yield()
            await sys_notify_closing(7)
            await sys_join(thread)

    scheduler.spawn(main())
    scheduler.run()
    assert notified == [by_epoll_wait, by_edge_watch]
