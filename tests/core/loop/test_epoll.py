"""The waiter on real descriptors."""

import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from gossamer.core.loop.epoll import EpollWaiter


@pytest.fixture
def waiter() -> Iterator[EpollWaiter]:
    made = EpollWaiter()
    yield made
    made.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    yield left, right
    left.close()
    right.close()


def test_ready__callback_gets_the_events(waiter: EpollWaiter, ends: tuple[socket.socket, ...]) -> None:
    left, right = ends
    events: list[int] = []
    waiter.watch(left.fileno(), select.EPOLLIN, events.append)
    waiter.wait(0)
    assert events == []
    right.send(b"x")
    waiter.wait(1_000_000)
    assert events == [select.EPOLLIN]


def test_watched_again__new_events_and_callback(waiter: EpollWaiter, ends: tuple[socket.socket, ...]) -> None:
    events: list[int] = []
    waiter.watch(ends[0].fileno(), select.EPOLLIN, lambda _: pytest.fail("replaced"))
    waiter.watch(ends[0].fileno(), select.EPOLLOUT, events.append)
    waiter.wait(0)
    assert events == [select.EPOLLOUT]


def test_unwatched_and_still_open__no_callback_and_no_spin(
    waiter: EpollWaiter, ends: tuple[socket.socket, ...]
) -> None:
    left, right = ends
    waiter.watch(left.fileno(), select.EPOLLIN, lambda _: pytest.fail("unwatched"))
    waiter.unwatch(left.fileno())
    waiter.unwatch(left.fileno())
    right.send(b"x")
    waiter.wait(10_000)
    before_ns = time.monotonic_ns()
    waiter.wait(20_000)
    assert time.monotonic_ns() - before_ns >= 15_000_000, "the second wait sleeps: it is unregistered"


def test_unwatched_by_an_earlier_callback_of_the_same_wait__not_called(waiter: EpollWaiter) -> None:
    pairs = [socket.socketpair() for _ in "ab"]
    called: list[int] = []

    def first_wins(_events: int) -> None:
        called.append(1)
        for left, _ in pairs:
            waiter.unwatch(left.fileno())

    for left, right in pairs:
        waiter.watch(left.fileno(), select.EPOLLIN, first_wins)
        right.send(b"x")
    waiter.wait(0)
    assert len(called) == 1
    for pair in pairs:
        for end in pair:
            end.close()


def test_descriptor_closed_without_a_word__its_number_can_be_watched(waiter: EpollWaiter) -> None:
    left, right = socket.socketpair()
    fd = left.fileno()
    waiter.watch(fd, select.EPOLLIN, lambda _: pytest.fail("old"))
    left.close()
    other, peer = socket.socketpair()
    assert other.fileno() == fd
    events: list[int] = []
    waiter.watch(fd, select.EPOLLOUT, events.append)
    waiter.wait(0)
    assert events == [select.EPOLLOUT]
    for end in (right, other, peer):
        end.close()


def test_descriptor_number_used_again__old_callback_is_gone(waiter: EpollWaiter) -> None:
    left, right = socket.socketpair()
    fd = left.fileno()
    waiter.watch(fd, select.EPOLLIN, lambda _: pytest.fail("old"))
    waiter.unwatch(fd)
    left.close()
    other, peer = socket.socketpair()
    assert other.fileno() == fd, "the kernel hands out the lowest number that is free"
    events: list[int] = []
    waiter.watch(fd, select.EPOLLIN, events.append)
    peer.send(b"x")
    waiter.wait(0)
    assert events == [select.EPOLLIN]
    for end in (right, other, peer):
        end.close()


def test_regular_file__refused(waiter: EpollWaiter) -> None:
    with open(__file__) as file, pytest.raises(PermissionError):
        waiter.watch(file.fileno(), select.EPOLLIN, lambda _: None)


def test_far_deadline__no_overflow(waiter: EpollWaiter, ends: tuple[socket.socket, ...]) -> None:
    waiter.watch(ends[0].fileno(), select.EPOLLOUT, lambda _: None)
    waiter.wait(1 << 62)


def test_is_watched__from_watch_to_unwatch() -> None:
    waiter = EpollWaiter()
    reader, writer = os.pipe()
    assert not waiter.is_watched(reader)
    waiter.watch(reader, select.EPOLLIN, lambda _events: None)
    assert waiter.is_watched(reader)
    waiter.unwatch(reader)
    assert not waiter.is_watched(reader)
    waiter.close()
    os.close(reader)
    os.close(writer)
