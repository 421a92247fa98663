"""The selector that asyncio is given: the contract of `selectors`, and what the scheduler is told."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterator
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

import pytest

from gossamer.core.aio.selector import SchedulerSelector
from gossamer.core.aio.top import run
from gossamer.core.errors import MisuseError


class Told:
    """A scheduler that notes what it is told."""

    def __init__(self) -> None:
        self.watched: dict[int, int] = {}
        self.callbacks: dict[int, Any] = {}
        self.forgotten: list[int] = []
        self.others: set[int] = set()

    def watch(self, fd: int, events: int, callback: Any) -> None:
        self.watched[fd] = events
        self.callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        self.forgotten.append(fd)
        del self.watched[fd]

    def is_watched(self, fd: int) -> bool:
        return fd in self.others


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def selector(told: Told) -> SchedulerSelector:
    made = SchedulerSelector(told)  # type: ignore[arg-type]  # what it asks of one
    made.ready = deque()
    return made


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


class Named:
    """A handle of asyncio's, as far as it is looked at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._cancelled = False


def test_registered_changed_forgotten(selector: SchedulerSelector, told: Told, sock: socket.socket) -> None:
    fd = sock.fileno()
    reader, writer = Named("reader"), Named("writer")
    key = selector.register(sock, EVENT_READ, (reader, None))
    assert (key.fileobj, key.fd, key.events) == (sock, fd, EVENT_READ)
    assert told.watched == {fd: EPOLLIN}
    selector.modify(sock, EVENT_READ | EVENT_WRITE, (reader, writer))
    assert told.watched == {fd: EPOLLIN | EPOLLOUT}
    assert selector.get_key(fd).data == (reader, writer)
    assert list(selector.get_map()) == [fd]
    assert selector.get_map().get(sock) is selector.get_map()[fd] is selector.get_key(sock)
    assert selector.get_map().get(fd + 1) is None
    assert len(selector.get_map()) == 1
    selector.unregister(fd)
    # Not only left to be closed: it may live on in a child.
    assert told.forgotten == [fd]
    with pytest.raises(KeyError):
        selector.get_key(sock)
    selector.register(sock, EVENT_WRITE, (None, writer))
    selector.close()
    assert told.watched == {}


def test_refused(selector: SchedulerSelector, told: Told, sock: socket.socket) -> None:
    selector.register(sock, EVENT_READ, (None, None))
    with pytest.raises(KeyError, match="already registered"):
        selector.register(sock, EVENT_READ, (None, None))
    for events in (0, 4):
        with pytest.raises(ValueError, match="Invalid events"):
            selector.register(77, events)
        with pytest.raises(ValueError, match="Invalid events"):
            selector.modify(sock, events)
    for wrong in ("file", None, -1, object()):
        with pytest.raises(ValueError, match="Invalid file object"):
            selector.register(wrong, EVENT_READ)
    told.others.add(78)
    with pytest.raises(MisuseError, match="descriptor 78 is watched already"):
        selector.register(78, EVENT_READ)
    with pytest.raises(MisuseError, match="the scheduler waits"):
        selector.select(0)
    with pytest.raises(KeyError):
        selector.unregister(79)


def test_closed_before_it_is_unregistered__found_by_itself(selector: SchedulerSelector, told: Told) -> None:
    sock = socket.socket()
    fd = sock.fileno()
    selector.register(sock, EVENT_READ, (None, None))
    sock.close()
    assert selector.unregister(sock).fd == fd
    assert told.forgotten == [fd]


@pytest.mark.parametrize(
    ("events", "ready"),
    [
        (EPOLLIN, ["reader"]),
        (EPOLLOUT, ["writer"]),
        (EPOLLIN | EPOLLOUT, ["reader", "writer"]),
        (EPOLLERR, ["reader", "writer"]),
        (EPOLLHUP | EPOLLIN, ["reader", "writer"]),
    ],
)
def test_events__handles_that_are_queued(
    selector: SchedulerSelector, told: Told, events: int, ready: list[str]
) -> None:
    reader, writer = Named("reader"), Named("writer")
    selector.register(5, EVENT_READ | EVENT_WRITE, (reader, writer))
    told.callbacks[5](events)
    assert [each.name for each in selector.ready] == ready
    selector.ready.clear()
    reader._cancelled = writer._cancelled = True
    told.callbacks[5](events)
    selector.modify(5, EVENT_READ, (None, None))
    told.callbacks[5](events)
    selector.unregister(5)
    told.callbacks[5](events)
    assert not selector.ready


def test_descriptor_of_a_copy__does_not_come_back() -> None:
    """A pipe that is closed here and lives on in a copy, as in a child: its events are nobody's."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        copy = os.dup(reader)
        loop.add_reader(reader, pytest.fail, "read after it was removed")
        loop.remove_reader(reader)
        os.close(reader)
        os.write(writer, b"x")
        other = os.dup(copy)
        assert other == reader, "the kernel hands out the lowest number that is free"
        await asyncio.sleep(0.01)
        for fd in (copy, other, writer):
            os.close(fd)

    run(main())
