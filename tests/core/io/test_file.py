"""FileIO on a real directory: hot and cold reads, and nothing outside the directory."""

import errno
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from gossamer.core.errors import BoundExceeded
from gossamer.core.io import file as file_module
from gossamer.core.io.file import FileIO
from gossamer.core.loop.disk import READ_BYTES_MAX, DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.threads.calls import sys_join
from gossamer.core.threads.scheduler import Scheduler

CONTENT = os.urandom(500_003)


class Rig:
    """A scheduler with what FileIO needs, over a directory."""

    def __init__(self, directory: Path) -> None:
        self.waiter = EpollWaiter()
        self.pool = PoolLoop()
        self.aio = DiskLoop(self.pool)
        self.scheduler = Scheduler(self.waiter, [self.pool, self.aio])
        self.directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        self.files = FileIO(self.directory_fd)

    def run(self, body: Coroutine[Any, Any, Any]) -> Any:
        results = []

        async def keep() -> None:
            results.append(await sys_join(self.scheduler.spawn(body)))

        self.scheduler.spawn(keep())
        self.scheduler.run()
        assert results, "the thread failed: see the log"
        return results[0]

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()
        os.close(self.directory_fd)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    with (root / "content").open("wb") as file:
        file.write(CONTENT)
        file.flush()
        os.fsync(file.fileno())
    (root / "folder").mkdir()
    (root / "folder" / "inner").write_bytes(b"inner")
    (root / "link_in").symlink_to("folder/inner")
    (root / "link_out").symlink_to("../secret")
    (root / "link_absolute").symlink_to("/etc/passwd")
    (root / "link_proc").symlink_to("/proc/self/root/etc/passwd")
    (root / "loop").symlink_to("loop")
    (tmp_path / "secret").write_bytes(b"secret")
    os.mkfifo(root / "fifo")
    return root


@pytest.fixture
def rig(directory: Path) -> Iterator[Rig]:
    made = Rig(directory)
    yield made
    made.close()


async def read_whole(files: FileIO, path: str, *, is_cold: bool, step: int = 60_001) -> bytes:
    file = await files.open(path)
    if is_cold:
        os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
    data = b""
    while piece := await file.read(len(data), step):
        data += piece
    file.close()
    return data


@pytest.mark.parametrize("is_cold", [False, True])
def test_read__hot_or_cold__same_bytes(rig: Rig, is_cold: bool) -> None:
    assert rig.run(read_whole(rig.files, "content", is_cold=is_cold)) == CONTENT
    reads = rig.aio.statistics()["disk_operations_total"] + rig.pool.statistics()["pool_os_threads"]
    assert is_cold or reads == 0, "what is in the page cache needs neither AIO nor the pool"


def test_read__cold__asks_neither_twice_nor_the_page_cache(rig: Rig) -> None:
    async def reads() -> None:
        file = await rig.files.open("content")
        os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if file.read_cached(0, 10) is not None:
            pytest.skip("this file system cannot be made cold")
        assert await file.read(100, 50_000) == CONTENT[100:50_100]
        file.close()

    rig.run(reads())


def test_read__file_system_cannot_tell__the_disk_loop_reads(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "no RWF_NOWAIT here")

    def no_direct(*_arguments: object, **_how: object) -> int:
        raise OSError(errno.EINVAL, "no O_DIRECT here")

    async def reads() -> bytes:
        file = await rig.files.open("content")
        monkeypatch.setattr(file_module.os, "preadv", refuse)
        monkeypatch.setattr(file_module, "open_beneath", no_direct)
        try:
            return await file.read(5, 1000)
        finally:
            monkeypatch.undo()
            file.close()

    assert rig.run(reads()) == CONTENT[5:1005]
    assert rig.aio.statistics()["disk_operations_total"] == 1


def test_read__cold_and_replaced_meanwhile__the_file_that_was_opened(rig: Rig, directory: Path) -> None:
    async def reads() -> bytes:
        file = await rig.files.open("content")
        (directory / "new").write_bytes(b"other" * 20_000)
        os.replace(directory / "new", directory / "content")
        os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            return await file.read(5, 1000) + await file.read(50_000, 1000)
        finally:
            file.close()

    assert rig.run(reads()) == CONTENT[5:1005] + CONTENT[50_000:51_000]


def test_read__too_long__bound_exceeded(rig: Rig) -> None:
    async def reads() -> None:
        file = await rig.files.open("content")
        with pytest.raises(BoundExceeded):
            await file.read(0, READ_BYTES_MAX + 1)
        file.close()

    rig.run(reads())


def test_status__of_file_and_directory(rig: Rig, directory: Path) -> None:
    async def opens() -> None:
        file, folder = await rig.files.open("content"), await rig.files.open("folder")
        found = (directory / "content").stat()
        assert file.status.size_bytes == len(CONTENT)
        assert (file.status.mtime_ns, file.status.inode) == (found.st_mtime_ns, found.st_ino)
        assert (file.status.is_file, file.status.is_directory) == (True, False)
        assert (folder.status.is_file, folder.status.is_directory) == (False, True)
        file.close()
        file.close()
        folder.close()

    rig.run(opens())


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("missing", FileNotFoundError),
        ("content/below", NotADirectoryError),
        ("../secret", OSError),
        ("folder/../../secret", OSError),
        ("/etc/passwd", OSError),
        ("link_out", OSError),
        ("link_absolute", OSError),
        ("link_proc", OSError),
        ("loop", OSError),
        ("nul\0byte", ValueError),
        ("x" * 300, OSError),
        ("x/" * 3000, OSError),
        ("", FileNotFoundError),
    ],
)
def test_open__nothing_there_or_outside__error(rig: Rig, path: str, error: type[Exception]) -> None:
    async def opens() -> None:
        with pytest.raises(error):
            await rig.files.open(path)

    rig.run(opens())


@pytest.mark.parametrize("path", ["link_in", "folder/inner", "folder/../folder/./inner", "./link_in"])
def test_open__inside_by_any_way__read(rig: Rig, path: str) -> None:
    assert rig.run(read_whole(rig.files, path, is_cold=False)) == b"inner"


def test_open__fifo__blocks_nobody(rig: Rig) -> None:
    async def opens() -> bool:
        fifo = await rig.files.open("fifo")
        fifo.close()
        return fifo.status.is_file

    assert rig.run(opens()) is False


def test_open__not_in_the_directory_cache__pool_opens(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    open_beneath = file_module.open_beneath

    def cold(directory_fd: int, path: str, *, is_cached_only: bool = False, is_direct: bool = False) -> int:
        assert not is_direct
        if is_cached_only:
            raise BlockingIOError(errno.EAGAIN, "cold")
        return open_beneath(directory_fd, path)

    monkeypatch.setattr(file_module, "open_beneath", cold)
    assert rig.run(read_whole(rig.files, "folder/inner", is_cold=False)) == b"inner"
    assert rig.pool.statistics()["pool_os_threads"] == 1


def test_descriptors__none_leaks(rig: Rig) -> None:
    before = len(os.listdir("/proc/self/fd"))
    rig.run(read_whole(rig.files, "content", is_cold=True))
    assert len(os.listdir("/proc/self/fd")) == before


def test_direct__every_read_past_the_page_cache(rig: Rig) -> None:
    files = FileIO(rig.directory_fd, direct=True)

    async def body() -> tuple[bool, bytes | None, bytes, int, bool]:
        file = await files.open("content")
        folder = await files.open("folder")
        cached, read = file.read_cached(0, 10), await file.read(5_000, 100_000)
        found = file.is_direct, cached, read, rig.aio.statistics()["disk_operations_total"], folder.is_direct
        file.close()
        folder.close()
        return found

    is_direct, cached, read, operations, folder_is_direct = rig.run(body())
    if not is_direct:
        pytest.skip("this file system has no O_DIRECT")
    assert cached is None
    assert read == CONTENT[5_000:105_000]
    assert operations == 1
    assert not folder_is_direct
