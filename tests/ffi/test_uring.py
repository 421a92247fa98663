"""io_uring through cffi, without any loop."""

import errno
import os
import platform
import select
import threading
from collections.abc import Iterator
from random import Random

import pytest

from gossamer.ffi.uring import UringContext

BLOCK_BYTES = 4096
BLOCKS = 64
DEPTH = 4
pytestmark = pytest.mark.needs("io_uring")
CONTENT = os.urandom(BLOCKS * BLOCK_BYTES)


@pytest.fixture
def context() -> Iterator[UringContext]:
    made = UringContext(DEPTH, BLOCK_BYTES)
    yield made
    made.close()


@pytest.fixture
def epoll(context: UringContext) -> Iterator[select.epoll]:
    with select.epoll() as made:
        made.register(context.eventfd, select.EPOLLIN | select.EPOLLET)
        yield made


def finished(context: UringContext, epoll: select.epoll) -> list[tuple[int, int]]:
    """What is done: asked for once the eventfd was written to, as a loop does."""
    assert epoll.poll(5), "the kernel never said that it was done"
    return context.reap()


def test_read__eventfd_signals__bytes_are_in_the_chunk(
    context: UringContext, direct_fd: int, epoll: select.epoll
) -> None:
    context.read(2, direct_fd, BLOCK_BYTES, BLOCK_BYTES)
    assert context.submit()
    assert finished(context, epoll) == [(2, BLOCK_BYTES)]
    assert bytes(context.chunks[2].view[:BLOCK_BYTES]) == CONTENT[BLOCK_BYTES : 2 * BLOCK_BYTES]
    assert context.reap() == []


def test_reap__does_not_wake_who_reaps(context: UringContext, direct_fd: int, epoll: select.epoll) -> None:
    # The eventfd signals a deferred request when it is left for the reaper, and again as it is finished.
    for _ in range(20):
        context.read(0, direct_fd, BLOCK_BYTES, 0)
        context.submit()
        assert len(finished(context, epoll)) == 1
        assert epoll.poll(0) == []


def test_reap__races_with_the_device__none_is_left_unheard_of(
    context: UringContext, direct_fd: int, epoll: select.epoll
) -> None:
    # A request may be done at any moment of a reap that did not find it: then the eventfd must signal it.
    random = Random(1)
    for _ in range(4_000):
        context.read(0, direct_fd, BLOCK_BYTES, random.randrange(BLOCKS) * BLOCK_BYTES)
        context.submit()
        done = any(context.reap() for _ in range(random.randrange(40)))
        while not done:
            done = bool(finished(context, epoll))


def test_more_than_there_is_room_for__blocking_io_error__room_again_once_they_are_submitted(
    context: UringContext, direct_fd: int, epoll: select.epoll
) -> None:
    for slot in range(DEPTH):
        context.read(slot, direct_fd, BLOCK_BYTES, slot * BLOCK_BYTES)
    with pytest.raises(BlockingIOError):
        context.read(0, direct_fd, BLOCK_BYTES, 0)
    context.submit()
    slots: list[int] = []
    while len(slots) < DEPTH:
        slots += [slot for slot, _ in finished(context, epoll)]
    assert sorted(slots) == list(range(DEPTH))
    context.read(0, direct_fd, BLOCK_BYTES, 0)


def test_another_thread__refused_and_not_silently_nothing(context: UringContext, direct_fd: int) -> None:
    context.read(0, direct_fd, BLOCK_BYTES, 0)
    context.submit()
    errors: list[int | None] = []

    def reap() -> None:
        try:
            context.reap()
        except OSError as error:
            errors.append(error.errno)

    thread = threading.Thread(target=reap)
    thread.start()
    thread.join()
    # Kernels before 6.1 defer nothing, and let any thread reap.
    version = tuple(map(int, platform.release().split(".")[:2]))
    assert errors == ([errno.EEXIST] if version >= (6, 1) else [])


def test_bad_descriptor__error_is_a_result(context: UringContext, epoll: select.epoll) -> None:
    context.read(3, 1_000_000, BLOCK_BYTES, 0)
    context.submit()
    assert finished(context, epoll) == [(3, -errno.EBADF)]


def test_close__in_flight__waits__twice_is_harmless(context: UringContext, direct_fd: int) -> None:
    for block in range(DEPTH):
        context.read(block, direct_fd, BLOCK_BYTES, block * BLOCK_BYTES)
    context.submit()
    context.close()
    context.close()
    assert len(context) == 0
