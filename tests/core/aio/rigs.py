"""A server and its client on asyncio, over the transports that there are: asyncio's own, and ours over either
stack."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from gossamer.core.aio.calls import sys_await_future
from gossamer.core.aio.eventloop import SchedulerEventLoop
from gossamer.core.aio.guest import AsyncioLoop
from gossamer.core.aio.stacks import StreamStack
from gossamer.core.aio.top import run
from gossamer.core.clock import SECOND_US
from gossamer.core.io.sock import SockConnector, listen
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import Blio, sys_sleep
from gossamer.core.threads.eventloop import PassiveLoop
from gossamer.core.threads.scheduler import Scheduler

Factory = Callable[[], asyncio.BaseProtocol]
Serves = Callable[[tuple[str, int]], AbstractAsyncContextManager[tuple[str, int]]]
Client = Callable[[SchedulerEventLoop, tuple[str, int]], Awaitable[Any]]


class Everything:
    """Of a stack, all addresses."""

    def __contains__(self, _address: object) -> bool:
        return True


def outcome(thread: Any) -> Any:
    """What a thread returned; raises what ended it."""
    assert thread.has_ended
    if hasattr(thread.inbox, "error"):
        raise thread.inbox.error
    return thread.inbox


class KernelRig:
    """asyncio's own transports, over kernel sockets, in real time."""

    is_ours: ClassVar[bool] = False
    host = "127.0.0.1"

    def __init__(self) -> None:
        self.waiter = EpollWaiter()
        self.guest = AsyncioLoop()
        self.sockets = SockLoop()
        loops = [SleepLoop(), self.sockets, DescriptorLoop(), PoolLoop(), self.guest]
        self.scheduler = Scheduler(self.waiter, loops)

    def run(self, factory: Factory, client: Client, **options: Any) -> Any:
        """What the client makes of a server whose connections have such protocols."""

        async def main() -> Any:
            loop = self.guest.loop
            server = await sys_await_future(loop.create_server(factory, self.host, 0, **options))
            try:
                return await sys_await_future(client(loop, server.sockets[0].getsockname()[:2]))
            finally:
                server.close()
                await self.guest.shut_down()

        thread = self.scheduler.spawn(main())
        self.scheduler.run()
        return outcome(thread)

    def converse(self, serves: Serves, client: Client) -> Any:
        """What the client makes of a server that is a program of its own."""

        async def both() -> Any:
            async with serves((self.host, 0)) as address:
                return await client(self.guest.loop, address)

        async def main() -> Any:
            try:
                return await sys_await_future(both())
            finally:
                await self.guest.shut_down()

        thread = self.scheduler.spawn(main())
        self.scheduler.run()
        return outcome(thread)

    def drain(self) -> None:
        """What a worker does that ends: whoever receives is told."""
        self.sockets.interrupt_receivers()

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()


class SockStreamRig(KernelRig):
    """Our transport, over streams of kernel sockets."""

    is_ours = True

    def run(self, factory: Factory, client: Client, **options: Any) -> Any:
        with self.guest.loop.on_stack(StreamStack(listen, SockConnector()), Everything()):
            return super().run(factory, client, **options)


class AtOnce(PassiveLoop):
    """In virtual time, what would block does."""

    def __init__(self) -> None:
        self.takes: Any = {Blio: lambda _thread, call: call.function(*call.arguments)}

    def start(self, scheduler: Any) -> None: ...

    def close(self) -> None: ...


class FunctionalRig:
    """Our transport, over the functional TCP, in virtual time; client and server each in a host of its
    own."""

    is_ours = True
    address = ("127.0.0.2", 80)

    def __init__(self) -> None:
        self.network = Network(Faults(delay_us=100))
        self.client = self.network.host(socket.inet_aton("127.0.0.1"))
        self.server = self.network.host(socket.inet_aton(self.address[0]))
        self.guests = AsyncioLoop(), AsyncioLoop()
        for host, guest in zip((self.client, self.server), self.guests, strict=True):
            host.scheduler.add_loop(guest)
            host.scheduler.add_loop(AtOnce())
        connector = TcpConnector(self.client.loop, range(61_000, 61_100), b"k" * 32)
        connector._local_hosts[self.address[0]] = "127.0.0.1"
        self.stacks = (
            StreamStack(connector=connector),
            StreamStack(lambda address: TcpAcceptor(self.server.loop, address, TcpParameters())),
        )

    def run(self, factory: Factory, client: Client, **options: Any) -> Any:
        """What the client makes of a server whose connections have such protocols."""
        ours, theirs = (guest.loop for guest in self.guests)

        async def serves() -> Any:
            return await sys_await_future(theirs.create_server(factory, *self.address, **options))

        async def main() -> Any:
            return await sys_await_future(client(ours, self.address))

        with ours.on_stack(self.stacks[0], {self.address}), theirs.on_stack(self.stacks[1], {self.address}):
            serving = self.server.spawn(serves())
            self.network.run(serving, for_us=SECOND_US)
            outcome(serving)
            thread = self.client.spawn(main())
            self.network.run(thread, for_us=100 * SECOND_US)
        return outcome(thread)

    def converse(self, serves: Serves, client: Client) -> Any:
        """What the client makes of a server that is a program of its own."""
        ours, theirs = (guest.loop for guest in self.guests)
        started: list[tuple[str, int]] = []
        asked: list[bool] = []

        async def server() -> None:
            async with serves(self.address) as address:
                started.append(address)
                while not asked:
                    await asyncio.sleep(0.01)

        async def main() -> Any:
            while not started:
                await sys_sleep(10_000)
            try:
                return await sys_await_future(client(ours, started[0]))
            finally:
                asked.append(True)

        async def serving() -> None:
            await sys_await_future(server())

        with ours.on_stack(self.stacks[0], Everything()), theirs.on_stack(self.stacks[1], Everything()):
            threads = self.client.spawn(main()), self.server.spawn(serving())
            self.network.run(*threads, for_us=100 * SECOND_US)
        outcome(threads[1])
        return outcome(threads[0])

    def drain(self) -> None:
        """What a worker does that ends: whoever receives is told."""
        self.server.loop.interrupt_receivers()

    def close(self) -> None:
        self.client.scheduler.close()
        self.server.scheduler.close()


class TopRig:
    """asyncio on top, over kernel sockets."""

    def converse(self, serves: Serves, client: Client) -> Any:
        """What the client makes of a server that is a program of its own."""

        async def both() -> Any:
            loop: Any = asyncio.get_running_loop()
            async with serves(("127.0.0.1", 0)) as address:
                return await client(loop, address)

        return run(both())

    def close(self) -> None: ...


RIGS = (KernelRig, SockStreamRig, FunctionalRig)
