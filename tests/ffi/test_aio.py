"""The kernel's AIO through cffi, without any loop."""

import errno
import gc
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.ffi.aio import AioContext

pytestmark = pytest.mark.needs("libaio")
CONTENT = os.urandom(20_000)


@pytest.fixture
def context() -> Iterator[AioContext]:
    made = AioContext(2, 8192)
    yield made
    made.close()


def finished(context: AioContext) -> list[tuple[int, int]]:
    assert select.select([context.eventfd], [], [], 5)[0], "the kernel never said that it was done"
    os.eventfd_read(context.eventfd)
    return context.reap()


def test_read__eventfd_signals__bytes_are_in_the_chunk(context: AioContext, direct_fd: int) -> None:
    context.read(1, direct_fd, 8192, 4096)
    assert finished(context) == [(1, 8192)]
    assert bytes(context.chunks[1].view[:8192]) == CONTENT[4096 : 4096 + 8192]
    assert context.reap() == []


def test_read__at_the_end__short(context: AioContext, direct_fd: int) -> None:
    context.read(0, direct_fd, 8192, 16384)
    ((slot, result),) = finished(context)
    assert (slot, result) == (0, len(CONTENT) - 16384)
    assert bytes(context.chunks[0].view[:result]) == CONTENT[16384:]


@pytest.mark.parametrize(("length", "offset"), [(100, 0), (4096, 7)])
def test_not_aligned__refused(context: AioContext, direct_fd: int, length: int, offset: int) -> None:
    with pytest.raises(OSError, match="aligned") as caught:
        context.read(0, direct_fd, length, offset)
    assert caught.value.errno == errno.EINVAL


def test_bad_descriptor__os_error(context: AioContext) -> None:
    for _ in range(5):
        with pytest.raises(OSError, match="io_submit"):
            context.read(0, 1_000_000, 4096, 0)


def test_cancel__nothing_in_flight_there__nothing(context: AioContext) -> None:
    assert context.cancel(0) is False
    assert context.cancel(99) is False


def test_cancel__in_flight__is_reported_in_any_case(context: AioContext, direct_fd: int) -> None:
    context.read(1, direct_fd, 4096, 0)
    context.cancel(1)
    assert [done[0] for done in finished(context)] == [1]


def test_depth_beyond_the_kernels_bound__os_error_and_no_descriptor_leaks() -> None:
    depth_max = int(Path("/proc/sys/fs/aio-max-nr").read_text())
    gc.collect()  # what tests before this one dropped may hold descriptors
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="io_setup"):
        AioContext(depth_max + 1, 4096)
    assert len(os.listdir("/proc/self/fd")) == before


def test_close__in_flight__waits__twice_is_harmless(direct_fd: int) -> None:
    context = AioContext(4, 4096)
    context.free.remove(2)
    context.read(2, direct_fd, 4096, 0)
    context.close()
    context.close()
    assert len(context) == 0
