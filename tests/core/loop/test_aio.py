"""sys_aio_read on real files, by the kernel's AIO and by the pool."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gossamer.core.errors import BoundExceeded
from gossamer.core.loop import aio
from gossamer.core.loop.aio import ENGINE_KERNEL, ENGINE_POOL, READ_BYTES_MAX, AioLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.threads.calls import sys_aio_read, sys_join
from gossamer.core.threads.scheduler import Scheduler

CONTENT = os.urandom(300_001)
RANGES = [(0, 10), (0, 4096), (4095, 2), (5000, 100_000), (299_990, 100), (300_001, 5), (400_000, 5), (7, 0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    return file


class Rig:
    """A scheduler with the pool and the AIO loop."""

    def __init__(self, depth: int = 4) -> None:
        self.waiter = EpollWaiter()
        self.pool = PoolLoop()
        self.aio = AioLoop(self.pool, depth)
        self.scheduler = Scheduler(self.waiter, [self.pool, self.aio])

    def run(self, body: object) -> None:
        self.scheduler.spawn(body)  # type: ignore[arg-type]
        self.scheduler.run()
        assert self.scheduler.statistics()["thread_errors_total"] == 0

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def open_direct(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        pytest.skip(f"this file system has no O_DIRECT: {error}")


def test_direct__kernel_reads_any_range(rig: Rig, path: Path) -> None:
    if rig.aio.engine != ENGINE_KERNEL:
        pytest.skip(f"no kernel AIO here: {rig.aio.why_not_kernel}")
    fd = open_direct(path)

    async def reads() -> None:
        for offset, length in RANGES:
            assert await sys_aio_read(fd, offset, length) == CONTENT[offset : offset + length]

    rig.run(reads())
    assert rig.aio.statistics()["aio_reads_total"] == len(RANGES)
    assert rig.pool.statistics()["pool_os_threads"] == 0
    os.close(fd)


def test_buffered_descriptor__goes_to_the_pool(rig: Rig, path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)

    async def reads() -> None:
        for offset, length in RANGES:
            assert await sys_aio_read(fd, offset, length) == CONTENT[offset : offset + length]

    rig.run(reads())
    assert rig.aio.statistics()["aio_reads_total"] == 0
    os.close(fd)


def test_no_kernel_aio__pool_reads_even_direct_ones(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_depth: int) -> None:
        raise OSError(errno.ENOSYS, "no AIO in this kernel")

    monkeypatch.setattr(aio, "AioContext", refuse)
    rig = Rig()
    assert rig.aio.engine == ENGINE_POOL
    assert "no AIO" in rig.aio.why_not_kernel
    fd = open_direct(path)

    async def reads() -> None:
        for offset, length in RANGES:
            assert await sys_aio_read(fd, offset, length) == CONTENT[offset : offset + length]

    rig.run(reads())
    rig.close()
    os.close(fd)


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
    assert rig.aio.statistics()["aio_in_flight"] == rig.aio.statistics()["aio_waiting"] == 0
    os.close(fd)


def test_too_many_waiting__bound_exceeded(rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if rig.aio.engine != ENGINE_KERNEL:
        pytest.skip(f"no kernel AIO here: {rig.aio.why_not_kernel}")
    monkeypatch.setattr(aio, "WAITING_MAX", 2)
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
    os.close(fd)


@pytest.mark.parametrize("length", [-1, READ_BYTES_MAX + 1])
def test_length_out_of_bounds__bound_exceeded(rig: Rig, path: Path, length: int) -> None:
    fd = os.open(path, os.O_RDONLY)

    async def reads() -> None:
        with pytest.raises(BoundExceeded):
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


def test_close_with_reads_in_flight__waits_for_the_kernel(path: Path) -> None:
    rig = Rig()
    fd = open_direct(path)

    async def read() -> None:
        await sys_aio_read(fd, 0, 200_000)

    async def main() -> None:
        rig.scheduler.spawn(read())
        rig.scheduler.stop()

    rig.scheduler.spawn(main())
    rig.scheduler.run()
    rig.close()
    rig.aio.close()
    assert rig.aio.statistics()["aio_in_flight"] == 0
    os.close(fd)
