"""The kernel's AIO through cffi, without any loop."""

import errno
import os
import select
from collections.abc import Iterator

import pytest
from gossamer.ffi.aio import AioContext
from gossamer.ffi.chunk import Chunk

CONTENT = os.urandom(20_000)


@pytest.fixture
def context() -> Iterator[AioContext]:
    try:
        made = AioContext(2)
    except OSError as error:
        pytest.skip(f"no kernel AIO here: {error}")
    yield made
    made.close()


def finished(context: AioContext) -> list[tuple[int, int]]:
    assert select.select([context.eventfd], [], [], 5)[0], "the kernel never said that it was done"
    os.eventfd_read(context.eventfd)
    return context.reap()


def test_read__eventfd_tells__bytes_are_in_the_chunk(context: AioContext, direct_fd: int) -> None:
    chunk = Chunk.allocate(8192)
    slot = context.read(direct_fd, chunk, len(chunk), 4096)
    assert len(context) == 1
    assert finished(context) == [(slot, 8192)]
    assert chunk.read(0, 8192) == CONTENT[4096 : 4096 + 8192]
    assert (len(context), context.reap()) == (0, [])


def test_read__at_the_end__short(context: AioContext, direct_fd: int) -> None:
    chunk = Chunk.allocate(8192)
    context.read(direct_fd, chunk, len(chunk), 16384)
    ((_, result),) = finished(context)
    assert result == len(CONTENT) - 16384
    assert chunk.read(0, result) == CONTENT[16384:]


def test_full__blocking_io_error__room_again_after_reap(context: AioContext, direct_fd: int) -> None:
    chunks = [Chunk.allocate(4096) for _ in range(3)]
    context.read(direct_fd, chunks[0], len(chunks[0]), 0)
    context.read(direct_fd, chunks[1], len(chunks[1]), 0)
    with pytest.raises(BlockingIOError):
        context.read(direct_fd, chunks[2], len(chunks[2]), 0)
    assert finished(context)
    context.read(direct_fd, chunks[2], len(chunks[2]), 0)


@pytest.mark.parametrize(("start", "stop", "offset"), [(1, 4097, 0), (0, 100, 0), (0, 4096, 7)])
def test_not_aligned__refused(
    context: AioContext, direct_fd: int, start: int, stop: int, offset: int
) -> None:
    with pytest.raises(OSError, match="aligned") as caught:
        context.read(direct_fd, Chunk.allocate(8192).slice(start, stop), stop - start, offset)
    assert caught.value.errno == errno.EINVAL
    assert len(context) == 0


def test_bad_descriptor__os_error__slot_is_free_again(context: AioContext) -> None:
    for _ in range(5):
        with pytest.raises(OSError, match="io_submit"):
            context.read(1_000_000, Chunk.allocate(4096), 4096, 0)
    assert len(context) == 0


def test_cancel__unknown_slot__nothing(context: AioContext) -> None:
    assert context.cancel(0) is False
    assert context.cancel(99) is False


def test_cancel__in_flight__is_told_of_in_any_case(context: AioContext, direct_fd: int) -> None:
    slot = context.read(direct_fd, Chunk.allocate(4096), 4096, 0)
    context.cancel(slot)
    assert [done[0] for done in finished(context)] == [slot]


def test_depth_beyond_the_kernels_bound__os_error_and_no_descriptor_leaks() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="io_setup"):
        AioContext(100_000_000)
    assert len(os.listdir("/proc/self/fd")) == before


def test_close__in_flight__waits__twice_is_harmless(direct_fd: int) -> None:
    context = AioContext(4)
    context.read(direct_fd, Chunk.allocate(4096), 4096, 0)
    context.close()
    context.close()
    assert len(context) == 0
