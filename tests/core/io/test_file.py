"""FileIO on a real directory: hot and cold reads, writes, and nothing outside the directory."""

import errno
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.errors import BoundExceeded
from gossamer.core.io import file as file_module
from gossamer.core.io.file import FLAGS_OF_MODE, FileIO
from gossamer.core.loop.disk.loop import READ_BYTES_MAX, DiskLoop
from gossamer.core.loop.disk.names import LIBAIO
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.threads.calls import sys_join
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.scheduler import Scheduler
from gossamer.ffi.openat2 import Links

from ...rights import EACH_ENGINE

CONTENT = os.urandom(500_003)


class Rig:
    """A scheduler with what FileIO needs, over a directory."""

    def __init__(self, directory: Path, engine: str = "auto") -> None:
        self.waiter = EpollWaiter()
        self.pool = PoolLoop()
        self.aio = DiskLoop(self.pool, engine=engine)
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


@pytest.fixture(params=EACH_ENGINE)
def each(request: pytest.FixtureRequest, directory: Path) -> Iterator[Rig]:
    """A rig by every engine that there is."""
    made = Rig(directory, request.param)
    assert made.aio.engine == request.param
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


@pytest.mark.needs("page-cache")
@pytest.mark.parametrize("is_cold", [False, True])
def test_read__hot_or_cold__same_bytes(rig: Rig, is_cold: bool) -> None:
    assert rig.run(read_whole(rig.files, "content", is_cold=is_cold)) == CONTENT
    reads = rig.aio.statistics()["disk_operations_total"] + rig.pool.statistics()["pool_os_threads"]
    assert is_cold or reads == 0, "what is in the page cache needs neither AIO nor the pool"


@pytest.mark.needs("cold-files")
def test_read__cold__asks_neither_twice_nor_the_page_cache(rig: Rig) -> None:
    async def reads() -> None:
        file = await rig.files.open("content")
        os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert await file.read(100, 50_000) == CONTENT[100:50_100]
        file.close()

    rig.run(reads())


def test_read__file_system_does_not_know__the_disk_loop_reads(
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

    def cold(
        directory_fd: int, path: str, flags: int, *, is_cached_only: bool = False, links: Links = "inside"
    ) -> int:
        if is_cached_only:
            raise BlockingIOError(errno.EAGAIN, "cold")
        return open_beneath(directory_fd, path, flags, links=links)

    monkeypatch.setattr(file_module, "open_beneath", cold)
    assert rig.files.open_cached("folder/inner") is None
    assert rig.run(read_whole(rig.files, "folder/inner", is_cold=False)) == b"inner"
    assert rig.pool.statistics()["pool_os_threads"] == 1


@pytest.mark.needs("page-cache")
def test_open_cached__in_the_directory_cache__open(rig: Rig) -> None:
    rig.run(read_whole(rig.files, "folder/inner", is_cold=False))
    file = rig.files.open_cached("folder/inner")
    assert file is not None
    assert (file.status.is_file, file.read_cached(0, 10)) == (True, b"inner")
    file.close()


@pytest.mark.needs("page-cache")
def test_open_now__and_adopted_by_its_descriptor__the_same_file(rig: Rig) -> None:
    with pytest.raises(FileNotFoundError):
        rig.files.open_now("no/such")
    opened = rig.files.open_now("content")
    adopted = rig.files.adopt(os.dup(opened.fd), "content")
    assert adopted.status == opened.status
    opened.close()
    assert adopted.read_cached(1, 7) == CONTENT[1:8]
    adopted.close()


def test_descriptors__none_leaks(rig: Rig) -> None:
    before = len(os.listdir("/proc/self/fd"))
    rig.run(read_whole(rig.files, "content", is_cold=True))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.needs("cold-files")
def test_read__cold__only_libaio_goes_past_the_page_cache(each: Rig) -> None:
    async def reads() -> bool:
        async with await each.files.open("content") as file:
            os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
            before = len(os.listdir("/proc/self/fd"))
            assert await file.read(0, 50_000) == CONTENT[:50_000]
            return len(os.listdir("/proc/self/fd")) > before

    assert each.run(reads()) is (each.aio.engine == LIBAIO)


def test_direct__reads_any_range_and_leaves_the_page_cache_alone(each: Rig) -> None:
    async def reads() -> None:
        async with await each.files.open("content") as plain:
            os.posix_fadvise(plain.fd, 0, 0, os.POSIX_FADV_DONTNEED)
            async with await each.files.open("content", direct=True) as file:
                file.read_ahead(0, 100_000)
                assert await file.read(4097, 70_000) == CONTENT[4097:74_097]
                assert file.read_cached(4097, 10) is None
            assert plain.read_cached(8192, 10) is None

    each.run(reads())


@pytest.mark.needs("direct-io")
def test_direct__whole_blocks_are_written_and_others_refused(each: Rig, directory: Path) -> None:
    async def writes() -> None:
        async with await each.files.open("made", "w", direct=True) as file:
            await file.write(4096, b"b" * 8192)
            with pytest.raises(OSError, match="Invalid"):
                await file.write(1, b"odd")

    each.run(writes())
    assert (directory / "made").read_bytes() == bytes(4096) + b"b" * 8192


def test_write__more_than_one_call_takes__all_of_it_is_there(each: Rig, directory: Path) -> None:
    data = os.urandom(READ_BYTES_MAX * 2 + 77)

    async def writes() -> None:
        async with await each.files.open("made", "x+") as file:
            await file.write(3, data)
            await file.fsync()
            assert file.stat().size_bytes == 3 + len(data)
            assert await file.read(3, 1000) == data[:1000]
            await file.truncate(10)
            assert await file.read(0, 100) == bytes(3) + data[:7]

    each.run(writes())
    assert (directory / "made").read_bytes() == bytes(3) + data[:7]


def test_write__cancelled__the_piece_is_finished_and_no_other_begun(each: Rig, directory: Path) -> None:
    async def writes() -> None:
        async with await each.files.open("made", "w") as file:
            with CancelScope() as scope:
                scope.cancel()
                await file.write(0, bytes(READ_BYTES_MAX * 3))
            assert scope.cancelled_caught

    each.run(writes())
    assert (directory / "made").stat().st_size in (0, READ_BYTES_MAX)


@pytest.mark.parametrize("mode", FLAGS_OF_MODE)
@pytest.mark.parametrize("path", ["folder/inner", "made"])
def test_mode__as_the_built_in_open_has_it(rig: Rig, directory: Path, mode: Any, path: str) -> None:
    twin = directory.parent / "twin"
    if path == "folder/inner":
        twin.write_bytes(b"inner")

    async def ours() -> bytes:
        async with await rig.files.open(path, mode) as file:
            if mode != "r":
                await file.write(0, b"XY")
            return await file.read(0, 100) if "+" in mode or mode == "r" else b""

    def builtin() -> bytes:
        with open(twin, f"{mode}b") as file:
            if mode != "r":
                file.write(b"XY")
            if "+" not in mode and mode != "r":
                return b""
            file.seek(0)
            return bytes(file.read())

    try:
        expected = builtin()
    except OSError as error:
        expected_error = type(error)

        async def fails() -> None:
            with pytest.raises(expected_error):
                await ours()

        rig.run(fails())
        return
    assert rig.run(ours()) == expected
    assert (directory / path).read_bytes() == twin.read_bytes()


def test_open__no_such_mode__names_those_that_are(rig: Rig) -> None:
    async def opens() -> None:
        with pytest.raises(ValueError, match=r'mode "rb": allowed are r, r\+, w'):
            await rig.files.open("content", "rb")  # type: ignore[arg-type]

    rig.run(opens())


@pytest.mark.parametrize("path", ["../made", "link_out", "/tmp/made"])
def test_open_to_write__outside__refused(rig: Rig, directory: Path, path: str) -> None:
    async def opens() -> None:
        with pytest.raises(OSError, match=r"cross-device|link"):
            await rig.files.open(path, "w")

    rig.run(opens())
    assert (directory.parent / "secret").read_bytes() == b"secret"
    assert not (directory.parent / "made").exists()


def test_stat__without_opening(rig: Rig, directory: Path) -> None:
    (directory / "content").chmod(0)

    async def asks() -> None:
        assert (await rig.files.stat("content")).size_bytes == len(CONTENT)
        assert (await rig.files.stat("folder")).is_directory
        with pytest.raises(FileNotFoundError):
            await rig.files.stat("missing")

    before = len(os.listdir("/proc/self/fd"))
    rig.run(asks())
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the pool's own


def test_open__cancelled_in_the_pool__leaks_no_descriptor(rig: Rig) -> None:
    async def opens() -> None:
        with CancelScope() as scope:
            scope.cancel()
            file = await rig.files.open("made", "w")
            file.close()

    before = len(os.listdir("/proc/self/fd"))
    rig.run(opens())
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.needs("direct-io")
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
    assert is_direct
    assert cached is None
    assert read == CONTENT[5_000:105_000]
    assert operations == 1
    assert not folder_is_direct
