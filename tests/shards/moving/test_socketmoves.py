"""Kernel connections over links: none is closed, whoever takes and whoever dies."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gossamer.core.io.sock import SockAcceptor, SockStream
from gossamer.core.loop.continuing import Continuing, OpenNamed, Saved, Unsent
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.loop.streamcall import Idle
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.moving.link import WorkerLink
from gossamer.shards.moving.socketmoves import IN_FLIGHT_MAX, SocketGiver, SocketGivers, SocketTaker

TURNS_MAX = 20_000


class OneTurn(EpollWaiter):
    """Ends the scheduler's run after each turn, and does not sleep."""

    stop: Callable[[], None]

    def wait(self, timeout_us: int) -> None:
        super().wait(min(timeout_us, 100))
        self.stop()


class Shard:
    """A worker as far as connections move."""

    def __init__(self) -> None:
        self.loop = SockLoop()
        waiter = OneTurn()
        self.scheduler = Scheduler(waiter, [self.loop, SleepLoop(), FdLoop()])
        waiter.stop = self.scheduler.stop
        self.idle = Idle(self.serve, 1_000)
        self.seen: list[bytes] = []
        self.has_room = True

    def serves(self, port: int) -> "Shard":
        self.loop.moving.serves(port, SockStream)
        self.loop.moving.idle = self.idle
        return self

    async def accepts(self, acceptor: SockAcceptor) -> None:
        while True:
            await sys_fork(self.serve(await acceptor.accept()))

    async def serve(self, stream: SockStream) -> None:
        while data := await stream.recv_idle(self.idle):
            self.seen.append(data)
            await stream.send(b"!" + data)
        await stream.close()

    @property
    def connections(self) -> int:
        return self.loop.statistics()["connections"]


class World:
    """Two of them, who have one listening socket, and clients of the first."""

    def __init__(self, count: int, clean_up: ExitStack) -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listening.getsockname()[1]
        self.old, self.new = Shard().serves(self.port), Shard().serves(self.port)
        self.old.scheduler.spawn(self.old.accepts(SockAcceptor(listening)))
        self.clients = [
            clean_up.enter_context(socket.create_connection(("127.0.0.1", self.port), 10))
            for _ in range(count)
        ]
        for shard in (self.old, self.new):
            clean_up.callback(shard.scheduler.close)
        self.until(lambda: self.old.connections == count)
        here, there = socket.socketpair()
        self.link, self.far_link = WorkerLink(here), WorkerLink(there)
        self.giver = SocketGiver(self.old.loop.moving, self.link)
        self.givers = SocketGivers(self.old.loop.moving)
        self.givers.add(self.giver)
        self.taker = SocketTaker(self.new.loop.moving, lambda: self.new.has_room)

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(TURNS_MAX):
            if condition():
                return
            self.old.scheduler.run()
            self.new.scheduler.run()
        raise AssertionError("it never comes to that")

    def give(self) -> None:
        for work in (self.link.write(), self.giver.hear(), self.givers.run()):
            self.old.scheduler.spawn(work)

    def take(self) -> None:
        self.new.scheduler.spawn(self.far_link.write())
        self.new.scheduler.spawn(self.taker.take(self.far_link))

    def ask(self, number: int, shard: Shard) -> None:
        """A client asks, and is answered by that shard."""
        self.clients[number].send(b"%d" % number)
        self.until(lambda: b"%d" % number in shard.seen)
        assert self.clients[number].recv(100) == b"!%d" % number


@contextmanager
def world_of(count: int) -> Iterator[World]:
    with ExitStack() as clean_up:
        yield World(count, clean_up)


def test_given__all_that_rests_moves__and_what_has_come_is_answered_there() -> None:
    with world_of(3 * IN_FLIGHT_MAX) as world:
        world.ask(1, world.old)
        world.clients[7].send(b"waits")
        world.give()
        world.take()
        world.until(lambda: world.new.connections == len(world.clients))
        assert world.old.connections == 0
        assert world.old.scheduler.statistics()["threads"] == 4  # who accepts and gives, two of the link
        world.until(lambda: not world.giver.in_flight)
        assert world.clients[7].recv(100) == b"!waits"
        for number in (0, 1, len(world.clients) - 1):
            world.ask(number, world.new)
        world.clients[0].close()  # No other process has it open any more.
        world.until(lambda: world.new.connections == len(world.clients) - 1)


def test_taker__without_room__the_rest_stays_and_is_served() -> None:
    with world_of(2 * IN_FLIGHT_MAX) as world:
        world.new.has_room = False
        world.give()
        world.take()
        world.until(lambda: world.giver.in_flight == IN_FLIGHT_MAX)
        assert world.old.connections == IN_FLIGHT_MAX
        for client in world.clients:
            client.send(b"asks")
        world.until(lambda: len(world.old.seen) == IN_FLIGHT_MAX)
        world.new.has_room = True
        world.until(lambda: world.new.connections == 2 * IN_FLIGHT_MAX)
        assert {client.recv(100) for client in world.clients} == {b"!asks"}
        world.until(lambda: not world.giver.in_flight)


def test_taker_dies__what_it_does_not_serve_is_taken_back() -> None:
    with world_of(10) as world:
        world.give()
        world.until(lambda: world.giver.in_flight == 10)
        world.new.scheduler.spawn(world.far_link.close())
        world.until(lambda: world.old.connections == 10)
        for number in range(10):
            world.ask(number, world.old)


def heard_by(world: World, client: socket.socket) -> bytes:
    """All that a client hears until its connection ends, one way or the other."""
    client.setblocking(False)
    heard = bytearray()

    def hear() -> bool:
        try:
            part = client.recv(1 << 20)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        heard.extend(part)
        return not part

    world.until(hear)
    return bytes(heard)


@pytest.mark.parametrize("knows", [True, False])
def test_busy__goes_on_as_it_was_saved__or_is_reset_where_nobody_knows_how(
    tmp_path: Path, knows: bool
) -> None:
    content = os.urandom(7_000_000)
    (tmp_path / "file").write_bytes(content)

    async def sends(stream: SockStream) -> None:
        with (tmp_path / "file").open("rb") as file:
            await stream.send_file(file.fileno(), 0, len(content))

    def save(_stream: SockStream, unsent: Unsent) -> Saved:
        assert not isinstance(unsent, bytes)
        return Saved(b"%d %d" % (unsent.offset, unsent.length))

    async def goes_on(stream: SockStream, state: bytes, _open: OpenNamed) -> None:
        offset, length = map(int, state.split())
        await stream.send(content[offset : offset + length])
        await stream.close()

    with world_of(0) as world:
        world.old.serve = sends  # type: ignore[assignment, method-assign]
        world.old.loop.moving.continuing = Continuing(save, goes_on)
        world.new.loop.moving.continuing = Continuing(save, goes_on) if knows else None
        with socket.create_connection(("127.0.0.1", world.port), 10) as client:
            world.until(lambda: world.old.connections == 1)
            for _ in range(20):
                world.old.scheduler.run()
            world.give()
            world.take()
            world.until(lambda: world.new.loop.statistics()["moved_in_total"] == 1)
            assert (heard_by(world, client) == content) == knows
        assert world.new.loop.statistics()["moved_lost_total"] == (not knows)
