"""Reads, writes and syncs of real files, by every engine that there is."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.errors import BoundExceeded, MisuseError
from gossamer.core.loop.disk import engine as diskengine
from gossamer.core.loop.disk import loop as disk
from gossamer.core.loop.disk.call import sys_aio_read, sys_aio_sync, sys_aio_write
from gossamer.core.loop.disk.loop import READ_BYTES_MAX, DiskLoop
from gossamer.core.loop.disk.names import LIBAIO, POOL, URING
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_join, sys_sleep, sys_yield
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.scheduler import Scheduler

from ....rights import EACH_ENGINE

DIRECT = pytest.mark.needs("direct-io")
CONTENT = os.urandom(300_001)
RANGES = [(0, 10), (0, 4096), (4095, 2), (5000, 100_000), (299_990, 100), (300_001, 5), (400_000, 5), (7, 0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    return file


class Rig:
    """A scheduler with the pool and the disk loop."""

    def __init__(self, engine: str, depth: int = 4) -> None:
        self.waiter = EpollWaiter()
        self.pool = PoolLoop()
        self.disk = DiskLoop(self.pool, depth, engine)
        self.scheduler = Scheduler(self.waiter, [self.pool, self.disk, SleepLoop()])

    def run(self, body: Any) -> Any:
        thread = self.scheduler.spawn(body)
        self.scheduler.run()
        assert self.scheduler.statistics()["thread_errors_total"] == 0
        return thread.inbox

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()


@pytest.fixture(params=EACH_ENGINE)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(request.param)
    assert made.disk.engine == request.param
    yield made
    made.close()


def open_direct(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_DIRECT)


@pytest.mark.parametrize("is_direct", [False, pytest.param(True, marks=DIRECT)])
def test_read__any_range__its_bytes(rig: Rig, path: Path, is_direct: bool) -> None:
    fd = open_direct(path) if is_direct else os.open(path, os.O_RDONLY)

    async def reads() -> None:
        for offset, length in RANGES:
            assert await sys_aio_read(fd, offset, length) == CONTENT[offset : offset + length]

    rig.run(reads())
    assert rig.disk.statistics()["disk_operations_total"] == len(RANGES)
    is_kernels = rig.disk.engine == URING or (rig.disk.engine == LIBAIO and is_direct)
    assert (rig.pool.statistics()["pool_os_threads"] == 0) == is_kernels
    os.close(fd)


@pytest.mark.parametrize("is_direct", [False, pytest.param(True, marks=DIRECT)])
def test_write_and_sync__are_read_back(rig: Rig, path: Path, is_direct: bool) -> None:
    fd = open_direct(path) if is_direct else os.open(path, os.O_RDWR)
    data = os.urandom(8192)

    async def writes() -> bytes:
        assert await sys_aio_write(fd, 4096, data) == 8192
        await sys_aio_sync(fd)
        return await sys_aio_read(fd, 4000, 9000)

    assert rig.run(writes()) == CONTENT[4000:4096] + data + CONTENT[12288:13000]
    assert path.read_bytes()[4096:12288] == data
    os.close(fd)


@DIRECT
def test_write__not_aligned_for_direct__refused_in_the_thread(rig: Rig, path: Path) -> None:
    fd = open_direct(path)

    async def writes() -> int:
        with pytest.raises(OSError, match="Invalid") as caught:
            await sys_aio_write(fd, 100, b"x" * 10)
        return caught.value.errno or 0

    assert rig.run(writes()) == errno.EINVAL
    os.close(fd)


@DIRECT
def test_no_kernel_engine__the_pool_reads_even_direct_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_depth: int, _chunk_bytes: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(diskengine, "UringEngine", refuse)
    monkeypatch.setattr(diskengine, "LibaioEngine", refuse)
    rig = Rig("auto")
    assert rig.disk.engine == POOL
    assert rig.disk.why_not_better == (
        "no io_uring: Operation not permitted; no libaio: Operation not permitted"
    )
    fd = open_direct(path)

    async def reads() -> None:
        for offset, length in RANGES:
            assert await sys_aio_read(fd, offset, length) == CONTENT[offset : offset + length]

    rig.run(reads())
    rig.close()
    os.close(fd)


def test_engine__unknown__names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r'"tape".*io_uring, libaio, pool'):
        Rig("tape")


@DIRECT
def test_more_reads_than_depth__all_are_answered_with_their_own_bytes(rig: Rig, path: Path) -> None:
    fd = open_direct(path)
    answered = []

    async def read(number: int) -> None:
        data = await sys_aio_read(fd, number * 3001, 3001)
        assert data == CONTENT[number * 3001 : (number + 1) * 3001]
        answered.append(number)

    async def main() -> None:
        threads = [rig.scheduler.spawn(read(number)) for number in range(90)]
        for thread in threads:
            await sys_join(thread)

    rig.run(main())
    assert sorted(answered) == list(range(90))
    statistics = rig.disk.statistics()
    assert statistics["disk_in_flight"] == statistics["disk_waiting"] == 0
    os.close(fd)


@DIRECT
@pytest.mark.needs(LIBAIO)
def test_too_many_waiting__bound_exceeded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig("auto")
    monkeypatch.setattr(disk, "WAITING_MAX", 2)
    fd = open_direct(path)
    outcomes = []

    async def read() -> None:
        try:
            outcomes.append(len(await sys_aio_read(fd, 0, 100)))
        except BoundExceeded:
            outcomes.append(-1)

    async def main() -> None:
        for thread in [rig.scheduler.spawn(read()) for _ in range(10)]:
            await sys_join(thread)

    rig.run(main())
    assert sorted(outcomes) == [-1] * 4 + [100] * 6
    rig.close()
    os.close(fd)


def test_the_pool_is_full__bound_exceeded__and_every_slot_comes_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for those that waited, and are begun when others are done."""
    rig = Rig(POOL)
    fd = os.open(path, os.O_RDONLY)
    begun, submit = 0, rig.pool.submit

    def refuses_at_times(*arguments: Any) -> None:
        nonlocal begun
        begun += 1
        if begun in (2, disk.POOL_DEPTH + 2):
            raise BoundExceeded("full")
        submit(*arguments)

    may_read = threading.Event()
    preadv = os.preadv

    def late(*arguments: Any) -> int:
        assert may_read.wait(10)
        return preadv(*arguments)

    monkeypatch.setattr(rig.pool, "submit", refuses_at_times)
    monkeypatch.setattr(os, "preadv", late)
    outcomes = []

    async def read() -> None:
        try:
            outcomes.append(await sys_aio_read(fd, 0, 1))
        except BoundExceeded:
            outcomes.append(b"refused")

    async def main() -> None:
        threads = [rig.scheduler.spawn(read()) for _ in range(disk.POOL_DEPTH + 5)]
        while rig.disk.statistics()["disk_waiting"] < 4:
            await sys_yield()
        may_read.set()
        for thread in threads:
            await sys_join(thread)

    with move_on_in_earnest(rig):
        rig.run(main())
    assert outcomes.count(b"refused") == 2
    assert outcomes.count(CONTENT[:1]) == disk.POOL_DEPTH + 3
    assert sorted(rig.disk._pool_lane.engine.free) == list(range(disk.POOL_DEPTH))
    rig.close()
    os.close(fd)


@DIRECT
@pytest.mark.needs(LIBAIO)
def test_the_kernel_has_no_room__waits_its_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig("auto")
    engine = rig.disk._lane.engine
    fd = open_direct(path)
    begun: list[int] = []
    read = engine.read
    refusals = iter((False, False, True, False, True))

    def refuses_at_times(slot: int, fd: int, length: int, offset: int) -> None:
        if next(refusals, False):
            raise BlockingIOError(errno.EAGAIN, "no room")
        begun.append(offset // 4096)
        read(slot, fd, length, offset)

    monkeypatch.setattr(engine, "read", refuses_at_times)

    async def reads(number: int) -> None:
        assert await sys_aio_read(fd, number * 4096, 10) == CONTENT[number * 4096 : number * 4096 + 10]

    async def main() -> None:
        for thread in [rig.scheduler.spawn(reads(number)) for number in range(9)]:
            await sys_join(thread)

    with move_on_in_earnest(rig):
        rig.run(main())
    assert begun == list(range(9))
    rig.close()
    os.close(fd)


@pytest.mark.parametrize(("length", "error"), [(-1, MisuseError), (READ_BYTES_MAX + 1, BoundExceeded)])
def test_length_out_of_bounds__refused(rig: Rig, path: Path, length: int, error: type[Exception]) -> None:
    fd = os.open(path, os.O_RDONLY)

    async def reads() -> None:
        with pytest.raises(error):
            await sys_aio_read(fd, 0, length)

    rig.run(reads())
    os.close(fd)


def test_bad_descriptor__os_error_in_the_thread(rig: Rig, tmp_path: Path) -> None:
    directory_fd = os.open(tmp_path, os.O_RDONLY)

    async def reads() -> None:
        with pytest.raises(OSError, match="descriptor"):
            await sys_aio_read(1_000_000, 0, 10)
        with pytest.raises(IsADirectoryError):
            await sys_aio_read(directory_fd, 0, 10)

    rig.run(reads())
    os.close(directory_fd)


@DIRECT
def test_cancelled_under_load__no_slot_is_lost_and_none_is_used_twice(rig: Rig, path: Path) -> None:
    """Reads are cancelled while the kernel still writes for them; those beside and after them get their own
    bytes, and every slot comes back."""
    fd = open_direct(path)
    answered = 0

    async def read(number: int) -> None:
        nonlocal answered
        offset = number * 577 % 290_000
        data = await sys_aio_read(fd, offset, 8000)
        assert data == CONTENT[offset : offset + 8000]
        answered += 1

    async def cancelled_soon(number: int) -> None:
        with CancelScope() as scope:
            async with open_nursery() as nursery:
                nursery.start_soon(read, number)
                await sys_yield()
                scope.cancel()

    async def main() -> None:
        for wave in range(30):
            async with open_nursery() as nursery:
                for number in range(12):
                    nursery.start_soon(read, wave * 31 + number)
                    nursery.start_soon(cancelled_soon, wave * 17 + number)

    rig.run(main())
    assert answered >= 30 * 12
    rig.run(settle(rig))
    for lane in (rig.disk._lane, rig.disk._pool_lane):
        assert sorted(lane.engine.free) == list(range(lane.engine.depth)), "a slot leaked, or is free twice"
    os.close(fd)


async def settle(rig: Rig) -> None:
    """Wait until the kernel has answered everything."""
    while rig.disk.statistics()["disk_in_flight"]:
        await sys_yield()


@DIRECT
def test_close_with_reads_in_flight__waits_for_the_kernel(path: Path) -> None:
    rig = Rig("auto")
    fd = open_direct(path)

    async def read() -> None:
        await sys_aio_read(fd, 0, 200_000)

    async def main() -> None:
        rig.scheduler.spawn(read())
        rig.scheduler.stop()

    rig.scheduler.spawn(main())
    rig.scheduler.run()
    rig.close()
    rig.disk.close()
    assert rig.disk.statistics()["disk_in_flight"] == 0
    os.close(fd)


@DIRECT
@pytest.mark.parametrize("engine", EACH_ENGINE[:2])
@pytest.mark.parametrize("spin_us", [0, 1_000_000])
def test_reads_in_flight__awake_as_long_as_it_was_asked_to(path: Path, engine: str, spin_us: int) -> None:
    pool = PoolLoop()
    loop = DiskLoop(pool, engine=engine, spin_us=spin_us)
    timeouts_us: list[int] = []

    class Noting(EpollWaiter):
        def wait(self, timeout_us: int) -> None:
            if loop.statistics()["disk_in_flight"]:
                timeouts_us.append(timeout_us)
            super().wait(timeout_us)

    assert loop.engine == engine
    waiter = Noting()
    scheduler = Scheduler(waiter, [pool, loop])
    fd = open_direct(path)

    async def reads() -> None:
        for block in range(20):
            await sys_aio_read(fd, block * 4096, 4096)

    scheduler.spawn(reads())
    scheduler.run()
    scheduler.close()
    waiter.close()
    os.close(fd)
    assert timeouts_us
    assert {timeout_us == 0 for timeout_us in timeouts_us} == {spin_us > 0}


def test_write_of_the_pool__cancelled__waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has only the descriptor's number: whoever closes it next must not have another file written."""
    rig = Rig(POOL)
    fd = os.open(path, os.O_RDWR)
    may_write = threading.Event()
    pwritev = os.pwritev

    def late(*arguments: Any) -> int:
        assert may_write.wait(10)
        return pwritev(*arguments)

    monkeypatch.setattr(os, "pwritev", late)

    async def lets_it_write() -> None:
        await sys_sleep(20_000)
        may_write.set()

    async def main() -> str:
        rig.scheduler.spawn(lets_it_write())
        with CancelScope() as scope:
            async with open_nursery() as nursery:
                nursery.start_soon(write_to, fd)
                await sys_yield()
                scope.cancel()
        with open(path, "rb") as file:
            return file.read(7).decode("ascii")

    assert rig.run(main()) == "written"
    os.close(fd)
    rig.close()


async def write_to(fd: int) -> None:
    await sys_aio_write(fd, 0, b"written")


def test_cancelled_while_it_waits__never_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(POOL)
    fd = os.open(path, os.O_RDONLY)
    answered: list[int] = []
    depth = disk.POOL_DEPTH
    may_read = threading.Event()
    preadv = os.preadv
    begun: list[int] = []

    def late(fd: int, buffers: Any, offset: int) -> int:
        assert may_read.wait(10)
        begun.append(offset)
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", late)

    async def read(number: int) -> None:
        await sys_aio_read(fd, number * 4096, 1)
        answered.append(number)

    async def main() -> None:
        scopes = []

        async def in_a_scope(number: int) -> None:
            with CancelScope() as scope:
                scopes.append(scope)
                await read(number)

        async with open_nursery() as nursery:
            for number in range(depth + 6):
                nursery.start_soon(in_a_scope, number)
            await sys_yield()
            assert rig.disk.statistics()["disk_waiting"] == 6
            for scope in scopes[depth + 1 : depth + 4]:
                scope.cancel()
            assert rig.disk.statistics()["disk_waiting"] == 3
            may_read.set()

    rig.run(main())
    assert sorted(answered) == [*range(depth + 1), depth + 4, depth + 5]
    assert sorted(begun) == [number * 4096 for number in sorted(answered)]
    assert rig.disk.statistics()["disk_waiting"] == 0
    os.close(fd)
    rig.close()


def test_one_call_awaited_by_many__each_cancelled_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is a value: that others wait with the same one must not matter to who is cancelled."""
    rig = Rig(POOL)
    fd = os.open(path, os.O_RDONLY)
    may_read = threading.Event()
    preadv = os.preadv

    def late(*arguments: Any) -> int:
        assert may_read.wait(10)
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", late)
    shared = sys_aio_read(fd, 0, 1)
    scopes: list[CancelScope] = []
    answered: list[int] = []

    async def read(number: int) -> None:
        with CancelScope() as scope:
            scopes.append(scope)
            await shared
            answered.append(number)

    async def main() -> None:
        depth = disk.POOL_DEPTH
        async with open_nursery() as nursery:
            for number in range(depth + 4):
                nursery.start_soon(read, number)
            while len(scopes) < depth + 4:
                await sys_yield()
            scopes[depth + 1].cancel()
            scopes[depth + 3].cancel()
            may_read.set()
        assert sorted(answered) == [*range(depth + 1), depth + 2]

    with move_on_in_earnest(rig):
        rig.run(main())
    os.close(fd)
    rig.close()


@contextmanager
def move_on_in_earnest(rig: Rig) -> Iterator[None]:
    """Stop a scheduler whose threads are never answered, instead of hanging for ever."""
    timer = threading.Timer(10, rig.scheduler.stop)
    timer.start()
    try:
        yield
        assert timer.is_alive(), "threads were never answered"
    finally:
        timer.cancel()
