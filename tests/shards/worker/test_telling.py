"""What a worker tells: connections in slices, and several observers at once."""

import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.tcp.door import Observer
from gossamer.core.sim import states
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.flow import pack_flow
from gossamer.shards.seen.connectiontable import ConnectionPage, ConnectionRow
from gossamer.shards.seen.tap import Tap
from gossamer.shards.worker.telling import OBSERVERS_MAX, SLICE_ROWS, Observers, Telling, is_wanted

FLOW = pack_flow(("192.0.2.1", 80), ("192.0.2.7", 5000))


class FakeStack:
    """As much of a stack as is told of."""

    observe = None

    def __init__(self, count: int) -> None:
        self.count = count
        self.seen_in: list[int] = []

    def rows(self) -> Iterator[ConnectionRow | None]:
        for number in range(self.count):
            row = ConnectionRow(f"192.0.2.{number % 2}:{number}", "[::1]:80", "ESTABLISHED", bytes_in=number)
            yield row if number % 3 else None


def pages(name: str, stack: FakeStack, *, buffer_bytes: int | None = None) -> list[ConnectionPage]:
    """What comes over a socket that a worker was handed under a name."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if buffer_bytes is not None:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    scheduler = Scheduler(EpollWaiter(), [DescriptorLoop(), SleepLoop()])
    telling, found = Telling(scheduler), []
    telling.begin(stack)  # type: ignore[arg-type]  # as much of it as is used
    telling.take(name, theirs.detach())

    async def read() -> None:
        from gossamer.core.threads.calls import EpollWait

        while True:
            await EpollWait(ours.fileno(), 1)
            message = ours.recv(1 << 16)
            if not message:
                return
            found.append(msgspec.msgpack.decode(message, type=ConnectionPage))

    scheduler.spawn(read())
    scheduler.run()
    scheduler.close()
    ours.close()
    return found


def test_rows__in_slices__the_first_in_order_and_how_many_there_are() -> None:
    *some, last = pages("rows 3 bytes 40", FakeStack(SLICE_ROWS * 4))
    rows = [row for page in some for row in page.rows]
    assert [row.bytes_in for row in rows[:3]] == [254, 253, 251]
    assert (len(rows), last.total, last.is_last, last.is_whole, last.worker) == (40, 170, True, True, 3)


def test_rows__of_one_peer__no_others() -> None:
    *some, last = pages("rows 0 bytes 10 192.0.2.1", FakeStack(60))
    assert {row.peer.split(":")[0] for page in some for row in page.rows} == {"192.0.2.1"}
    assert last.total == 20


def test_rows__a_reader_that_is_slow__is_waited_for() -> None:
    found = pages("rows 0 bytes 1000", FakeStack(900), buffer_bytes=1)
    assert sum(len(page.rows) for page in found) == found[-1].total == 600


def test_rows__nobody_reads__ends() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    scheduler = Scheduler(EpollWaiter(), [DescriptorLoop(), SleepLoop()])
    telling = Telling(scheduler)
    telling.begin(FakeStack(5))  # type: ignore[arg-type]
    telling.take("rows 0 bytes 10", theirs.detach())
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 0


@pytest.mark.parametrize("name", ["capture 0", "trace 0 ::1 80", "unknown", "rows 0 bytes 1"])
def test_name__that_says_nothing_here__the_socket_is_closed(name: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    telling = Telling(Scheduler(EpollWaiter(), [], VirtualClock()))
    if not name.startswith("rows"):
        telling.begin(FakeStack(0))  # type: ignore[arg-type]
    telling.take(name, theirs.detach())
    assert ours.recv(1) == b""
    ours.close()


@pytest.mark.parametrize(
    ("peer", "client", "address", "wanted"),
    [
        ("192.0.2.1:5", "", "", True),
        ("192.0.2.1:5", "", "192.0.2.1", True),
        ("192.0.2.11:5", "", "192.0.2.1", False),
        ("[::1]:5", "", "::1", True),
        ("192.0.2.1:5", "[::1]:6", "::1", True),
        ("unnamed", "", "::1", False),
    ],
)
def test_wanted__by_its_address_alone(peer: str, client: str, address: str, wanted: bool) -> None:
    assert is_wanted(peer, client, address) is wanted


def test_observers__several__each_sees_every_step_and_the_oldest_makes_room() -> None:
    door: list[Observer | None] = []
    observers, ends = Observers(door.append), []

    def join() -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        observers.join(Tap(theirs, 0, "", lambda: 0, observers.leave))
        ours.setblocking(False)
        ends.append(ours)
        return ours

    def observe() -> None:
        tcb: Any = states.established()
        from gossamer.core.tcp.events import Close
        from gossamer.core.tcp.step import step

        event = Close(states.NOW_US, receives=True)
        after, actions = step(tcb, event)
        assert door[-1] is not None
        door[-1](FLOW, tcb, event, after, actions)

    first, second = join(), join()
    observe()
    assert first.recv(1 << 16)
    assert second.recv(1 << 16)
    for _ in range(OBSERVERS_MAX - 1):
        join()
    assert first.recv(1) == b""
    for end in ends[1:]:
        end.close()
    observe()
    assert door[-1] is None
    first.close()
