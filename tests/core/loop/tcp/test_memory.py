"""A server whose clients do not read, and whose handlers do not: what it holds is bounded, and nothing is
lost."""

from collections.abc import Callable, Coroutine
from typing import Any

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.memory import FREE_BYTES
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.sync import Event
from gossamer.core.threads.thread import Thread

SERVER = ("10.0.0.2", 80)
BUDGET, CLIENTS, TEXT = 1 << 20, 12, bytes(range(256)) * 1_200
"""Three and a half times as much as there is room for, and for all but one a window that has room for all."""


class Crowded:
    """Clients on one host, a server with little memory on the other."""

    def __init__(self) -> None:
        self.network = Network(Faults(delay_us=1_000), 1)
        self.client = self.network.host(bytes((10, 0, 0, 1)), TcpParameters(receive_buffer_bytes=1 << 16))
        parameters = TcpParameters(
            memory_bytes=BUDGET, receive_buffer_bytes=1 << 19, send_buffer_bytes=1 << 19
        )
        self.server = self.network.host(bytes((10, 0, 0, 2)), parameters)
        self.acceptor = TcpAcceptor(self.server.loop, SERVER, parameters)
        self.go = Event()
        self.held_max = 0

    def begin(
        self,
        client: Callable[[TcpStream], Coroutine[Any, Any, Any]],
        server: Callable[[TcpStream], Coroutine[Any, Any, Any]],
    ) -> list[Thread[Any]]:
        async def serves() -> None:
            while True:
                self.server.spawn(server(await self.acceptor.accept()))

        async def uses(port: int) -> Any:
            return await client(await TcpConnect(("10.0.0.1", port), SERVER, NEVER_US, TcpStream))

        self.server.spawn(serves())
        return [self.client.spawn(uses(50_000 + number)) for number in range(CLIENTS)]

    def watch(self, *threads: Thread[Any], for_us: int) -> None:
        """Go on for a time, and see how much is held at most."""
        until_us = self.network.clock() + for_us
        while self.network.clock() < until_us and not (threads and all(each.has_ended for each in threads)):
            self.network.run(*threads, for_us=20_000)
            self.held_max = max(self.held_max, self.count("buffered_bytes"))

    def count(self, name: str) -> int:
        return self.server.statistics[name]


async def sends(stream: TcpStream) -> bytes:
    await stream.send(TEXT)
    await stream.close()
    return b""


def test_clients_that_do_not_read__bounded_and_every_octet_comes_once_they_do() -> None:
    crowded = Crowded()

    async def reads_late(stream: TcpStream) -> bytes:
        await crowded.go.wait()
        found = b""
        while data := await stream.recv(1 << 16):
            found += data
        return found

    users = crowded.begin(reads_late, sends)
    crowded.watch(for_us=2 * SECOND_US)
    assert crowded.count("memory_pressed_total") == 1
    assert crowded.count("memory_pressure") > 0
    crowded.go.set()
    crowded.watch(*users, for_us=200 * SECOND_US)
    assert [user.inbox for user in users] == [TEXT] * CLIENTS
    assert crowded.held_max <= BUDGET + CLIENTS * FREE_BYTES
    crowded.watch(for_us=SECOND_US)
    assert (crowded.count("buffered_bytes"), crowded.count("memory_pressure")) == (0, 0)


def test_handlers_that_do_not_read__bounded_and_every_octet_comes_once_they_do() -> None:
    crowded = Crowded()
    found: list[bytes] = []

    async def reads_late(stream: TcpStream) -> None:
        await crowded.go.wait()
        octets = b""
        while data := await stream.recv(1 << 16):
            octets += data
        found.append(octets)

    users = crowded.begin(sends, reads_late)
    crowded.watch(for_us=2 * SECOND_US)
    assert crowded.count("memory_pressure") == 2
    assert crowded.count("drop_memory_full") > 0
    crowded.go.set()
    crowded.watch(*users, for_us=400 * SECOND_US)
    crowded.watch(for_us=2 * SECOND_US)
    assert found == [TEXT] * CLIENTS
    assert crowded.held_max <= BUDGET + FREE_BYTES * CLIENTS
    assert (crowded.count("buffered_bytes"), crowded.count("memory_pressure")) == (0, 0)


def test_new_client__while_memory_is_full__is_served() -> None:
    crowded = Crowded()

    async def serves(stream: TcpStream) -> None:
        if await stream.recv(1) == b"?":
            await stream.send(b"!")
        else:
            await crowded.go.wait()

    crowded.begin(sends, serves)
    crowded.watch(for_us=2 * SECOND_US)
    assert crowded.count("memory_pressure") == 2

    async def asks() -> bytes:
        stream = await TcpConnect(("10.0.0.1", 60_000), SERVER, NEVER_US, TcpStream)
        await stream.send(b"?")
        return await stream.recv(10)

    user = crowded.client.spawn(asks())
    crowded.network.run(user, for_us=SECOND_US)
    assert user.inbox == b"!"


def test_allowed_less__while_it_is_calm__those_that_hold_much_are_kept_small() -> None:
    crowded = Crowded()
    crowded.server.loop.allow_memory(64 << 20)

    async def never_reads(_stream: TcpStream) -> bytes:
        await crowded.go.wait()
        return b""

    crowded.begin(never_reads, sends)
    crowded.watch(for_us=2 * SECOND_US)
    assert (crowded.count("memory_pressure"), crowded.count("buffered_bytes_max")) == (0, 64 << 20)
    assert crowded.count("buffered_bytes") > BUDGET
    crowded.server.loop.allow_memory(BUDGET)
    assert crowded.count("memory_pressure") == 2
